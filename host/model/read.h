/* SPDX-License-Identifier: Apache-2.0 */
/* read.h - rows of weights out of a checkpoint, in canonical layout */
#ifndef ORIEL_MODEL_READ_H
#define ORIEL_MODEL_READ_H

#include "model/checkpoint.h"

/* As oriel_weight_reader.read (weights.h). */
oriel_status oriel_checkpoint_read(const oriel_checkpoint *checkpoint,
                                   oriel_tensor tensor, int32_t block,
                                   int64_t first_row, int64_t rows,
                                   int32_t dtype, void *out, oriel_error *err);

/*
 * XXH3-128 of the network's numbers and of every tensor's values as F32, in
 * canonical order and layout: see digest.c.  Calls the cancel hook.
 */
oriel_status oriel_checkpoint_digest(const oriel_checkpoint *checkpoint,
                                     char digest[33], oriel_error *err);

#endif /* ORIEL_MODEL_READ_H */
