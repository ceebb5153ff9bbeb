/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention_f32.h - the two products of attention on fp32 operands
 *
 * Included by attention.c.  A packed key tile is [group][head_dim]
 * [GROUP keys], so that one element of q meets a vector of keys; a packed value
 * tile is [key][padded head_dim].  What lies beyond the keys is zero.
 */
#if defined(__AVX512F__)
#define COLUMNS ((int64_t)4) /* 4 x 5 sums in 32 registers */
#define VALUE_VECTORS ((int64_t)5)
#else
#define COLUMNS ((int64_t)2) /* 4 x 2 in 16 */
#define VALUE_VECTORS ((int64_t)2)
#endif
#define GROUP (COLUMNS * LANES)
#define P_UNIT LANES /* keys that 'exponentials' takes at a time */

typedef float operand;

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

#if defined(__AVX512F__)
static void
pack_keys(void *packed, const operand *k, size_t stride, int64_t head_dim,
          int64_t keys)
{
    uint32_t *to = packed;

    for (int64_t j = 0; j < keys; j += LANES) {
        uint32_t *group = to + j / GROUP * GROUP * head_dim + j % GROUP;

        for (int64_t d = 0; d < head_dim; d += 16)
            pack_square(group + d * GROUP, GROUP, k + (size_t)j * stride + d,
                        stride * sizeof(operand), head_dim - d, keys - j);
    }
}
#else
static void
pack_keys(void *packed, const operand *k, size_t stride, int64_t head_dim,
          int64_t keys)
{
    operand *to = packed;

    for (int64_t g = 0; g < keys; g += GROUP, to += GROUP * head_dim)
        for (int64_t j = 0; j < GROUP; j++) {
            const operand *from = k + (size_t)(g + j) * stride;

            for (int64_t d = 0; d < head_dim; d++)
                to[d * GROUP + j] = g + j < keys ? from[d] : 0.0f;
        }
}
#endif

static void
pack_values(void *packed, const operand *v, size_t stride, int64_t head_dim,
            int64_t padded_dim, int64_t keys)
{
    operand *to = packed;

    for (int64_t j = 0; j < keys; j++, to += padded_dim) {
        memcpy(to, v + (size_t)j * stride, (size_t)head_dim * sizeof(*to));
        memset(to + head_dim, 0, (size_t)(padded_dim - head_dim) * sizeof(*to));
    }
}

/* s[4][KEY_TILE] of one group, whose first 'columns' vectors are wanted. */
static inline __attribute__((always_inline)) void
scores_of_group(float *s, const operand *const q[4], const operand *keys,
                int64_t head_dim, int64_t columns)
{
    vf sum[4][COLUMNS] = {{{0}}};

    for (int64_t d = 0; d < head_dim; d++, keys += GROUP)
        for (int64_t c = 0; c < columns; c++) {
            vf k = load(keys + c * LANES);

            for (int64_t r = 0; r < 4; r++)
                sum[r][c] += k * q[r][d];
        }
    for (int64_t r = 0; r < 4; r++)
        for (int64_t c = 0; c < columns; c++)
            save(s + r * KEY_TILE + c * LANES, sum[r][c]);
}

static void
scores(float *s, const operand *const q[4], const void *packed,
       int64_t head_dim, int64_t keys)
{
    const operand *k = packed;

    for (; keys > 0; keys -= GROUP, s += GROUP, k += GROUP * head_dim) {
        int64_t columns = keys >= GROUP ? COLUMNS : (keys + LANES - 1) / LANES;

        switch (columns) {
        case COLUMNS:
            scores_of_group(s, q, k, head_dim, COLUMNS);
            break;
#if defined(__AVX512F__)
        case 3:
            scores_of_group(s, q, k, head_dim, 3);
            break;
        case 2:
            scores_of_group(s, q, k, head_dim, 2);
            break;
#endif
        default:
            scores_of_group(s, q, k, head_dim, 1);
        }
    }
}

/* p = 2^(scale (s - largest)); the sum of what the product will use. */
static inline float
exponentials(operand *p, const float *s, int64_t padded, float scale,
             float largest, int rounded)
{
    vf total = {0};

    for (int64_t j = 0; j < padded; j += LANES) {
        vf x = exp2_of((load(s + j) - largest) * scale);

        if (rounded)
            x = round_to_bf16(x);
        save(p + j, x);
        total += x;
    }
    return sum_lanes(total);
}

/* o[4][padded_dim] = o * alpha + p . v, 'vectors' of the width. */
static inline __attribute__((always_inline)) void
weigh_part(float *o, const float alpha[4], const operand *p, const operand *v,
           int64_t padded_dim, int64_t keys, int64_t vectors)
{
    vf sum[4][VALUE_VECTORS] = {{{0}}};

    for (int64_t j = 0; j < keys; j++, v += padded_dim)
        for (int64_t c = 0; c < vectors; c++) {
            vf value = load(v + c * LANES);

            for (int64_t r = 0; r < 4; r++)
                sum[r][c] += value * p[r * KEY_TILE + j];
        }
    for (int64_t r = 0; r < 4; r++)
        for (int64_t c = 0; c < vectors; c++) {
            float *to = o + (size_t)r * (size_t)padded_dim + c * LANES;

            save(to, load(to) * alpha[r] + sum[r][c]);
        }
}

static void
weigh(float *o, const float alpha[4], const operand *p, const void *packed,
      int64_t padded_dim, int64_t keys)
{
    const operand *v = packed;
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
    float *to = (float *)out + at;

    for (int64_t d = 0; d < head_dim; d += LANES) {
        int64_t n = head_dim - d < LANES ? head_dim - d : LANES;

        store_lanes(to, d, load(o + d) * scale, n,
                    rounded ? ORIEL_STORAGE_ROUNDED : ORIEL_STORAGE_F32);
    }
}
