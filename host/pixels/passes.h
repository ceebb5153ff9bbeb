/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passes.h - one row through one pass of a resampling, a variant a processor
 *
 * Every variant gives the same bits: integer sums are exact in any order, and
 * floating sums are formed tap after tap in one way, torch's own: the product
 * of the first tap, then whole groups of four taps each rounded twice (product,
 * sum), then fused what is left.
 */
#ifndef ORIEL_PIXELS_PASSES_H
#define ORIEL_PIXELS_PASSES_H

#include "base/processor.h"
#include "pixels/axis.h"

typedef struct oriel_passes {
    /* Bytes of what 'pack' makes; 0 when the variant needs nothing. */
    size_t (*packed_bytes)(int32_t source, int32_t size);
    void (*pack)(const oriel_axis *axis, void *packed);

    /* RGB [axis->source, 3] to RGB [axis->size, 3].  Nothing outside either is
       touched. */
    void (*across)(const oriel_axis *axis, const void *packed,
                   const uint8_t *source, uint8_t *out);
    /* 'n' bytes of 'count' rows, weighted, to one row. */
    void (*down)(const int32_t *weights, int32_t count, int32_t shift,
                 const uint8_t *const *rows, size_t n, uint8_t *out);

    /* The same in fp32: no rounding between the passes. */
    void (*across_float)(const oriel_axis *axis, const uint8_t *source,
                         float *out);
    void (*down_float)(const float *weights, int32_t count,
                       const float *const *rows, size_t n, float *out);
} oriel_passes;

/* The first tap of a floating sum that is fused. */
static inline int32_t
oriel_taps_apart(int32_t count)
{
    return 1 + ((count - 1) & ~3);
}

/* The best variant up to 'isa' that was built and that this processor runs. */
const oriel_passes *oriel_passes_choose(oriel_isa isa);

extern const oriel_passes oriel_passes_plain;
#if defined(__x86_64__)
extern const oriel_passes oriel_passes_avx2;
extern const oriel_passes oriel_passes_avx512;
#endif

#endif /* ORIEL_PIXELS_PASSES_H */
