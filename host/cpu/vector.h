/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vector.h - as many floats as the instruction set holds in a register
 *
 * Written in the compilers' vector extension, so one source serves every
 * instruction set; only what the extension lacks is spelled in intrinsics.
 * Kernel files are compiled with contraction on: a * b + c is one rounding
 * wherever the processor has it.
 */
#ifndef ORIEL_CPU_VECTOR_H
#define ORIEL_CPU_VECTOR_H

#include "cpu/kernels.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define LANES ((int64_t)16)
#elif defined(__AVX2__)
#define LANES ((int64_t)8)
#else
#define LANES ((int64_t)4)
#endif

typedef float vf __attribute__((vector_size(4 * LANES)));
typedef int32_t vi __attribute__((vector_size(4 * LANES)));
typedef uint32_t vu __attribute__((vector_size(4 * LANES)));
typedef uint16_t vh __attribute__((vector_size(2 * LANES)));

static inline vf
load(const float *p)
{
    vf v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static inline void
save(float *p, vf v)
{
    memcpy(p, &v, sizeof(v));
}

static inline vf
splat(float x)
{
    return x - (vf){0};
}

/* The first n lanes, 0 <= n <= LANES; the others are zero. */
static inline vf
load_part(const float *p, int64_t n)
{
    vf v = {0};

    memcpy(&v, p, (size_t)n * sizeof(*p));
    return v;
}

static inline void
save_part(float *p, vf v, int64_t n)
{
    memcpy(p, &v, (size_t)n * sizeof(*p));
}

static inline vf
select_f(vi mask, vf yes, vf no)
{
    return (vf)((mask & (vi)yes) | (~mask & (vi)no));
}

/* A NaN in x stays. */
static inline vf
at_least(vf x, float least)
{
#if defined(__AVX512F__)
    return (vf)_mm512_max_ps(_mm512_set1_ps(least), (__m512)x);
#elif defined(__AVX2__)
    return (vf)_mm256_max_ps(_mm256_set1_ps(least), (__m256)x);
#else
    return select_f(x < least, splat(least), x);
#endif
}

static inline vf
at_most(vf x, float most)
{
#if defined(__AVX512F__)
    return (vf)_mm512_min_ps(_mm512_set1_ps(most), (__m512)x);
#elif defined(__AVX2__)
    return (vf)_mm256_min_ps(_mm256_set1_ps(most), (__m256)x);
#else
    return select_f(x > most, splat(most), x);
#endif
}

/* The larger of each pair; one of them when either is NaN. */
static inline vf
larger_of(vf a, vf b)
{
#if defined(__AVX512F__)
    return (vf)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
    return (vf)_mm256_max_ps((__m256)a, (__m256)b);
#else
    return select_f(a > b, a, b);
#endif
}

/* One fixed order for every width. */
static inline float
sum_lanes(vf v)
{
#if defined(__AVX512F__)
    return _mm512_reduce_add_ps((__m512)v);
#else
    float x[LANES];

    memcpy(x, &v, sizeof(x));
    for (int64_t n = LANES / 2; n > 0; n /= 2)
        for (int64_t i = 0; i < n; i++)
            x[i] += x[i + n];
    return x[0];
#endif
}

static inline float
largest_lane(vf v)
{
#if defined(__AVX512F__)
    return _mm512_reduce_max_ps((__m512)v);
#else
    float x[LANES];

    memcpy(x, &v, sizeof(x));
    for (int64_t n = LANES / 2; n > 0; n /= 2)
        for (int64_t i = 0; i < n; i++)
            x[i] = x[i] > x[i + n] ? x[i] : x[i + n];
    return x[0];
#endif
}

/* 2^f, minimax for |f| <= 0.5 with the constant held at 1: 1.9e-9. */
static inline vf
exp2_fraction(vf f)
{
    vf p = f * 0.00015345813881140202f + 0.001339993323199451f;

    p = p * f + 0.009618489071726799f;
    p = p * f + 0.05550328642129898f;
    p = p * f + 0.24022646248340607f;
    p = p * f + 0.6931471824645996f;
    return p * f + 1.0f;
}

/*
 * 2^t for finite t.  Relative error below 2e-7 where the result is a normal
 * number; beyond, something between zero and 2^-126, or 2^127 and infinity.
 * NaN stays NaN.
 */
static inline vf
exp2_of(vf t)
{
#if defined(__AVX512F__)
    __m512 whole = _mm512_roundscale_ps((__m512)t, _MM_FROUND_TO_NEAREST_INT |
                                                       _MM_FROUND_NO_EXC);

    return (vf)_mm512_scalef_ps((__m512)exp2_fraction(t - (vf)whole), whole);
#else
    const float magic = 12582912.0f; /* 1.5 x 2^23: adding it rounds to int */
    vf shifted;

    t = at_most(at_least(t, -126.0f), 127.0f);
    shifted = t + magic;
    /* The integer sits in the low bits of 'shifted': add it to the exponent. */
    return (vf)((vi)exp2_fraction(t - (shifted - magic)) +
                (vi)((vu)shifted << 23));
#endif
}

/* Rounded to bf16, nearest even; a NaN stays one, quiet. */
static inline vu
bf16_bits(vf x)
{
    vu bits = (vu)x;
    vu even = bits + 0x7fffu + ((bits >> 16) & 1u);
    vu nan = (vu)((vi)(bits & 0x7fffffffu) > 0x7f800000);

    return ((even & ~nan) | ((bits | 0x400000u) & nan)) & 0xffff0000u;
}

static inline vf
round_to_bf16(vf x)
{
    return (vf)bf16_bits(x);
}

static inline void
save_bf16(uint16_t *p, vf x)
{
    vh h = __builtin_convertvector(bf16_bits(x) >> 16, vh);

    memcpy(p, &h, sizeof(h));
}

/* Lanes 0 .. n - 1 of x to element i of y. */
static inline void
store_lanes(void *y, int64_t i, vf x, int64_t n, oriel_cpu_storage storage)
{
    if (storage == ORIEL_STORAGE_BF16) {
        uint16_t h[LANES];

        save_bf16(h, x);
        if (n == LANES)
            memcpy((uint16_t *)y + i, h, sizeof(h));
        else
            memcpy((uint16_t *)y + i, h, (size_t)n * sizeof(h[0]));
        return;
    }
    if (storage == ORIEL_STORAGE_ROUNDED)
        x = round_to_bf16(x);
    if (n == LANES)
        save((float *)y + i, x);
    else
        save_part((float *)y + i, x, n);
}

#endif /* ORIEL_CPU_VECTOR_H */
