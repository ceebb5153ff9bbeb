/* SPDX-License-Identifier: Apache-2.0 */
/*
 * avx512.h - what the two passes with byte dot products share
 *
 * For AVX-512 with VBMI and VNNI.  A weight is kept as two or three int8
 * "digits", q = d0 + d1 2^8 + d2 2^16, and vpdpbusd adds four taps of a colour
 * into an int32, levels as they are: nothing is widened.  Sums of higher digits
 * are shifted up at the end.  All of it is exact modulo 2^32, which is all that
 * the definition asks for.
 */
#ifndef ORIEL_PIXELS_AVX512_H
#define ORIEL_PIXELS_AVX512_H

#include "pixels/passes.h"

#include <immintrin.h>

#define AVX512 \
    __attribute__((target( \
        "avx2,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")))
#define INLINE static inline __attribute__((always_inline))

enum {
    HEAD_BYTES = 64, /* before the digits of either pass */
    MAX_DIGITS = 3
};

static inline int32_t
count_digits(const oriel_axis *axis)
{
    size_t n = (size_t)axis->size * (size_t)axis->max_taps;

    for (size_t i = 0; i < n; i++) {
        int32_t w = axis->weights.fixed[i];

        if (w < -128 * 257 || w > 127 * 257)
            return 3;
    }
    return 2;
}

static inline int8_t
digit(int32_t weight, int32_t which)
{
    for (int32_t d = 0; d < which; d++)
        weight = (weight - (int8_t)weight) / 256;
    return (int8_t)weight;
}

/* Weight of tap j of output i, 0 where there is none. */
static inline int32_t
weight_at(const oriel_axis *axis, int32_t i, int32_t j)
{
    return i < axis->size && j < axis->count[i] ? oriel_axis_fixed(axis, i)[j]
                                                : 0;
}

/* A mask of the bytes that are left, 64 at most. */
INLINE __mmask64
inside(int64_t left)
{
    return left >= 64 ? ~(__mmask64)0
           : left > 0 ? ((__mmask64)1 << left) - 1
                      : 0;
}

AVX512 INLINE __m512i
join_digits(const __m512i *sums, int32_t digits, __m128i shift)
{
    __m512i sum = _mm512_add_epi32(sums[0], _mm512_slli_epi32(sums[1], 8));

    if (digits == 3)
        sum = _mm512_add_epi32(sum, _mm512_slli_epi32(sums[2], 16));
    return _mm512_sra_epi32(sum, shift);
}

bool oriel_across_bytes_avx512(int32_t source, int32_t size, size_t *bytes);
void oriel_pack_across_avx512(const oriel_axis *axis, void *packed);
void oriel_across_avx512(const oriel_axis *axis, const void *packed,
                         const uint8_t *source, uint8_t *out);

#endif /* ORIEL_PIXELS_AVX512_H */
