/* SPDX-License-Identifier: Apache-2.0 */
/*
 * across_avx512.c - the pass across with byte dot products
 *
 * Outputs are formed 16 together: a byte permute brings the four taps of each
 * from a window of source bytes to its dword.  How far apart the outputs look
 * decides how:
 *
 *   NEAR    16 outputs in a window of 64 bytes     up to 1.1 times smaller
 *   FAR     16 outputs in a window of 128          up to 2.5 times
 *   HALVES  8 and 8, each in a window of 128       up to 5.4 times
 *   DEEP    each output alone, 16 taps a step      beyond
 */
#include "pixels/passes.h"

#if defined(__x86_64__)
#include "base/checked.h"
#include "pixels/avx512.h"

#include <string.h>

enum { NEAR, FAR, HALVES, DEEP };

enum {
    GROUP = 16, /* outputs formed together */
    HALF = GROUP / 2,
    RGB_BYTES = 3 * GROUP,
    ORDER_AT = 64,   /* after a group's head: its permutation */
    WEIGHTS_AT = 128 /* after that */
};

typedef struct packed_head {
    int32_t digits, layout;
} packed_head;

typedef struct group_head {
    int32_t first[2]; /* pixel where the window begins; HALVES: of each */
    int32_t chunks;   /* of four taps */
} group_head;

/* ---- Packing ------------------------------------------------------------ */

/* DEEP: [output][steps of 16 taps][digits][16] int8; the others: [group] head,
   permutation, [chunks][digits][GROUP][4] int8. */
bool
oriel_across_bytes_avx512(int32_t source, int32_t size, size_t *bytes)
{
    size_t groups = ((size_t)size + GROUP - 1) / GROUP;
    size_t taps = (size_t)oriel_axis_max_taps(source, size) + 16;
    size_t group_bytes = WEIGHTS_AT + taps * MAX_DIGITS * GROUP;

    return oriel_mul_size(bytes, groups, group_bytes) &&
           oriel_add_size(bytes, *bytes, HEAD_BYTES);
}

/* Lowest pixel of outputs i to i + n - 1; *reach is raised to the distance of
   the highest from it. */
static int32_t
first_pixel(const oriel_axis *axis, int32_t i, int32_t n, int32_t *reach)
{
    int32_t lowest = axis->first[i], highest = axis->first[i];

    for (int32_t k = i; k < i + n && k < axis->size; k++) {
        int32_t first = axis->first[k];

        lowest = first < lowest ? first : lowest;
        highest = first > highest ? first : highest;
    }
    if (*reach < highest - lowest)
        *reach = highest - lowest;
    return lowest;
}

/* The last tap of a chunk is 3 pixels on, its blue 2 bytes further. */
static bool
fits(int32_t reach, int32_t window)
{
    return 3 * (reach + 3) + 2 < window;
}

static int32_t
choose_layout(const oriel_axis *axis)
{
    int32_t group = 0, half = 0;

    for (int32_t i = 0; i < axis->size; i += GROUP)
        first_pixel(axis, i, GROUP, &group);
    for (int32_t i = 0; i < axis->size; i += HALF)
        first_pixel(axis, i, HALF, &half);
    return fits(group, 64)    ? NEAR
           : fits(group, 128) ? FAR
           : fits(half, 128)  ? HALVES
                              : DEEP;
}

static group_head
make_head(const oriel_axis *axis, int32_t i, int32_t layout)
{
    int32_t reach = 0, most = 1;
    group_head head;

    for (int32_t k = i; k < i + GROUP && k < axis->size; k++)
        most = axis->count[k] > most ? axis->count[k] : most;
    head.chunks = (most + 3) / 4;
    head.first[0] =
        first_pixel(axis, i, layout == HALVES ? HALF : GROUP, &reach);
    head.first[1] = head.first[0];
    if (layout == HALVES && i + HALF < axis->size)
        head.first[1] = first_pixel(axis, i + HALF, HALF, &reach);
    return head;
}

static int8_t *
pack_group(const oriel_axis *axis, int32_t i, const packed_head *packed,
           int8_t *to)
{
    group_head head = make_head(axis, i, packed->layout);

    memset(to, 0, WEIGHTS_AT);
    memcpy(to, &head, sizeof(head));
    to += ORDER_AT;
    for (int32_t k = 0; k < GROUP && i + k < axis->size; k++)
        for (int32_t j = 0; j < 4; j++)
            to[4 * k + j] =
                (int8_t)(3 * (axis->first[i + k] - head.first[k / HALF] + j));
    to += WEIGHTS_AT - ORDER_AT;
    for (int32_t c = 0; c < head.chunks; c++)
        for (int32_t d = 0; d < packed->digits; d++)
            for (int32_t k = i; k < i + GROUP; k++)
                for (int32_t j = 4 * c; j < 4 * c + 4; j++)
                    *to++ = digit(weight_at(axis, k, j), d);
    return to;
}

