/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cut_avx512.c - patches to rows by byte permutes, for AVX-512 with VBMI
 *
 * A line of a patch is parted into its three colours by one permute.  A table
 * of 256 values is looked up as four (fp32) or two (bf16) tables of bytes, 64
 * levels at a time: a table of 256 bytes is four registers, two permutes and a
 * choice by the level's highest bit.  Unpacking puts the bytes together again.
 */
#include "pixels/cut.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <stdbool.h>

#define AVX512 \
    __attribute__(( \
        target("avx2,bmi2,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")))
#define INLINE static inline __attribute__((always_inline))

enum {
    LONGEST = 16, /* side of a patch: one colour of a line is one register */
    PLANE = LONGEST * LONGEST + 64 /* room for whole registers */
};

AVX512 static void
prepare(oriel_levels *levels)
{
    int32_t n_bytes = levels->f32 ? 4 : 2;

    for (int32_t c = 0; c < 3; c++)
        for (int32_t i = 0; i < 256; i += 16) {
            __m512i value =
                levels->f32
                    ? _mm512_loadu_si512(&levels->f32[c][i])
                    : _mm512_cvtepu16_epi32(_mm256_loadu_si256(
                          (const __m256i *)(const void *)&levels->bf16[c][i]));

            for (int32_t k = 0; k < n_bytes; k++) {
                _mm_storeu_si128((__m128i *)(void *)&levels->bytes[c][k][i],
                                 _mm512_cvtepi32_epi8(value));
                value = _mm512_srli_epi32(value, 8);
            }
        }
}

/* The colours of a patch, each tight: sample y x side + x. */
AVX512 INLINE void
part_colours(const oriel_patch *p, const uint8_t *line, int32_t side,
             uint8_t planes[3][PLANE])
{
    const __m512i order = _mm512_set_epi8(
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 47, 44, 41, 38, 35, 32,
        29, 26, 23, 20, 17, 14, 11, 8, 5, 2, 46, 43, 40, 37, 34, 31, 28, 25, 22,
        19, 16, 13, 10, 7, 4, 1, 45, 42, 39, 36, 33, 30, 27, 24, 21, 18, 15, 12,
        9, 6, 3, 0);
    __mmask64 inside = ((__mmask64)1 << 3 * side) - 1;

    for (int32_t y = 0; y < side; y++, line += p->pitch) {
        __m512i rgb = _mm512_permutexvar_epi8(
            order, _mm512_maskz_loadu_epi8(inside, line));
        int32_t at = y * side;

        _mm_storeu_si128((__m128i *)(void *)&planes[0][at],
                         _mm512_castsi512_si128(rgb));
        _mm_storeu_si128((__m128i *)(void *)&planes[1][at],
                         _mm512_extracti32x4_epi32(rgb, 1));
        _mm_storeu_si128((__m128i *)(void *)&planes[2][at],
                         _mm512_extracti32x4_epi32(rgb, 2));
    }
}

/* One byte of the values of 64 levels. */
AVX512 INLINE __m512i
look_up(const uint8_t bytes[256], __m512i levels, __mmask64 upper)
{
    __m512i low = _mm512_permutex2var_epi8(_mm512_loadu_si512(bytes), levels,
                                           _mm512_loadu_si512(bytes + 64));
    __m512i high =
        _mm512_permutex2var_epi8(_mm512_loadu_si512(bytes + 128), levels,
                                 _mm512_loadu_si512(bytes + 192));

    return _mm512_mask_blend_epi8(upper, low, high);
}

/* 64 levels in the order in which unpacking ends up right: lane l holds those
   of lane l of each of four registers to come. */
AVX512 INLINE __m512i
load_for_f32(const uint8_t *levels)
{
    const __m512i order = _mm512_set_epi8(
        63, 62, 61, 60, 47, 46, 45, 44, 31, 30, 29, 28, 15, 14, 13, 12, 59, 58,
        57, 56, 43, 42, 41, 40, 27, 26, 25, 24, 11, 10, 9, 8, 55, 54, 53, 52,
        39, 38, 37, 36, 23, 22, 21, 20, 7, 6, 5, 4, 51, 50, 49, 48, 35, 34, 33,
        32, 19, 18, 17, 16, 3, 2, 1, 0);

    return _mm512_permutexvar_epi8(order, _mm512_loadu_si512(levels));
}

