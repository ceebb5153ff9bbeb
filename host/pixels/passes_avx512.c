/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passes_avx512.c - the passes with byte dot products, for AVX-512 with VBMI
 * and VNNI
 *
 * A weight is kept as two or three int8 "digits", q = d0 + d1 2^8 + d2 2^16,
 * and vpdpbusd adds four taps of a colour into an int32, levels as they are:
 * nothing is widened.  Sums of higher digits are shifted up at the end.  All of
 * it is exact modulo 2^32, which is all that the definition asks for.
 *
 * Across, 16 outputs are formed together: one byte permute brings the four taps
 * of each from a window of 64 or 128 source bytes to its dword.  Where 16
 * outputs look further apart than a window, each is formed alone, 16 taps a
 * step ("deep").
 */
#include "pixels/passes.h"

#if defined(__x86_64__)
#include "base/checked.h"

#include <immintrin.h>
#include <string.h>

#define AVX512 \
    __attribute__((target( \
        "avx2,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")))
#define INLINE static inline __attribute__((always_inline))

enum {
    GROUP = 16,       /* outputs of a step across */
    NEAR = 17,        /* most pixels from the first output's window to the */
    FAR = 38,         /* last's: (FAR + 3) * 3 + 2 < 128 */
    HEAD_BYTES = 64,  /* before the digits of either pass */
    GROUP_BYTES = 64, /* of a group's head: its permutation is behind it */
    MAX_DIGITS = 3
};

typedef struct packed_head {
    int32_t digits;
    int32_t window; /* across: 64, 128; 0: deep */
} packed_head;

typedef struct group_head {
    int32_t first;  /* pixel where the first window begins */
    int32_t chunks; /* of four taps */
} group_head;

static int32_t
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

static int8_t
digit(int32_t weight, int32_t which)
{
    for (int32_t d = 0; d < which; d++)
        weight = (weight - (int8_t)weight) / 256;
    return (int8_t)weight;
}

/* Weight of tap j of output i, 0 where there is none. */
static int32_t
weight_at(const oriel_axis *axis, int32_t i, int32_t j)
{
    return i < axis->size && j < axis->count[i] ? oriel_axis_fixed(axis, i)[j]
                                                : 0;
}

/* ---- Across: packing ---------------------------------------------------- */

/* Wide: [group] head, permutation, [chunks][digits][GROUP][4] int8.
   Deep: [output][steps of 16 taps][digits][16] int8. */
static bool
across_bytes(int32_t source, int32_t size, size_t *bytes)
{
    size_t groups = ((size_t)size + GROUP - 1) / GROUP;
    size_t taps = (size_t)oriel_axis_max_taps(source, size) + 16;
    size_t group_bytes = 2 * GROUP_BYTES + taps * MAX_DIGITS * GROUP;

    return oriel_mul_size(bytes, groups, group_bytes) &&
           oriel_add_size(bytes, *bytes, HEAD_BYTES);
}

static int32_t
group_end(const oriel_axis *axis, int32_t i)
{
    return axis->size - i < GROUP ? axis->size : i + GROUP;
}

/* Lowest pixel of a group, and how far the last window lies from it. */
static int32_t
group_first(const oriel_axis *axis, int32_t i, int32_t *reach)
{
    int32_t lowest = axis->first[i], highest = axis->first[i];

    for (int32_t k = i; k < group_end(axis, i); k++) {
        int32_t first = axis->first[k];

        lowest = first < lowest ? first : lowest;
        highest = first > highest ? first : highest;
    }
    *reach = highest - lowest;
    return lowest;
}

static int32_t
choose_window(const oriel_axis *axis)
{
    int32_t furthest = 0;

    for (int32_t i = 0; i < axis->size; i += GROUP) {
        int32_t reach;

        group_first(axis, i, &reach);
        furthest = reach > furthest ? reach : furthest;
    }
    return furthest <= NEAR ? 64 : furthest <= FAR ? 128 : 0;
}

