/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention_bf16.h - the two products of attention on bf16 operands
 *
 * Included by attention.c.  vdpbf16ps adds two products to each fp32
 * lane, so operands travel in pairs, a pair a 32-bit word: a packed key tile is
 * [group][head_dim / 2][GROUP keys] pairs along the head, a packed value tile
 * [key / 2][padded head_dim] pairs of keys.  What lies beyond the keys is zero.
 */
#define COLUMNS ((int64_t)4)
#define VALUE_VECTORS ((int64_t)5)
#define GROUP (COLUMNS * LANES)
#define P_UNIT (2 * LANES) /* keys that 'exponentials' takes at a time */

typedef uint16_t operand;

static size_t
packed_keys_bytes(int64_t head_dim)
{
    return (size_t)head_dim * KEY_TILE * sizeof(operand);
}

static size_t
packed_values_bytes(int64_t padded_dim)
{
    return (size_t)padded_dim * KEY_TILE * sizeof(operand);
}

static void
pack_keys(void *packed, const operand *k, size_t stride, int64_t head_dim,
          int64_t keys)
{
    uint32_t *to = packed;
    int64_t pairs = head_dim / 2;

    for (int64_t j = 0; j < keys; j += LANES) {
        uint32_t *group = to + j / GROUP * GROUP * pairs + j % GROUP;

        for (int64_t d = 0; d < pairs; d += 16)
            pack_square(group + d * GROUP, GROUP,
                        k + (size_t)j * stride + 2 * d,
                        stride * sizeof(operand), pairs - d, keys - j);
    }
}

static void
pack_values(void *packed, const operand *v, size_t stride, int64_t head_dim,
            int64_t padded_dim, int64_t keys)
{
    uint32_t *to = packed;

    for (int64_t j = 0; j < keys; j += 2, to += padded_dim)
        for (int64_t d = 0; d < padded_dim; d += 16) {
            int64_t n = head_dim - d < 16 ? head_dim - d : 16;
            __mmask16 wanted = (__mmask16)((1u << n) - 1u);
            const operand *even = v + (size_t)j * stride + d;
            __m256i a = _mm256_maskz_loadu_epi16(wanted, even);
            __m256i b = j + 1 < keys
                            ? _mm256_maskz_loadu_epi16(wanted, even + stride)
                            : _mm256_setzero_si256();
            __m512i high = _mm512_slli_epi32(_mm512_cvtepu16_epi32(b), 16);

            _mm512_storeu_si512(
                to + d, _mm512_or_si512(_mm512_cvtepu16_epi32(a), high));
        }
}

static inline __m512bh
pair_of(const operand *p)
{
    int32_t word;

    memcpy(&word, p, sizeof(word));
    return (__m512bh)_mm512_set1_epi32(word);
}

/* s[4][KEY_TILE] of one group, whose first 'columns' vectors are wanted. */
static inline __attribute__((always_inline)) void
scores_of_group(float *s, const operand *const q[4], const uint32_t *keys,
                int64_t head_dim, int64_t columns)
{
    __m512 sum[4][COLUMNS];

    for (int64_t r = 0; r < 4; r++)
        for (int64_t c = 0; c < columns; c++)
            sum[r][c] = _mm512_setzero_ps();
    for (int64_t d = 0; d < head_dim; d += 2, keys += GROUP) {
        __m512bh k[COLUMNS];

        for (int64_t c = 0; c < columns; c++)
            k[c] = (__m512bh)_mm512_loadu_si512(keys + c * LANES);
        for (int64_t r = 0; r < 4; r++) {
            __m512bh query = pair_of(q[r] + d);

            for (int64_t c = 0; c < columns; c++)
                sum[r][c] = _mm512_dpbf16_ps(sum[r][c], query, k[c]);
        }
    }
    for (int64_t r = 0; r < 4; r++)
        for (int64_t c = 0; c < columns; c++)
            _mm512_storeu_ps(s + r * KEY_TILE + c * LANES, sum[r][c]);
}

