/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passes_avx2.c - the passes with 16-bit multiply-adds, for AVX2
 *
 * A weight is kept as one or two int16 "digits", q = low + high 2^14: one for
 * torchvision's weights, two for Pillow's.  vpmaddwd then adds two taps at a
 * time into an int32; sums of high digits are shifted up at the end.  All of it
 * is exact modulo 2^32, which is all that the definition asks for.
 *
 * Across, a pixel's four taps of three colours fill one register:
 *     lane 0  r01 r23 g01 g23     lane 1  b01 b23 -- --      (pairs of taps)
 * so that the weights of its taps are the same eight bytes over and over.
 * Loads are 16 bytes of which 12 count; outputs whose loads would leave the row
 * are left to the plain variant.
 */
#include "pixels/passes.h"

#if defined(__x86_64__)
#include "base/checked.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

#define AVX2 __attribute__((target("avx2,fma")))
#define INLINE static inline __attribute__((always_inline))

#define GROUP 8 /* outputs of one step across */
#define DIGIT_BITS 14

/* Before the digits of either pass. */
typedef struct packed_head {
    int32_t digits;
    int32_t safe; /* across: outputs that may use vector loads */
} packed_head;

#define HEAD_BYTES 64

static int32_t
count_digits(const oriel_axis *axis)
{
    size_t n = (size_t)axis->size * (size_t)axis->max_taps;

    for (size_t i = 0; i < n; i++)
        if (axis->weights.fixed[i] != (int16_t)axis->weights.fixed[i])
            return 2;
    return 1;
}

static int16_t
digit(int32_t weight, int32_t digits, int32_t which)
{
    int32_t high = (weight + (1 << (DIGIT_BITS - 1))) >> DIGIT_BITS;

    if (digits == 1)
        return (int16_t)weight;
    return (int16_t)(which ? high : weight - high * (1 << DIGIT_BITS));
}

/* Weight of tap j of output i, 0 where there is none. */
static int32_t
weight_at(const oriel_axis *axis, int32_t i, int32_t j)
{
    return i < axis->size && j < axis->count[i] ? oriel_axis_fixed(axis, i)[j]
                                                : 0;
}

/* ---- Across: [group][GROUP][chunks of 4 taps][digits][4] int16 ---------- */

static bool
across_bytes(int32_t source, int32_t size, size_t *bytes)
{
    size_t groups = ((size_t)size + GROUP - 1) / GROUP;
    size_t chunks = ((size_t)oriel_axis_max_taps(source, size) + 3) / 4;
    size_t group_bytes = 64 + chunks * GROUP * 2 * 8;

    return oriel_mul_size(bytes, groups, group_bytes) &&
           oriel_add_size(bytes, *bytes, HEAD_BYTES);
}

/* Chunks that the longest output of a group needs. */
static int32_t
group_chunks(const oriel_axis *axis, int32_t i)
{
    int32_t most = 1;

    for (int32_t k = i; k < i + GROUP && k < axis->size; k++)
        most = axis->count[k] > most ? axis->count[k] : most;
    return (most + 3) / 4;
}

/* Whether every load of output i lies inside the row. */
static bool
is_safe(const oriel_axis *axis, int32_t i, int32_t chunks)
{
    int64_t last = (int64_t)axis->first[i] + 4 * (int64_t)(chunks - 1);

    return last * 3 + 16 <= (int64_t)axis->source * 3;
}

static void
pack_across(const oriel_axis *axis, void *packed)
{
    packed_head head = {count_digits(axis), 0};
    int16_t *to = (int16_t *)(void *)((char *)packed + HEAD_BYTES);
    bool safe = true;

    for (int32_t i = 0; i < axis->size && safe; i += GROUP) {
        int32_t chunks = group_chunks(axis, i);

        for (int32_t k = i; k < i + GROUP; k++)
            safe = safe && k < axis->size && is_safe(axis, k, chunks);
        if (!safe)
            break;
        head.safe = i + GROUP;
        *(int32_t *)(void *)to = chunks;
        to += 4;
        for (int32_t k = i; k < i + GROUP; k++)
            for (int32_t c = 0; c < chunks; c++)
                for (int32_t d = 0; d < head.digits; d++)
                    for (int32_t j = 4 * c; j < 4 * c + 4; j++)
                        *to++ = digit(weight_at(axis, k, j), head.digits, d);
    }
    memcpy(packed, &head, sizeof(head));
}