static int8_t *
pack_group(const oriel_axis *axis, int32_t i, int32_t digits, int8_t *to)
{
    int32_t reach, most = 1;
    group_head head = {group_first(axis, i, &reach), 0};

    memset(to, 0, 2 * GROUP_BYTES);
    for (int32_t k = i; k < group_end(axis, i); k++) {
        most = axis->count[k] > most ? axis->count[k] : most;
        for (int32_t j = 0; j < 4; j++)
            to[GROUP_BYTES + 4 * (k - i) + j] =
                (int8_t)(3 * (axis->first[k] - head.first + j));
    }
    head.chunks = (most + 3) / 4;
    memcpy(to, &head, sizeof(head));
    to += 2 * GROUP_BYTES;
    for (int32_t c = 0; c < head.chunks; c++)
        for (int32_t d = 0; d < digits; d++)
            for (int32_t k = i; k < i + GROUP; k++)
                for (int32_t j = 4 * c; j < 4 * c + 4; j++)
                    *to++ = digit(weight_at(axis, k, j), d);
    return to;
}

static void
pack_across(const oriel_axis *axis, void *packed)
{
    packed_head head = {count_digits(axis), choose_window(axis)};
    int8_t *to = (int8_t *)packed + HEAD_BYTES;

    memcpy(packed, &head, sizeof(head));
    for (int32_t i = 0; head.window && i < axis->size; i += GROUP)
        to = pack_group(axis, i, head.digits, to);
    for (int32_t i = 0; !head.window && i < axis->size; i++)
        for (int32_t s = 0; s < axis->count[i]; s += 16)
            for (int32_t d = 0; d < head.digits; d++)
                for (int32_t j = s; j < s + 16; j++)
                    *to++ = digit(weight_at(axis, i, j), d);
}

/* ---- Across: wide ------------------------------------------------------- */

/* Bytes at and after 'at' that belong to the row, as a mask; 64 at most. */
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

typedef struct wide_pass {
    const oriel_axis *axis;
    const uint8_t *source;
    int64_t bytes; /* of the source row */
    __m512i half;
    __m128i shift;
} wide_pass;

/* One group; 'window' and 'digits' are constants where this is inlined. */
AVX512 INLINE const int8_t *
across_group(const wide_pass *p, const int8_t *from, int32_t window,
             int32_t digits, __m512i *rgb)
{
    const __m512i one = _mm512_set1_epi8(1);
    __m512i order[3], sums[3][MAX_DIGITS];
    const uint8_t *pixel;
    group_head head;
    int64_t left;

    memcpy(&head, from, sizeof(head));
    order[0] = _mm512_loadu_si512(from + GROUP_BYTES);
    order[1] = _mm512_add_epi8(order[0], one);
    order[2] = _mm512_add_epi8(order[1], one);
    from += 2 * GROUP_BYTES;
    for (int32_t c = 0; c < 3; c++) {
        sums[c][0] = p->half;
        sums[c][1] = sums[c][2] = _mm512_setzero_si512();
    }
    pixel = p->source + (size_t)head.first * 3;
    left = p->bytes - (int64_t)head.first * 3;
    for (int32_t k = 0; k < head.chunks; k++, pixel += 12, left -= 12) {
        __m512i low = left >= 64 ? _mm512_loadu_si512(pixel)
                                 : _mm512_maskz_loadu_epi8(inside(left), pixel);
        __m512i high = low;

        if (window == 128 && left > 64)
            high = left >= 128
                       ? _mm512_loadu_si512(pixel + 64)
                       : _mm512_maskz_loadu_epi8(inside(left - 64), pixel + 64);
        for (int32_t c = 0; c < 3; c++) {
            __m512i taps = window == 128
                               ? _mm512_permutex2var_epi8(low, order[c], high)
                               : _mm512_permutexvar_epi8(order[c], low);

            for (int32_t d = 0; d < digits; d++)
                sums[c][d] = _mm512_dpbusd_epi32(
                    sums[c][d], taps, _mm512_loadu_si512(from + 64 * d));
        }
        from += 64 * digits;
    }
    *rgb = interleave(join_digits(sums[0], digits, p->shift),
                      join_digits(sums[1], digits, p->shift),
                      join_digits(sums[2], digits, p->shift));
    return from;
}

