/* SPDX-License-Identifier: Apache-2.0 */
/*
 * convert.c - F32, BF16 and F16 to F32 and BF16, many at a time
 *
 * Each loop is free of branches and of floating-point state (a caller that
 * flushes denormals must not change weights), so that compilers vectorise it.
 */
#include "model/convert.h"

#include "base/half.h"
#include "oriel.h"

#include <string.h>

static inline uint16_t
load_u16(const uint8_t *p)
{
    uint16_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static inline float
load_f32(const uint8_t *p)
{
    float v;

    memcpy(&v, p, sizeof(v));
    return v;
}

/* As oriel_f16_to_f32, by selection instead of branches. */
static inline float
widen_f16(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    const uint32_t magnitude = h & 0x7fffu;
    const uint32_t normal = (magnitude << 13) + (112u << 23);
    /* Infinities and NaNs have all of F32's exponent. */
    const uint32_t special = (magnitude << 13) | 0x7f800000u;
    /* A subnormal is its fraction in units of 2^-24: normal in F32. */
    const float small = (float)(int32_t)magnitude * 0x1p-24f;
    uint32_t bits;
    float f;

    memcpy(&bits, &small, sizeof(bits));
    bits = magnitude >= 0x400u ? normal : bits;
    bits = magnitude >= 0x7c00u ? special : bits;
    bits |= sign;
    memcpy(&f, &bits, sizeof(f));
    return f;
}

static void
f32_from_bf16(float *restrict out, const uint8_t *restrict in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = oriel_bf16_to_f32(load_u16(in + 2 * i));
}

static void
f32_from_f16(float *restrict out, const uint8_t *restrict in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = widen_f16(load_u16(in + 2 * i));
}

static void
bf16_from_f32(uint16_t *restrict out, const uint8_t *restrict in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = oriel_f32_to_bf16(load_f32(in + 4 * i));
}

static void
bf16_from_f16(uint16_t *restrict out, const uint8_t *restrict in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = oriel_f32_to_bf16(widen_f16(load_u16(in + 2 * i)));
}

void
oriel_convert(void *out, int32_t to, const void *in, int32_t from, size_t n)
{
    if (to == ORIEL_DTYPE_F32 && from == ORIEL_DTYPE_BF16)
        f32_from_bf16(out, in, n);
    else if (to == ORIEL_DTYPE_F32)
        f32_from_f16(out, in, n);
    else if (from == ORIEL_DTYPE_F32)
        bf16_from_f32(out, in, n);
    else
        bf16_from_f16(out, in, n);
}