/* Sums of one output: the layout of the head comment. */
AVX2 INLINE __m256i
sum_output(const uint8_t *pixels, const int16_t *weights, int32_t chunks,
           int32_t digits)
{
    const __m256i spread = _mm256_setr_epi8(
        0, -1, 3, -1, 6, -1, 9, -1, 1, -1, 4, -1, 7, -1, 10, -1, 2, -1, 5, -1,
        8, -1, 11, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    __m256i low = _mm256_setzero_si256(), high = low;

    for (int32_t c = 0; c < chunks; c++, pixels += 12, weights += 4 * digits) {
        __m256i taps =
            _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128(
                                    (const __m128i *)(const void *)pixels)),
                                spread);
        int64_t w;

        memcpy(&w, weights, 8);
        low = _mm256_add_epi32(low,
                               _mm256_madd_epi16(taps, _mm256_set1_epi64x(w)));
        if (digits == 2) {
            memcpy(&w, weights + 4, 8);
            high = _mm256_add_epi32(
                high, _mm256_madd_epi16(taps, _mm256_set1_epi64x(w)));
        }
    }
    return digits == 1
               ? low
               : _mm256_add_epi32(low, _mm256_slli_epi32(high, DIGIT_BITS));
}

/* Inlined with few chunks as a constant, the loops over them vanish. */
AVX2 INLINE void
sum_group(__m256i sums[GROUP], const int32_t *first, const uint8_t *source,
          const int16_t *weights, int32_t chunks, int32_t digits)
{
    for (int32_t k = 0; k < GROUP;
         k++, weights += (size_t)chunks * (size_t)(4 * digits))
        sums[k] =
            sum_output(source + (size_t)first[k] * 3, weights, chunks, digits);
}

/* 8 outputs as bytes: lane 0 their reds and greens, lane 1 blue and nothing,
   to 24 bytes of RGB. */
AVX2 INLINE void
store_group(__m256i bytes, uint8_t *out)
{
    const __m128i from_rg =
        _mm_setr_epi8(0, 1, -1, 2, 3, -1, 4, 5, -1, 6, 7, -1, 8, 9, -1, 10);
    const __m128i from_b = _mm_setr_epi8(-1, -1, 0, -1, -1, 2, -1, -1, 4, -1,
                                         -1, 6, -1, -1, 8, -1);
    const __m128i rest_rg = _mm_setr_epi8(11, -1, 12, 13, -1, 14, 15, -1, -1,
                                          -1, -1, -1, -1, -1, -1, -1);
    const __m128i rest_b = _mm_setr_epi8(-1, 10, -1, -1, 12, -1, -1, 14, -1, -1,
                                         -1, -1, -1, -1, -1, -1);
    __m128i rg = _mm256_castsi256_si128(bytes);
    __m128i b = _mm256_extracti128_si256(bytes, 1);

    _mm_storeu_si128((__m128i *)(void *)out,
                     _mm_or_si128(_mm_shuffle_epi8(rg, from_rg),
                                  _mm_shuffle_epi8(b, from_b)));
    _mm_storel_epi64((__m128i *)(void *)(out + 16),
                     _mm_or_si128(_mm_shuffle_epi8(rg, rest_rg),
                                  _mm_shuffle_epi8(b, rest_b)));
}

AVX2 INLINE void
across_groups(const oriel_axis *axis, const int16_t *from, int32_t safe,
              const uint8_t *source, uint8_t *out, int32_t digits)
{
    const __m256i half = _mm256_set1_epi32(1 << (axis->shift - 1));
    const __m128i shift = _mm_cvtsi32_si128(axis->shift);

    for (int32_t i = 0; i < safe; i += GROUP, out += 3 * GROUP) {
        __m256i sums[GROUP], pairs[GROUP / 2];
        int32_t chunks;

        memcpy(&chunks, from, 4);
        from += 4;
        if (chunks == 1)
            sum_group(sums, axis->first + i, source, from, 1, digits);
        else if (chunks == 2)
            sum_group(sums, axis->first + i, source, from, 2, digits);
        else
            sum_group(sums, axis->first + i, source, from, chunks, digits);
        from += (size_t)chunks * (size_t)(GROUP * 4 * digits);
        for (int32_t k = 0; k < GROUP / 2; k++)
            pairs[k] = _mm256_sra_epi32(
                _mm256_add_epi32(
                    _mm256_hadd_epi32(sums[2 * k], sums[2 * k + 1]), half),
                shift);
        store_group(_mm256_packus_epi16(_mm256_packs_epi32(pairs[0], pairs[1]),
                                        _mm256_packs_epi32(pairs[2], pairs[3])),
                    out);
    }
}

AVX2 static void
across(const oriel_axis *axis, const void *packed, const uint8_t *source,
       uint8_t *out)
{
    const int16_t *from =
        (const int16_t *)(const void *)((const char *)packed + HEAD_BYTES);
    packed_head head;

    memcpy(&head, packed, sizeof(head));
    if (head.digits == 1)
        across_groups(axis, from, head.safe, source, out, 1);
    else
        across_groups(axis, from, head.safe, source, out, 2);
    oriel_across_plain(axis, head.safe, source, out);
}

