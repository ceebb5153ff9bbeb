/* SPDX-License-Identifier: Apache-2.0 */
/* passes.c - the passes in plain C: the baseline, and what the others equal */
#include "pixels/passes.h"

#include <math.h>

#define BLOCK 256 /* columns whose sums are formed together */

static uint8_t
clip_shifted(uint32_t sum, int32_t shift)
{
    int32_t level = (int32_t)sum >> shift;

    return (uint8_t)(level < 0 ? 0 : level > 255 ? 255 : level);
}

void
oriel_across_plain(const oriel_axis *axis, int32_t from, const uint8_t *source,
                   uint8_t *out)
{
    uint32_t half = 1u << (axis->shift - 1);

    out += (size_t)from * 3;
    for (int32_t i = from; i < axis->size; i++) {
        const int32_t *weights = oriel_axis_fixed(axis, i);
        const uint8_t *pixel = source + (size_t)axis->first[i] * 3;
        uint32_t r = half, g = half, b = half;

        for (int32_t j = 0; j < axis->count[i]; j++, pixel += 3) {
            uint32_t w = (uint32_t)weights[j];

            r += w * pixel[0];
            g += w * pixel[1];
            b += w * pixel[2];
        }
        *out++ = clip_shifted(r, axis->shift);
        *out++ = clip_shifted(g, axis->shift);
        *out++ = clip_shifted(b, axis->shift);
    }
}

static void
across(const oriel_axis *axis, const void *packed, const uint8_t *source,
       uint8_t *out)
{
    (void)packed;
    oriel_across_plain(axis, 0, source, out);
}

static void
down(const oriel_axis *axis, const void *packed, int32_t y,
     const uint8_t *const *rows, size_t n, uint8_t *out)
{
    const int32_t *weights = oriel_axis_fixed(axis, y);
    uint32_t sum[BLOCK];

    (void)packed;
    for (size_t x = 0; x < n; x += BLOCK) {
        size_t width = n - x < BLOCK ? n - x : BLOCK;

        for (size_t k = 0; k < BLOCK; k++)
            sum[k] = 1u << (axis->shift - 1);
        for (int32_t j = 0; j < axis->count[y]; j++) {
            const uint8_t *row = rows[j] + x;
            uint32_t w = (uint32_t)weights[j];

            for (size_t k = 0; k < width; k++)
                sum[k] += w * row[k];
        }
        for (size_t k = 0; k < width; k++)
            out[x + k] = clip_shifted(sum[k], axis->shift);
    }
}

static void
across_float(const oriel_axis *axis, const uint8_t *source, float *out)
{
    for (int32_t i = 0; i < axis->size; i++) {
        const float *w = oriel_axis_real(axis, i);
        const uint8_t *pixel = source + (size_t)axis->first[i] * 3;
        int32_t count = axis->count[i], apart = oriel_taps_apart(count);

        for (int32_t c = 0; c < 3; c++, pixel++) {
            float sum = w[0] * (float)pixel[0];

            for (int32_t j = 1; j < apart; j++)
                sum += w[j] * (float)pixel[3 * j];
            for (int32_t j = apart; j < count; j++)
                sum = fmaf(w[j], (float)pixel[3 * j], sum);
            *out++ = sum;
        }
    }
}

static void
down_float(const oriel_axis *axis, int32_t y, const float *const *rows,
           size_t n, float *out)
{
    const float *weights = oriel_axis_real(axis, y);
    int32_t count = axis->count[y], apart = oriel_taps_apart(count);

    for (size_t x = 0; x < n; x++) {
        float sum = weights[0] * rows[0][x];

        for (int32_t j = 1; j < apart; j++)
            sum += weights[j] * rows[j][x];
        for (int32_t j = apart; j < count; j++)
            sum = fmaf(weights[j], rows[j][x], sum);
        out[x] = sum;
    }
}

static void
round_levels(const float *levels, size_t n, uint8_t *out)
{
    for (size_t x = 0; x < n; x++) {
        float level = levels[x] < 0.0f ? 0.0f : levels[x];

        out[x] = (uint8_t)nearbyintf(level > 255.0f ? 255.0f : level);
    }
}

static bool
no_bytes(int32_t source, int32_t size, size_t *bytes)
{
    (void)source;
    (void)size;
    *bytes = 0;
    return true;
}

static void
no_pack(const oriel_axis *axis, void *packed)
{
    (void)axis;
    (void)packed;
}

const oriel_passes oriel_passes_plain = {
    no_bytes, no_bytes,     no_pack,    no_pack,     across,
    down,     across_float, down_float, round_levels};

const oriel_passes *
oriel_passes_choose(oriel_isa isa)
{
#if defined(__x86_64__)
    oriel_isa most = oriel_processor_isa();

    isa = isa < most ? isa : most;
    /* Byte permutes and byte dot products: Ice Lake, Zen 4 and later. */
    if (isa >= ORIEL_ISA_AVX512 && __builtin_cpu_supports("avx512vbmi") &&
        __builtin_cpu_supports("avx512vnni"))
        return &oriel_passes_avx512;
    if (isa >= ORIEL_ISA_AVX2)
        return &oriel_passes_avx2;
#else
    (void)isa;
#endif
    return &oriel_passes_plain;
}