void
oriel_pack_across_avx512(const oriel_axis *axis, void *packed)
{
    packed_head head = {count_digits(axis), choose_layout(axis)};
    int8_t *to = (int8_t *)packed + HEAD_BYTES;

    memcpy(packed, &head, sizeof(head));
    for (int32_t i = 0; head.layout != DEEP && i < axis->size; i += GROUP)
        to = pack_group(axis, i, &head, to);
    for (int32_t i = 0; head.layout == DEEP && i < axis->size; i++)
        for (int32_t s = 0; s < axis->count[i]; s += 16)
            for (int32_t d = 0; d < head.digits; d++)
                for (int32_t j = s; j < s + 16; j++)
                    *to++ = digit(weight_at(axis, i, j), d);
}

/* ---- Groups ------------------------------------------------------------- */

typedef struct row_pass {
    __m512i half;
    __m128i shift;
    const oriel_axis *axis;
    const uint8_t *source;
    int64_t bytes; /* of the source row */
} row_pass;

/* 64 bytes, or the 'left' ones that belong to the row. */
AVX512 INLINE __m512i
load_inside(const uint8_t *from, int64_t left)
{
    return left >= 64 ? _mm512_loadu_si512(from)
                      : _mm512_maskz_loadu_epi8(inside(left), from);
}

/* 16 reds, greens and blues to 48 bytes of RGB, in the low bytes. */
AVX512 INLINE __m512i
interleave(__m512i r, __m512i g, __m512i b)
{
    /* After packing, lane l is R(4l..4l+3) G B B of that many. */
    const __m512i order = _mm512_set_epi8(
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 59, 55, 51, 58, 54, 50,
        57, 53, 49, 56, 52, 48, 43, 39, 35, 42, 38, 34, 41, 37, 33, 40, 36, 32,
        27, 23, 19, 26, 22, 18, 25, 21, 17, 24, 20, 16, 11, 7, 3, 10, 6, 2, 9,
        5, 1, 8, 4, 0);
    __m512i rg = _mm512_packs_epi32(r, g), bb = _mm512_packs_epi32(b, b);

    return _mm512_permutexvar_epi8(order, _mm512_packus_epi16(rg, bb));
}

typedef struct window {
    __m512i low, high;
} window;

AVX512 INLINE window
load_window(const row_pass *p, int64_t at, int32_t layout)
{
    window w;

    w.low = w.high = load_inside(p->source + at, p->bytes - at);
    if (layout != NEAR)
        w.high = load_inside(p->source + at + 64, p->bytes - at - 64);
    return w;
}

AVX512 INLINE __m512i
pick(const window *w, __m512i order, int32_t layout)
{
    return layout == NEAR ? _mm512_permutexvar_epi8(order, w->low)
                          : _mm512_permutex2var_epi8(w->low, order, w->high);
}

/* One group in one window; 'layout' and 'digits' are constants where this is
   inlined. */
AVX512 INLINE const int8_t *
across_group(const row_pass *p, const int8_t *from, int32_t layout,
             size_t digits, __m512i *rgb)
{
    const __m512i one = _mm512_set1_epi8(1);
    __m512i order[3], sums[3][MAX_DIGITS];
    group_head head;
    int64_t at;

    memcpy(&head, from, sizeof(head));
    order[0] = _mm512_loadu_si512(from + ORDER_AT);
    order[1] = _mm512_add_epi8(order[0], one);
    order[2] = _mm512_add_epi8(order[1], one);
    from += WEIGHTS_AT;
    for (int32_t c = 0; c < 3; c++) {
        sums[c][0] = p->half;
        sums[c][1] = sums[c][2] = _mm512_setzero_si512();
    }
    at = (int64_t)head.first[0] * 3;
    for (int32_t k = 0; k < head.chunks; k++, at += 12, from += 64 * digits) {
        window w = load_window(p, at, layout);

        for (int32_t c = 0; c < 3; c++) {
            __m512i taps = pick(&w, order[c], layout);

            for (size_t d = 0; d < digits; d++)
                sums[c][d] = _mm512_dpbusd_epi32(
                    sums[c][d], taps, _mm512_loadu_si512(from + 64 * d));
        }
    }
    *rgb = interleave(join_digits(sums[0], digits, p->shift),
                      join_digits(sums[1], digits, p->shift),
                      join_digits(sums[2], digits, p->shift));
    return from;
}

