/* SPDX-License-Identifier: Apache-2.0 */
/* cut.h - one patch to one row, a variant a processor; all give the same bits */
#ifndef ORIEL_PIXELS_CUT_H
#define ORIEL_PIXELS_CUT_H

#include "base/processor.h"

#include <stddef.h>
#include <stdint.h>

/* A patch of a temporal slice. */
typedef struct oriel_patch {
    const uint8_t *const *frames; /* [n_frames] equal ones: the same pixels */
    size_t offset;                /* of its first pixel in each frame */
    size_t pitch;
    int32_t side, n_frames;
} oriel_patch;

/* The values of levels, and the same cut into bytes. */
typedef struct oriel_levels {
    const float (*f32)[256];     /* [3], or NULL */
    const uint16_t (*bf16)[256]; /* [3], or NULL */
    uint8_t bytes[3][4][256];    /* [channel][byte of the value] */
} oriel_levels;

typedef struct oriel_cutter {
    /* Once a band, when one of 'f32' and 'bf16' is set. */
    void (*prepare)(oriel_levels *levels);
    /* Column ((channel x n_frames + frame) x side + y) x side + x of 'row' is
       that sample's value. */
    void (*f32)(const oriel_patch *patch, const oriel_levels *levels,
                float *row);
    void (*bf16)(const oriel_patch *patch, const oriel_levels *levels,
                 uint16_t *row);
    int32_t longest_side; /* that it can do */
} oriel_cutter;

/* The best variant up to 'isa' for patches of this side. */
const oriel_cutter *oriel_cutter_choose(oriel_isa isa, int32_t side);

#if defined(__x86_64__)
extern const oriel_cutter oriel_cutter_avx512;
#endif

#endif /* ORIEL_PIXELS_CUT_H */
