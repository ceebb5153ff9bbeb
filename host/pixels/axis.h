/* SPDX-License-Identifier: Apache-2.0 */
/*
 * axis.h - the coefficients of one axis of a resampling
 *
 * Output i of 'size' is a weighted sum of source samples first[i] and on.  How
 * weights are made, and in which arithmetic they are applied, is the flavour:
 *
 *   torchvision  int16 weights, the binary point as far right as they allow
 *   pillow       int32 weights, 22 bits after the binary point
 *   float        fp32 weights, fp32 sums
 *
 * Overflow.  An integer pass adds 2^(shift-1) and 'count' products of a level
 * (at most 255) with a weight.  Normalised weights satisfy sum |w| <= L with
 * L < 1.3 (tests/pixels/test_axis.c measures it), rounding adds at most 1/2
 * each, and shift <= 22, so the sum stays below
 *     255 * (2^22 * 1.3 + count / 2) + 2^21 < 2^31   while count < 5.9 million.
 * No partial sum is larger.  Beyond that the sum wraps around, here as in the
 * reference; it is formed in unsigned arithmetic, where that is defined.
 */
#ifndef ORIEL_PIXELS_AXIS_H
#define ORIEL_PIXELS_AXIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct oriel_axis {
    int32_t source, size;
    int32_t max_taps; /* of any output, zero weights included */
    int32_t shift;    /* bits after the binary point; float: 0 */
    int32_t *first;   /* [size] */
    int32_t *count;   /* [size] >= 1, without zero weights at either end */
    union {
        int32_t *fixed;
        float *real;
    } weights; /* [size, max_taps] */
} oriel_axis;

/* Most taps of an output when 'source' samples become 'size'. */
int32_t oriel_axis_max_taps(int32_t source, int32_t size);

/*
 * Bytes of the three arrays and of the scratch of oriel_axis_init.  False when
 * they cannot be counted.
 */
bool oriel_axis_bytes(int32_t source, int32_t size, size_t *bytes);

/* Fill 'axis', its arrays in 'memory' (64-byte aligned). */
void oriel_axis_init(oriel_axis *axis, int32_t resample, int32_t source,
                     int32_t size, void *memory);

#endif /* ORIEL_PIXELS_AXIS_H */