/* ---- Down: [output][pairs of taps][digits][2] int16 --------------------- */

static size_t
down_pairs(const oriel_axis *axis)
{
    return ((size_t)axis->max_taps + 1) / 2;
}

static bool
down_bytes(int32_t source, int32_t size, size_t *bytes)
{
    size_t pairs = ((size_t)oriel_axis_max_taps(source, size) + 1) / 2;

    return oriel_mul_size(bytes, (size_t)size, pairs * 2 * 4) &&
           oriel_add_size(bytes, *bytes, HEAD_BYTES);
}

static void
pack_down(const oriel_axis *axis, void *packed)
{
    packed_head head = {count_digits(axis), 0};
    int16_t *to = (int16_t *)(void *)((char *)packed + HEAD_BYTES);
    int32_t taps = 2 * (int32_t)down_pairs(axis);

    for (int32_t i = 0; i < axis->size; i++)
        for (int32_t j = 0; j < taps; j += 2)
            for (int32_t d = 0; d < head.digits; d++) {
                *to++ = digit(weight_at(axis, i, j), head.digits, d);
                *to++ = digit(weight_at(axis, i, j + 1), head.digits, d);
            }
    memcpy(packed, &head, sizeof(head));
}

/* 32 columns: sums 0..3 hold columns 0-3, 4-7, 8-11, 12-15 of each lane. */
AVX2 INLINE void
add_pair(__m256i sums[4], const __m256i taps[4], int32_t weights)
{
    __m256i w = _mm256_set1_epi32(weights);

    for (int32_t k = 0; k < 4; k++)
        sums[k] = _mm256_add_epi32(sums[k], _mm256_madd_epi16(taps[k], w));
}

AVX2 INLINE void
pair_rows(__m256i taps[4], __m256i a, __m256i b)
{
    const __m256i zero = _mm256_setzero_si256();
    __m256i low = _mm256_unpacklo_epi8(a, b);
    __m256i high = _mm256_unpackhi_epi8(a, b);

    taps[0] = _mm256_unpacklo_epi8(low, zero);
    taps[1] = _mm256_unpackhi_epi8(low, zero);
    taps[2] = _mm256_unpacklo_epi8(high, zero);
    taps[3] = _mm256_unpackhi_epi8(high, zero);
}

AVX2 INLINE __m256i
down_columns(const int32_t *weights, int32_t count, __m128i shift, __m256i half,
             const uint8_t *const *rows, size_t x, int32_t digits)
{
    __m256i low[4] = {half, half, half, half}, high[4] = {0}, taps[4];

    for (int32_t j = 0; j < count; j += 2, weights += digits) {
        pair_rows(
            taps,
            _mm256_loadu_si256((const __m256i *)(const void *)(rows[j] + x)),
            _mm256_loadu_si256(
                (const __m256i *)(const void *)(rows[j + 1] + x)));
        add_pair(low, taps, weights[0]);
        if (digits == 2)
            add_pair(high, taps, weights[1]);
    }
    for (int32_t k = 0; k < 4; k++) {
        if (digits == 2)
            low[k] = _mm256_add_epi32(low[k],
                                      _mm256_slli_epi32(high[k], DIGIT_BITS));
        low[k] = _mm256_sra_epi32(low[k], shift);
    }
    return _mm256_packus_epi16(_mm256_packs_epi32(low[0], low[1]),
                               _mm256_packs_epi32(low[2], low[3]));
}

/* The last columns of a row, fewer than 32, without reading beyond. */
static void
down_rest(const oriel_axis *axis, int32_t y, const uint8_t *const *rows,
          size_t x, size_t n, uint8_t *out)
{
    const int32_t *weights = oriel_axis_fixed(axis, y);

    for (; x < n; x++) {
        uint32_t sum = 1u << (axis->shift - 1);
        int32_t level;

        for (int32_t j = 0; j < axis->count[y]; j++)
            sum += (uint32_t)weights[j] * rows[j][x];
        level = (int32_t)sum >> axis->shift;
        out[x] = (uint8_t)(level < 0 ? 0 : level > 255 ? 255 : level);
    }
}