AVX512 INLINE void
values_f32(const uint8_t bytes[4][256], const uint8_t *levels, __m512i out[4])
{
    __m512i level = load_for_f32(levels);
    __mmask64 upper = _mm512_movepi8_mask(level);
    __m512i b0 = look_up(bytes[0], level, upper);
    __m512i b1 = look_up(bytes[1], level, upper);
    __m512i b2 = look_up(bytes[2], level, upper);
    __m512i b3 = look_up(bytes[3], level, upper);
    __m512i low = _mm512_unpacklo_epi8(b0, b1);
    __m512i high = _mm512_unpacklo_epi8(b2, b3);

    out[0] = _mm512_unpacklo_epi16(low, high);
    out[1] = _mm512_unpackhi_epi16(low, high);
    low = _mm512_unpackhi_epi8(b0, b1);
    high = _mm512_unpackhi_epi8(b2, b3);
    out[2] = _mm512_unpacklo_epi16(low, high);
    out[3] = _mm512_unpackhi_epi16(low, high);
}

/* One colour of one frame, and once more 'again' columns on unless that is 0. */
AVX512 INLINE void
write_f32(const uint8_t bytes[4][256], const uint8_t *plane, size_t n,
          size_t again, float *out)
{
    for (size_t i = 0; i < n; i += 64) {
        __m512i values[4];

        values_f32(bytes, plane + i, values);
        for (size_t k = 0; k < 4 && i + 16 * k < n; k++) {
            size_t left = n - i - 16 * k;
            __mmask16 inside =
                (__mmask16)(left >= 16 ? 0xFFFFu : (1u << left) - 1u);
            float *to = out + i + 16 * k;

            _mm512_mask_storeu_epi32(to, inside, values[k]);
            if (again)
                _mm512_mask_storeu_epi32(to + again, inside, values[k]);
        }
    }
}

/* Lane l holds the levels of lane l of each of two registers to come. */
AVX512 INLINE __m512i
load_for_bf16(const uint8_t *levels)
{
    const __m512i order = _mm512_set_epi8(
        63, 62, 61, 60, 59, 58, 57, 56, 31, 30, 29, 28, 27, 26, 25, 24, 55, 54,
        53, 52, 51, 50, 49, 48, 23, 22, 21, 20, 19, 18, 17, 16, 47, 46, 45, 44,
        43, 42, 41, 40, 15, 14, 13, 12, 11, 10, 9, 8, 39, 38, 37, 36, 35, 34,
        33, 32, 7, 6, 5, 4, 3, 2, 1, 0);

    return _mm512_permutexvar_epi8(order, _mm512_loadu_si512(levels));
}

AVX512 INLINE void
write_bf16(const uint8_t bytes[4][256], const uint8_t *plane, size_t n,
           size_t again, uint16_t *out)
{
    for (size_t i = 0; i < n; i += 64) {
        __m512i level = load_for_bf16(plane + i), values[2];
        __mmask64 upper = _mm512_movepi8_mask(level);
        __m512i low = look_up(bytes[0], level, upper);
        __m512i high = look_up(bytes[1], level, upper);

        values[0] = _mm512_unpacklo_epi8(low, high);
        values[1] = _mm512_unpackhi_epi8(low, high);
        for (size_t k = 0; k < 2 && i + 32 * k < n; k++) {
            size_t left = n - i - 32 * k;
            __mmask32 inside = left >= 32 ? ~0u : (1u << left) - 1;
            uint16_t *to = out + i + 32 * k;

            _mm512_mask_storeu_epi16(to, inside, values[k]);
            if (again)
                _mm512_mask_storeu_epi16(to + again, inside, values[k]);
        }
    }
}

/* Frames that show the same pixels as the one before need no second look; a
   still's pair is written in one go. */
AVX512 INLINE void
cut(const oriel_patch *p, int32_t side, const oriel_levels *levels, float *f32,
    uint16_t *bf16)
{
    size_t n = (size_t)side * (size_t)side, frames = (size_t)p->n_frames;
    uint8_t planes[3][PLANE];

    for (size_t f = 0; f < frames; f++) {
        bool pair = f + 1 < frames && p->frames[f + 1] == p->frames[f];

        part_colours(p, p->frames[f] + p->offset, side, planes);
        for (size_t c = 0; c < 3; c++) {
            size_t at = (c * frames + f) * n;

            if (f32)
                write_f32(levels->bytes[c], planes[c], n, pair ? n : 0,
                          f32 + at);
            else
                write_bf16(levels->bytes[c], planes[c], n, pair ? n : 0,
                           bf16 + at);
        }
        f += pair;
    }
}

AVX512 static void
cut_f32(const oriel_patch *patch, const oriel_levels *levels, float *row)
{
    if (patch->side == 14)
        cut(patch, 14, levels, row, NULL);
    else
        cut(patch, patch->side, levels, row, NULL);
}

AVX512 static void
cut_bf16(const oriel_patch *patch, const oriel_levels *levels, uint16_t *row)
{
    if (patch->side == 14)
        cut(patch, 14, levels, NULL, row);
    else
        cut(patch, patch->side, levels, NULL, row);
}

const oriel_cutter oriel_cutter_avx512 = {prepare, cut_f32, cut_bf16, LONGEST};
#endif
