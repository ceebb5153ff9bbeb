/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader.h - how a backend asks for tensors
 *
 * A table of functions, so that a module loaded at run time needs no symbol of
 * liboriel's.  It hides prefixes, shards, split q/k/v, channels-last
 * convolutions, stored dtypes and byte order.
 */
#ifndef ORIEL_MODEL_READER_H
#define ORIEL_MODEL_READER_H

#include "base/manifest.h"
#include "oriel.h"

typedef struct oriel_weight_reader {
    const void *model;
    /*
     * Rows first_row .. first_row + rows - 1 of a tensor into 'out', tight
     * [rows, columns], converted to 'dtype' (F32, or BF16 by nearest even).
     * 'block' is ignored for tensors outside blocks.  Calls no hook, so it may
     * run on any thread; who wants to be cancelled asks between calls.
     * Threads: shared.  ORIEL_ERR_IO
     */
    oriel_status (*read)(const void *model, oriel_tensor tensor, int32_t block,
                         int64_t first_row, int64_t rows, int32_t dtype,
                         void *out, oriel_error *err);
} oriel_weight_reader;

#endif /* ORIEL_MODEL_READER_H */