/* Sums of a group in halves: reds and greens of either half share a register,
   and so do the blues of both. */
typedef struct half_sums {
    __m512i first[MAX_DIGITS], second[MAX_DIGITS], blue[MAX_DIGITS];
} half_sums;

AVX512 INLINE void
add_halves(half_sums *sums, const __m512i picked[3], const int8_t *from,
           size_t digits)
{
    for (size_t d = 0; d < digits; d++) {
        __m512i w = _mm512_loadu_si512(from + 64 * d);

        sums->first[d] = _mm512_dpbusd_epi32(sums->first[d], picked[0],
                                             _mm512_shuffle_i64x2(w, w, 0x44));
        sums->second[d] = _mm512_dpbusd_epi32(sums->second[d], picked[1],
                                              _mm512_shuffle_i64x2(w, w, 0xEE));
        sums->blue[d] = _mm512_dpbusd_epi32(sums->blue[d], picked[2], w);
    }
}

AVX512 INLINE const int8_t *
across_halves(const row_pass *p, const int8_t *from, size_t digits,
              __m512i *rgb)
{
    const __m512i green =
        _mm512_inserti64x4(_mm512_setzero_si512(), _mm256_set1_epi8(1), 1);
    const __m512i zero = _mm512_setzero_si512();
    half_sums sums = {
        {p->half, zero, zero}, {p->half, zero, zero}, {p->half, zero, zero}};
    __m512i order = _mm512_loadu_si512(from + ORDER_AT);
    __m512i first =
        _mm512_add_epi8(_mm512_shuffle_i64x2(order, order, 0x44), green);
    __m512i second =
        _mm512_add_epi8(_mm512_shuffle_i64x2(order, order, 0xEE), green);
    __m512i blue = _mm512_add_epi8(order, _mm512_set1_epi8(2));
    group_head head;
    int64_t at[2];

    memcpy(&head, from, sizeof(head));
    from += WEIGHTS_AT;
    at[0] = (int64_t)head.first[0] * 3;
    at[1] = (int64_t)head.first[1] * 3;
    for (int32_t k = 0; k < head.chunks; k++, from += 64 * digits) {
        window a = load_window(p, at[0], HALVES);
        window b = load_window(p, at[1], HALVES);
        __m512i picked[3] = {pick(&a, first, HALVES), pick(&b, second, HALVES)};

        picked[2] = _mm512_mask_blend_epi64(0xF0, pick(&a, blue, HALVES),
                                            pick(&b, blue, HALVES));
        add_halves(&sums, picked, from, digits);
        at[0] += 12;
        at[1] += 12;
    }
    first = join_digits(sums.first, digits, p->shift);
    second = join_digits(sums.second, digits, p->shift);
    *rgb = interleave(_mm512_shuffle_i64x2(first, second, 0x44),
                      _mm512_shuffle_i64x2(first, second, 0xEE),
                      join_digits(sums.blue, digits, p->shift));
    return from;
}

AVX512 INLINE void
across_groups(const row_pass *p, const int8_t *from, int32_t layout,
              size_t digits, uint8_t *out)
{
    int32_t size = p->axis->size;

    for (int32_t i = 0; i < size; i += GROUP, out += RGB_BYTES) {
        __m512i rgb;

        from = layout == HALVES ? across_halves(p, from, digits, &rgb)
                                : across_group(p, from, layout, digits, &rgb);
        if (i + GROUP > size) {
            _mm512_mask_storeu_epi8(out, inside(3 * (int64_t)(size - i)), rgb);
            break;
        }
        _mm256_storeu_si256((__m256i *)(void *)out,
                            _mm512_castsi512_si256(rgb));
        _mm_storeu_si128((__m128i *)(void *)(out + 32),
                         _mm512_extracti32x4_epi32(rgb, 2));
    }
}

/* ---- One output at a time ------------------------------------------------ */

/* The sums of one output, in four lanes that are still to be added up.  Lane l
   of a step holds taps 4l to 4l + 3: four reds, greens, blues, nothing. */