AVX2 static void
down(const oriel_axis *axis, const void *packed, int32_t y,
     const uint8_t *const *rows, size_t n, uint8_t *out)
{
    const __m256i half = _mm256_set1_epi32(1 << (axis->shift - 1));
    const __m128i shift = _mm_cvtsi32_si128(axis->shift);
    const int32_t *weights =
        (const int32_t *)(const void *)((const char *)packed + HEAD_BYTES);
    packed_head head;
    size_t x = 0;

    memcpy(&head, packed, sizeof(head));
    weights += (size_t)y * down_pairs(axis) * (size_t)head.digits;
    for (; x + 32 <= n; x += 32) {
        int32_t count = axis->count[y];
        __m256i bytes =
            head.digits == 1
                ? down_columns(weights, count, shift, half, rows, x, 1)
                : down_columns(weights, count, shift, half, rows, x, 2);

        _mm256_storeu_si256((__m256i *)(void *)(out + x), bytes);
    }
    down_rest(axis, y, rows, x, n, out);
}

/* ---- Float -------------------------------------------------------------- */

/* Three levels and a byte more; 'last' where there is no byte more. */
AVX2 INLINE __m128
load_pixel(const uint8_t *pixel, bool last)
{
    int32_t levels = 0;

    if (last)
        levels = pixel[0] | pixel[1] << 8 | pixel[2] << 16;
    else
        memcpy(&levels, pixel, 4);
    return _mm_cvtepi32_ps(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(levels)));
}

/* 'last' where the taps may reach the row's last pixel. */
AVX2 INLINE __m128
sum_float(const float *w, int32_t count, const uint8_t *pixel, bool last)
{
    int32_t apart = oriel_taps_apart(count);
    __m128 sum = _mm_mul_ps(_mm_set1_ps(w[0]), load_pixel(pixel, last));

    for (int32_t j = 1; j < apart; j++)
        sum = _mm_add_ps(sum, _mm_mul_ps(_mm_set1_ps(w[j]),
                                         load_pixel(pixel + 3 * j, last)));
    for (int32_t j = apart; j < count; j++)
        sum = _mm_fmadd_ps(_mm_set1_ps(w[j]), load_pixel(pixel + 3 * j, last),
                           sum);
    return sum;
}

AVX2 void
oriel_across_float_avx2(const oriel_axis *axis, const uint8_t *source,
                        float *out)
{
    for (int32_t i = 0; i < axis->size; i++, out += 3) {
        const float *w = oriel_axis_real(axis, i);
        const uint8_t *pixel = source + (size_t)axis->first[i] * 3;
        int32_t count = axis->count[i];
        bool last = axis->first[i] + count == axis->source;
        float rgb[4];

        _mm_storeu_ps(rgb, last ? sum_float(w, count, pixel, true)
                                : sum_float(w, count, pixel, false));
        memcpy(out, rgb, 12);
    }
}

AVX2 void
oriel_down_float_avx2(const oriel_axis *axis, int32_t y,
                      const float *const *rows, size_t n, float *out)
{
    const float *w = oriel_axis_real(axis, y);
    int32_t count = axis->count[y], apart = oriel_taps_apart(count);
    size_t x = 0;

    for (; x + 8 <= n; x += 8) {
        __m256 sum =
            _mm256_mul_ps(_mm256_set1_ps(w[0]), _mm256_loadu_ps(rows[0] + x));

        for (int32_t j = 1; j < apart; j++)
            sum =
                _mm256_add_ps(sum, _mm256_mul_ps(_mm256_set1_ps(w[j]),
                                                 _mm256_loadu_ps(rows[j] + x)));
        for (int32_t j = apart; j < count; j++)
            sum = _mm256_fmadd_ps(_mm256_set1_ps(w[j]),
                                  _mm256_loadu_ps(rows[j] + x), sum);
        _mm256_storeu_ps(out + x, sum);
    }
    for (; x < n; x++) {
        float sum = w[0] * rows[0][x];

        for (int32_t j = 1; j < apart; j++)
            sum += w[j] * rows[j][x];
        for (int32_t j = apart; j < count; j++)
            sum = fmaf(w[j], rows[j][x], sum);
        out[x] = sum;
    }
}

AVX2 void
oriel_round_avx2(const float *levels, size_t n, uint8_t *out)
{
    size_t x = 0;

    /* vcvtps2dq rounds as the mode says, ties to even; packing clamps. */
    for (; x + 8 <= n; x += 8) {
        __m256i level = _mm256_cvtps_epi32(_mm256_loadu_ps(levels + x));
        __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(level),
                                        _mm256_extracti128_si256(level, 1));

        _mm_storel_epi64((__m128i *)(void *)(out + x),
                         _mm_packus_epi16(words, words));
    }
    oriel_passes_plain.round(levels + x, n - x, out + x);
}

const oriel_passes oriel_passes_avx2 = {across_bytes,
                                        down_bytes,
                                        pack_across,
                                        pack_down,
                                        across,
                                        down,
                                        oriel_across_float_avx2,
                                        oriel_down_float_avx2,
                                        oriel_round_avx2};
#endif