AVX512 INLINE void
across_wide(const wide_pass *p, const int8_t *from, int32_t window,
            int32_t digits, uint8_t *out)
{
    int32_t size = p->axis->size, i = 0;
    __m512i rgb;

    for (; i + GROUP <= size; i += GROUP, out += 3 * GROUP) {
        from = across_group(p, from, window, digits, &rgb);
        _mm256_storeu_si256((__m256i *)(void *)out,
                            _mm512_castsi512_si256(rgb));
        _mm_storeu_si128((__m128i *)(void *)(out + 32),
                         _mm512_extracti32x4_epi32(rgb, 2));
    }
    if (i < size) {
        across_group(p, from, window, digits, &rgb);
        _mm512_mask_storeu_epi8(out, inside(3 * (size - i)), rgb);
    }
}

/* ---- Across: deep ------------------------------------------------------- */

/* The sums of one output, in four lanes that are still to be added up.  Lane l
   of a step holds taps 4l to 4l + 3: four reds, greens, blues, nothing. */
AVX512 INLINE __m512i
deep_output(const wide_pass *p, int32_t i, const int8_t **from, int32_t digits)
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
        __m512i taps = _mm512_permutexvar_epi8(
            order, left >= 64 ? _mm512_loadu_si512(pixel)
                              : _mm512_maskz_loadu_epi8(inside(left), pixel));

        for (int32_t d = 0; d < digits; d++, *from += 16)
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
deep_four(const wide_pass *p, int32_t i, const int8_t **from, int32_t digits)
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
across_deep(const wide_pass *p, const int8_t *from, int32_t digits,
            uint8_t *out)
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

AVX512 static void
across(const oriel_axis *axis, const void *packed, const uint8_t *source,
       uint8_t *out)
{
    const int8_t *from = (const int8_t *)packed + HEAD_BYTES;
    wide_pass p = {axis, source, (int64_t)axis->source * 3,
                   _mm512_set1_epi32(1 << (axis->shift - 1)),
                   _mm_cvtsi32_si128(axis->shift)};
    packed_head head;

    memcpy(&head, packed, sizeof(head));
    if (head.window == 64 && head.digits == 2)
        across_wide(&p, from, 64, 2, out);
    else if (head.window == 64)
        across_wide(&p, from, 64, 3, out);
    else if (head.window == 128 && head.digits == 2)
        across_wide(&p, from, 128, 2, out);
    else if (head.window == 128)
        across_wide(&p, from, 128, 3, out);
    else if (head.digits == 2)
        across_deep(&p, from, 2, out);
    else
        across_deep(&p, from, 3, out);
}

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
    packed_head head = {count_digits(axis), 0};
    int8_t *to = (int8_t *)packed + HEAD_BYTES;
    int32_t taps = 4 * (int32_t)down_quads(axis);

    memcpy(packed, &head, sizeof(head));
    for (int32_t i = 0; i < axis->size; i++)
        for (int32_t k = 0; k < taps; k += 4)
            for (int32_t d = 0; d < head.digits; d++)
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
    packed_head head;

    memcpy(&head, packed, sizeof(head));
    weights += (size_t)y * down_quads(axis) * (size_t)head.digits;
    if (head.digits == 2)
        down_row(axis, y, weights, rows, n, out, 2);
    else
        down_row(axis, y, weights, rows, n, out, 3);
}

const oriel_passes oriel_passes_avx512 = {across_bytes,
                                          down_bytes,
                                          pack_across,
                                          pack_down,
                                          across,
                                          down,
                                          oriel_across_float_avx2,
                                          oriel_down_float_avx2,
                                          oriel_round_avx2};
#endif
