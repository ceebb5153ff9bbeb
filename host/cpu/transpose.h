/* SPDX-License-Identifier: Apache-2.0 */
/* transpose.h - 16 x 16 words of 32 bits, rows to columns, in registers */
#ifndef ORIEL_CPU_TRANSPOSE_H
#define ORIEL_CPU_TRANSPOSE_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

static inline __m512i
join(__m512i a, __m512i b, int upper)
{
    return upper ? _mm512_unpackhi_epi64(a, b) : _mm512_unpacklo_epi64(a, b);
}

/* 16 x 16 words, rows to columns. */
static inline void
transpose(__m512i x[16])
{
    __m512i t[16];

    for (int i = 0; i < 8; i++) {
        t[2 * i] = _mm512_unpacklo_epi32(x[2 * i], x[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi32(x[2 * i], x[2 * i + 1]);
    }
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            x[4 * i + j] = join(t[4 * i + j / 2], t[4 * i + 2 + j / 2], j & 1);
    /* x[4i + j]: column 4b + j of rows 4i .. 4i + 3 in 128-bit block b. */
    for (int j = 0; j < 4; j++) {
        __m512i a = _mm512_shuffle_i32x4(x[j], x[4 + j], 0x88);
        __m512i b = _mm512_shuffle_i32x4(x[j], x[4 + j], 0xdd);
        __m512i c = _mm512_shuffle_i32x4(x[8 + j], x[12 + j], 0x88);
        __m512i d = _mm512_shuffle_i32x4(x[8 + j], x[12 + j], 0xdd);

        t[j] = _mm512_shuffle_i32x4(a, c, 0x88);
        t[4 + j] = _mm512_shuffle_i32x4(b, d, 0x88);
        t[8 + j] = _mm512_shuffle_i32x4(a, c, 0xdd);
        t[12 + j] = _mm512_shuffle_i32x4(b, d, 0xdd);
    }
    memcpy(x, t, sizeof(t));
}

/*
 * Up to 16 columns of up to 16 rows, the rows 'row_bytes' apart, to rows of 16
 * words that lie 'pitch' words apart.  Missing rows are zero.
 */
static inline void
pack_square(uint32_t *to, size_t pitch, const void *from, size_t row_bytes,
            int32_t columns, int32_t rows)
{
    __mmask16 wanted = (__mmask16)((1u << (columns < 16 ? columns : 16)) - 1u);
    __m512i x[16];

    for (int32_t j = 0; j < 16; j++)
        x[j] = j < rows
                   ? _mm512_maskz_loadu_epi32(wanted, (const char *)from +
                                                          (size_t)j * row_bytes)
                   : _mm512_setzero_si512();
    transpose(x);
    for (int32_t d = 0; d < columns && d < 16; d++)
        _mm512_storeu_si512(to + (size_t)d * pitch, x[d]);
}

#endif /* ORIEL_CPU_TRANSPOSE_H */