static void
scores(float *s, const operand *const q[4], const void *packed,
       int64_t head_dim, int64_t keys)
{
    const uint32_t *k = packed;

    for (; keys > 0; keys -= GROUP, s += GROUP, k += GROUP * head_dim / 2) {
        switch (keys >= GROUP ? COLUMNS : (keys + LANES - 1) / LANES) {
        case 4:
            scores_of_group(s, q, k, head_dim, 4);
            break;
        case 3:
            scores_of_group(s, q, k, head_dim, 3);
            break;
        case 2:
            scores_of_group(s, q, k, head_dim, 2);
            break;
        default:
            scores_of_group(s, q, k, head_dim, 1);
        }
    }
}

/*
 * p = 2^(scale (s - largest)); the sum of what the product will use: pairs of
 * the rounded values times one, added by the same instruction.
 */
static inline float
exponentials(operand *p, const float *s, int64_t padded, float scale,
             float largest, int rounded)
{
    const __m512bh ones = (__m512bh)_mm512_set1_epi16(0x3f80);
    __m512 total = _mm512_setzero_ps();
    float shift = largest * scale;

    (void)rounded;
    for (int64_t j = 0; j < padded; j += 2 * LANES) {
        vf low = exp2_of(load(s + j) * scale - shift);
        vf high = exp2_of(load(s + j + LANES) * scale - shift);
        __m512bh both = _mm512_cvtne2ps_pbh((__m512)high, (__m512)low);

        _mm512_storeu_si512(p + j, (__m512i)both);
        total = _mm512_dpbf16_ps(total, both, ones);
    }
    return sum_lanes((vf)total);
}

/* o[4][padded_dim] = o * alpha + p . v, 'vectors' of the width. */
static inline __attribute__((always_inline)) void
weigh_part(float *o, const float alpha[4], const operand *p, const uint32_t *v,
           int64_t padded_dim, int64_t keys, int64_t vectors)
{
    __m512 sum[4][VALUE_VECTORS];

    for (int64_t r = 0; r < 4; r++)
        for (int64_t c = 0; c < vectors; c++)
            sum[r][c] = _mm512_setzero_ps();
    for (int64_t j = 0; j < keys; j += 2, v += padded_dim) {
        __m512bh value[VALUE_VECTORS];

        for (int64_t c = 0; c < vectors; c++)
            value[c] = (__m512bh)_mm512_loadu_si512(v + c * LANES);
        for (int64_t r = 0; r < 4; r++) {
            __m512bh weight = pair_of(p + r * KEY_TILE + j);

            for (int64_t c = 0; c < vectors; c++)
                sum[r][c] = _mm512_dpbf16_ps(sum[r][c], weight, value[c]);
        }
    }
    for (int64_t r = 0; r < 4; r++)
        for (int64_t c = 0; c < vectors; c++) {
            float *to = o + (size_t)r * (size_t)padded_dim + c * LANES;

            save(to, load(to) * alpha[r] + (vf)sum[r][c]);
        }
}

static void
weigh(float *o, const float alpha[4], const operand *p, const void *packed,
      int64_t padded_dim, int64_t keys)
{
    const uint32_t *v = packed;
    int64_t left = padded_dim / LANES;

    for (; left >= VALUE_VECTORS; left -= VALUE_VECTORS) {
        weigh_part(o, alpha, p, v, padded_dim, keys, VALUE_VECTORS);
        o += VALUE_VECTORS * LANES;
        v += VALUE_VECTORS * LANES;
    }
    for (; left > 0; left--, o += LANES, v += LANES)
        weigh_part(o, alpha, p, v, padded_dim, keys, 1);
}

static void
store_row(void *out, size_t at, const float *o, float scale, int64_t head_dim,
          int rounded)
{
    (void)rounded;
    for (int64_t d = 0; d < head_dim; d += LANES) {
        int64_t n = head_dim - d < LANES ? head_dim - d : LANES;

        store_lanes((uint16_t *)out + at, d, load(o + d) * scale, n,
                    ORIEL_STORAGE_BF16);
    }
}
