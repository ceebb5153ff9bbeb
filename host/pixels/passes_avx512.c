/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passes_avx512.c - the pass down with byte dot products, and the variant
 *
 * Four rows are woven together, so that a column's four taps are one dword.
 */
#include "pixels/passes.h"

#if defined(__x86_64__)
#include "base/checked.h"
#include "pixels/avx512.h"

#include <string.h>

/* ---- Down: [output][four taps][digits][4] int8 -------------------------- */

static size_t
down_quads(const oriel_axis *axis)
{
    return ((size_t)axis->max_taps + 3) / 4;
}

static bool
down_bytes(int32_t source, int32_t size, size_t *bytes)
{
    size_t quads = ((size_t)oriel_axis_max_taps(source, size) + 3) / 4;

    return oriel_mul_size(bytes, (size_t)size, quads * MAX_DIGITS * 4) &&
           oriel_add_size(bytes, *bytes, HEAD_BYTES);
}

static void
pack_down(const oriel_axis *axis, void *packed)
{
    int32_t digits = count_digits(axis);
    int8_t *to = (int8_t *)packed + HEAD_BYTES;
    int32_t taps = 4 * (int32_t)down_quads(axis);

    memcpy(packed, &digits, sizeof(digits));
    for (int32_t i = 0; i < axis->size; i++)
        for (int32_t k = 0; k < taps; k += 4)
            for (int32_t d = 0; d < digits; d++)
                for (int32_t j = k; j < k + 4; j++)
                    *to++ = digit(weight_at(axis, i, j), d);
}

/* 64 columns of four rows, to a dword a column: dwords 0-3, 4-7, 8-11, 12-15
   of each lane in taps 0 to 3. */
AVX512 INLINE void
join_rows(__m512i taps[4], const uint8_t *const *rows, size_t x,
          __mmask64 columns)
{
    __m512i a = _mm512_maskz_loadu_epi8(columns, rows[0] + x);
    __m512i b = _mm512_maskz_loadu_epi8(columns, rows[1] + x);
    __m512i c = _mm512_maskz_loadu_epi8(columns, rows[2] + x);
    __m512i d = _mm512_maskz_loadu_epi8(columns, rows[3] + x);
    __m512i ab = _mm512_unpacklo_epi8(a, b), cd = _mm512_unpacklo_epi8(c, d);

    taps[0] = _mm512_unpacklo_epi16(ab, cd);
    taps[1] = _mm512_unpackhi_epi16(ab, cd);
    ab = _mm512_unpackhi_epi8(a, b);
    cd = _mm512_unpackhi_epi8(c, d);
    taps[2] = _mm512_unpacklo_epi16(ab, cd);
    taps[3] = _mm512_unpackhi_epi16(ab, cd);
}

AVX512 INLINE __m512i
down_columns(const oriel_axis *axis, int32_t y, const int32_t *weights,
             const uint8_t *const *rows, size_t x, __mmask64 columns,
             int32_t digits)
{
    const __m128i shift = _mm_cvtsi32_si128(axis->shift);
    __m512i sums[4][MAX_DIGITS], taps[4];

    for (int32_t k = 0; k < 4; k++) {
        sums[k][0] = _mm512_set1_epi32(1 << (axis->shift - 1));
        sums[k][1] = sums[k][2] = _mm512_setzero_si512();
    }
    for (int32_t j = 0; j < axis->count[y]; j += 4, weights += digits) {
        join_rows(taps, rows + j, x, columns);
        for (int32_t k = 0; k < 4; k++)
            for (int32_t d = 0; d < digits; d++)
                sums[k][d] = _mm512_dpbusd_epi32(sums[k][d], taps[k],
                                                 _mm512_set1_epi32(weights[d]));
    }
    return _mm512_packus_epi16(
        _mm512_packs_epi32(join_digits(sums[0], digits, shift),
                           join_digits(sums[1], digits, shift)),
        _mm512_packs_epi32(join_digits(sums[2], digits, shift),
                           join_digits(sums[3], digits, shift)));
}

AVX512 INLINE void
down_row(const oriel_axis *axis, int32_t y, const int32_t *weights,
         const uint8_t *const *rows, size_t n, uint8_t *out, int32_t digits)
{
    size_t x = 0;

    for (; x + 64 <= n; x += 64)
        _mm512_storeu_si512(out + x, down_columns(axis, y, weights, rows, x,
                                                  ~(__mmask64)0, digits));
    if (x < n) {
        __mmask64 columns = inside((int64_t)(n - x));

        _mm512_mask_storeu_epi8(
            out + x, columns,
            down_columns(axis, y, weights, rows, x, columns, digits));
    }
}

AVX512 static void
down(const oriel_axis *axis, const void *packed, int32_t y,
     const uint8_t *const *rows, size_t n, uint8_t *out)
{
    const int32_t *weights =
        (const int32_t *)(const void *)((const char *)packed + HEAD_BYTES);
    int32_t digits;

    memcpy(&digits, packed, sizeof(digits));
    weights += (size_t)y * down_quads(axis) * (size_t)digits;
    if (digits == 2)
        down_row(axis, y, weights, rows, n, out, 2);
    else
        down_row(axis, y, weights, rows, n, out, 3);
}

const oriel_passes oriel_passes_avx512 = {
    oriel_across_bytes_avx512, down_bytes,
    oriel_pack_across_avx512,  pack_down,
    oriel_across_avx512,       down,
    oriel_across_float_avx2,   oriel_down_float_avx2,
    oriel_round_avx2};
#endif
