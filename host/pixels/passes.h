/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passes.h - one row through one pass of a resampling, a variant a processor
 *
 * Every variant gives the same bits: integer sums are exact in any order, and
 * floating sums are formed tap after tap in one way, torch's own: the product
 * of the first tap, then whole groups of four taps each rounded twice (product,
 * sum), then fused what is left.
 *
 * A variant may keep its own form of an axis's integer weights, "packed".
 */
#ifndef ORIEL_PIXELS_PASSES_H
#define ORIEL_PIXELS_PASSES_H

#include "base/processor.h"
#include "pixels/axis.h"

/* Row pointers of 'down' are valid up to this multiple of the count. */
#define ORIEL_ROWS_MULTIPLE 4

typedef struct oriel_passes {
    /* Bytes of the packed forms; false when they cannot be counted. */
    bool (*across_bytes)(int32_t source, int32_t size, size_t *bytes);
    bool (*down_bytes)(int32_t source, int32_t size, size_t *bytes);
    void (*pack_across)(const oriel_axis *axis, void *packed);
    void (*pack_down)(const oriel_axis *axis, void *packed);

    /* RGB [axis->source, 3] to RGB [axis->size, 3].  Nothing outside either is
       touched. */
    void (*across)(const oriel_axis *axis, const void *packed,
                   const uint8_t *source, uint8_t *out);
    /* Output row y, 'n' bytes of it, from the rows of its taps. */
    void (*down)(const oriel_axis *axis, const void *packed, int32_t y,
                 const uint8_t *const *rows, size_t n, uint8_t *out);

    /* The same in fp32: no rounding between the passes. */
    void (*across_float)(const oriel_axis *axis, const uint8_t *source,
                         float *out);
    void (*down_float)(const oriel_axis *axis, int32_t y,
                       const float *const *rows, size_t n, float *out);
    /* Levels clamped and rounded to the nearest, ties to even. */
    void (*round)(const float *levels, size_t n, uint8_t *out);
} oriel_passes;

/* The best variant up to 'isa' that was built and that this processor runs. */
const oriel_passes *oriel_passes_choose(oriel_isa isa);

extern const oriel_passes oriel_passes_plain;
#if defined(__x86_64__)
extern const oriel_passes oriel_passes_avx2;
extern const oriel_passes oriel_passes_avx512;

void oriel_across_float_avx2(const oriel_axis *axis, const uint8_t *source,
                             float *out);
void oriel_down_float_avx2(const oriel_axis *axis, int32_t y,
                           const float *const *rows, size_t n, float *out);
void oriel_round_avx2(const float *levels, size_t n, uint8_t *out);
#endif

/* The weights of output i. */
static inline const int32_t *
oriel_axis_fixed(const oriel_axis *axis, int32_t i)
{
    return axis->weights.fixed + (size_t)i * (size_t)axis->max_taps;
}

static inline const float *
oriel_axis_real(const oriel_axis *axis, int32_t i)
{
    return axis->weights.real + (size_t)i * (size_t)axis->max_taps;
}

/* The first tap of a floating sum that is fused. */
static inline int32_t
oriel_taps_apart(int32_t count)
{
    return 1 + ((count - 1) & ~3);
}

/* Outputs 'from' and on of 'across', in plain C. */
void oriel_across_plain(const oriel_axis *axis, int32_t from,
                        const uint8_t *source, uint8_t *out);

#endif /* ORIEL_PIXELS_PASSES_H */