AVX512 INLINE __m512i
deep_output(const row_pass *p, int32_t i, const int8_t **from, size_t digits)
{
    const __m512i order = _mm512_set_epi8(
        63, 63, 63, 63, 47, 44, 41, 38, 46, 43, 40, 37, 45, 42, 39, 36, 63, 63,
        63, 63, 35, 32, 29, 26, 34, 31, 28, 25, 33, 30, 27, 24, 63, 63, 63, 63,
        23, 20, 17, 14, 22, 19, 16, 13, 21, 18, 15, 12, 63, 63, 63, 63, 11, 8,
        5, 2, 10, 7, 4, 1, 9, 6, 3, 0);
    const __m512i spread = _mm512_set_epi8(
        15, 14, 13, 12, 15, 14, 13, 12, 15, 14, 13, 12, 15, 14, 13, 12, 11, 10,
        9, 8, 11, 10, 9, 8, 11, 10, 9, 8, 11, 10, 9, 8, 7, 6, 5, 4, 7, 6, 5, 4,
        7, 6, 5, 4, 7, 6, 5, 4, 3, 2, 1, 0, 3, 2, 1, 0, 3, 2, 1, 0, 3, 2, 1, 0);
    const uint8_t *pixel = p->source + (size_t)p->axis->first[i] * 3;
    int64_t left = p->bytes - (int64_t)p->axis->first[i] * 3;
    __m512i sums[MAX_DIGITS] = {0};

    for (int32_t s = 0; s < p->axis->count[i]; s += 16) {
        __m512i taps = _mm512_permutexvar_epi8(order, load_inside(pixel, left));

        for (size_t d = 0; d < digits; d++, *from += 16)
            sums[d] = _mm512_dpbusd_epi32(
                sums[d], taps,
                _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128(
                                        (const __m128i *)(const void *)*from)),
                                    spread));
        pixel += 48;
        left -= 48;
    }
    return join_digits(sums, digits, _mm_setzero_si128());
}

/* Lanes of a and b added up in pairs: a02 a13 b02 b13. */
AVX512 INLINE __m512i
add_lanes(__m512i a, __m512i b)
{
    return _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x44),
                            _mm512_shuffle_i32x4(a, b, 0xEE));
}

/* Four outputs, or the fewer that are left, a dword each. */
AVX512 INLINE __m128i
deep_four(const row_pass *p, int32_t i, const int8_t **from, size_t digits)
{
    __m512i sums[4] = {0}, ab, cd;

    for (int32_t k = 0; k < 4 && i + k < p->axis->size; k++)
        sums[k] = deep_output(p, i + k, from, digits);
    ab = add_lanes(sums[0], sums[1]);
    cd = add_lanes(sums[2], sums[3]);
    ab = _mm512_add_epi32(_mm512_shuffle_i32x4(ab, cd, 0x88),
                          _mm512_shuffle_i32x4(ab, cd, 0xDD));
    ab = _mm512_sra_epi32(_mm512_add_epi32(ab, p->half), p->shift);
    ab = _mm512_max_epi32(ab, _mm512_setzero_si512());
    return _mm512_cvtusepi32_epi8(ab);
}

AVX512 INLINE void
across_deep(const row_pass *p, const int8_t *from, size_t digits, uint8_t *out)
{
    const __m128i drop =
        _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);

    for (int32_t i = 0; i < p->axis->size; i += 4, out += 12) {
        __m128i rgb = _mm_shuffle_epi8(deep_four(p, i, &from, digits), drop);
        int32_t outputs = p->axis->size - i;

        _mm_mask_storeu_epi8(
            out, (__mmask16)(outputs >= 4 ? 0xFFF : (1 << 3 * outputs) - 1),
            rgb);
    }
}

/* ---- The pass ----------------------------------------------------------- */

AVX512 INLINE void
across(const row_pass *p, const int8_t *from, int32_t layout, size_t digits,
       uint8_t *out)
{
    if (layout == NEAR)
        across_groups(p, from, NEAR, digits, out);
    else if (layout == FAR)
        across_groups(p, from, FAR, digits, out);
    else if (layout == HALVES)
        across_groups(p, from, HALVES, digits, out);
    else
        across_deep(p, from, digits, out);
}

AVX512 void
oriel_across_avx512(const oriel_axis *axis, const void *packed,
                    const uint8_t *source, uint8_t *out)
{
    const int8_t *from = (const int8_t *)packed + HEAD_BYTES;
    row_pass p = {_mm512_set1_epi32(1 << (axis->shift - 1)),
                  _mm_cvtsi32_si128(axis->shift), axis, source,
                  (int64_t)axis->source * 3};
    packed_head head;

    memcpy(&head, packed, sizeof(head));
    if (head.digits == 2)
        across(&p, from, head.layout, 2, out);
    else
        across(&p, from, head.layout, 3, out);
}
#endif
