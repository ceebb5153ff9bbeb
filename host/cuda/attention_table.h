/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention_table.h - the sizes of cuDNN's plans, and which one a batch takes
 *
 * A plan is of at most so many sequences of at most so many rows.  Sizes are
 * rounded up to a few, so that plans, which take seconds to build, are met again.
 */
#ifndef ORIEL_CUDA_ATTENTION_TABLE_H
#define ORIEL_CUDA_ATTENTION_TABLE_H

#include "oriel.h"

enum { ORIEL_CUDNN_SEQUENCE_CLASSES = 5, ORIEL_CUDNN_ROW_CLASSES = 8 };

/* Bytes that a plan may ask for as scratch: tests/records/cudnn.md. */
enum { ORIEL_CUDNN_WORKSPACE_BYTES = 256 * 256 + 768 };

typedef struct oriel_cudnn_class {
    int32_t sequences, rows; /* places in the table */
} oriel_cudnn_class;

/* At most, in a plan of this class. */
int32_t oriel_cudnn_sequences_of(oriel_cudnn_class c);
int32_t oriel_cudnn_rows_of(oriel_cudnn_class c);

/* The least class for so many frames, the longest of so many patches.
   ORIEL_ERR_CAPACITY where there is none.  Needs no device. */
oriel_status oriel_cudnn_find_class(oriel_cudnn_class *out, int32_t frames,
                                    int32_t longest, oriel_error *err);

#endif /* ORIEL_CUDA_ATTENTION_TABLE_H */
