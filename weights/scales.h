/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scales.h - how large the values of a synthetic tensor are, row by row
 *
 * weights/README.md tells what the activations are meant to look like; here is
 * the arithmetic, all of it in doubles by additions, products, quotients and
 * square roots, so that the Python twin gets the same bits.
 */
#ifndef ORIEL_WEIGHTS_SCALES_H
#define ORIEL_WEIGHTS_SCALES_H

#include "base/manifest.h"
#include "base/network.h"

/* The residual stream that block 'block' is built to expect. */
typedef struct oriel_synth_schedule {
    double before_attention; /* rms of the calm channels */
    double before_mlp;
    double attention_rms; /* of what is added to them */
    double mlp_rms;
    double outlier; /* the outlier channels, by their factors, before ... */
    double step;    /* ... and what the block's MLP adds */
    double energy;  /* squares of all factors over hidden_size */
} oriel_synth_schedule;

/* For tensors after the blocks, 'block' is the depth. */
oriel_synth_schedule oriel_synth_schedule_at(const oriel_network *network,
                                             int32_t block);

/* A value is u * scale + offset, in fp32, with u uniform in [-1, 1). */
typedef struct oriel_synth_row {
    float scale, offset;
} oriel_synth_row;

oriel_synth_row oriel_synth_row_at(const oriel_network *network,
                                   const oriel_synth_schedule *schedule,
                                   oriel_tensor tensor, int64_t row);

#endif /* ORIEL_WEIGHTS_SCALES_H */
