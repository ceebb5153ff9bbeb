/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention.c - softmax attention of a tile of queries, one head
 *
 * Keys come in tiles of KEY_TILE that start at the segment's first row.  Each
 * tile is packed once, then four queries at a time pass over it: scores,
 * probabilities against a running maximum, weighted values into a running sum
 * that shrinks by alpha when the maximum grows.  No more than a tile of scores
 * ever exists.
 *
 * P is rounded to bf16 when operands are; the denominator then adds the rounded
 * values, those that the product uses.  fp32: |error| < 2e-6 max |v| for scores
 * below 100 in magnitude.  bf16: |error| <= 2^-8 max |v| from P, and half a
 * unit of the result.
 */
#include "cpu/kernel_table.h"
#include "cpu/vector.h"

#if defined(__AVX512F__)
#include "cpu/transpose.h"
#endif

#define KEY_TILE ((int64_t)256)
#define LEAST (-1e30f) /* no score: its exponential is nothing, and finite */

#if defined(ORIEL_ATTENTION_BF16)
#include "cpu/attention_bf16.h"
#else
#include "cpu/attention_f32.h"
#endif

typedef struct scratch {
    void *keys, *values;
    float *scores;  /* [4][KEY_TILE] */
    operand *p;     /* [4][KEY_TILE] */
    float *o;       /* [ORIEL_QUERY_TILE][padded_dim] */
    float *largest; /* [ORIEL_QUERY_TILE] running maximum */
    float *sum;     /* [ORIEL_QUERY_TILE] running denominator */
} scratch;

static int64_t
pad_to_lanes(int64_t n)
{
    return (n + LANES - 1) / LANES * LANES;
}

#define TILE_BYTES ((size_t)(4 * KEY_TILE) * sizeof(float))

static size_t
sums_bytes(int64_t head_dim)
{
    return (size_t)pad_to_lanes(head_dim) * ORIEL_QUERY_TILE * sizeof(float);
}

size_t
ORIEL_KERNEL(attention_scratch)(int32_t head_dim)
{
    return packed_keys_bytes(head_dim) +
           packed_values_bytes(pad_to_lanes(head_dim)) + 2 * TILE_BYTES +
           sums_bytes(head_dim) + (size_t)ORIEL_QUERY_TILE * 2 * sizeof(float);
}

static scratch
lay_out(char *at, int64_t head_dim)
{
    scratch s;

    s.keys = at;
    at += packed_keys_bytes(head_dim);
    s.values = at;
    at += packed_values_bytes(pad_to_lanes(head_dim));
    s.scores = (void *)at;
    at += TILE_BYTES;
    s.p = (void *)at;
    at += TILE_BYTES;
    s.o = (void *)at;
    at += sums_bytes(head_dim);
    s.largest = (void *)at;
    s.sum = s.largest + ORIEL_QUERY_TILE;
    return s;
}

/*
 * Scores of one query to probabilities relative to the running maximum; what
 * the earlier sums must be multiplied by comes back.
 */
static inline float
probabilities(operand *p, float *s, int64_t keys, float scale, int rounded,
              float *largest, float *sum)
{
    int64_t padded = (keys + P_UNIT - 1) / P_UNIT * P_UNIT;
    float before = *largest, now;
    vf best, alpha;

    for (int64_t j = keys; j < padded; j++)
        s[j] = LEAST;
    best = load(s);
    for (int64_t j = LANES; j < padded; j += LANES)
        best = larger_of(load(s + j), best);
    now = largest_lane(best);
    if (before > now)
        now = before;
    alpha = exp2_of(splat((before - now) * scale));
    *largest = now;
    *sum = *sum * alpha[0] + exponentials(p, s, padded, scale, now, rounded);
    return alpha[0];
}

/* Four queries from row 'r' on against the packed tile. */
static void
pass(const oriel_cpu_attention *a, const scratch *s, int64_t r, int64_t keys,
     float scale)
{
    const operand *q[4];
    float alpha[4];

    for (int64_t i = 0; i < 4; i++) { /* rows beyond repeat the last one */
        int64_t row = r + i < a->queries ? r + i : a->queries - 1;

        q[i] = (const operand *)a->q + (size_t)row * a->stride;
    }
    scores(s->scores, q, s->keys, a->head_dim, keys);
    for (int64_t i = 0; i < 4; i++)
        alpha[i] = probabilities(s->p + i * KEY_TILE, s->scores + i * KEY_TILE,
                                 keys, scale, a->rounded, &s->largest[r + i],
                                 &s->sum[r + i]);
    weigh(s->o + (size_t)r * (size_t)pad_to_lanes(a->head_dim), alpha, s->p,
          s->values, pad_to_lanes(a->head_dim), keys);
}

/* Rows of the next tile's keys and values, on their way while this one is
   computed: 'first' and on, those that exist. */
static void
fetch_rows(const oriel_cpu_attention *a, int64_t first, int64_t rows)
{
    const int64_t line = 64 / (int64_t)sizeof(operand);

    for (int64_t j = first; j < first + rows && j < a->keys; j++) {
        const operand *k = (const operand *)a->k + (size_t)j * a->stride;
        const operand *v = (const operand *)a->v + (size_t)j * a->stride;

        for (int64_t d = 0; d < a->head_dim; d += line) {
            __builtin_prefetch(k + d);
            __builtin_prefetch(v + d);
        }
    }
}

/* Sums of all queries, rounded up to fours, from nothing. */
static void
begin_sums(const oriel_cpu_attention *a, const scratch *s)
{
    int64_t rows = ((int64_t)a->queries + 3) / 4 * 4;

    memset(s->o, 0, (size_t)(rows * pad_to_lanes(a->head_dim)) * sizeof(float));
    for (int64_t r = 0; r < rows; r++) {
        s->largest[r] = LEAST;
        s->sum[r] = 0.0f;
    }
}

void
ORIEL_KERNEL(attention)(const oriel_cpu_attention *a)
{
    int64_t padded = pad_to_lanes(a->head_dim);
    int64_t fetched = (4 * KEY_TILE + a->queries - 1) / a->queries;
    float scale = a->scale * 1.4426950408889634f; /* of powers of two */
    scratch s = lay_out(a->scratch, a->head_dim);

    begin_sums(a, &s);
    for (int64_t first = 0; first < a->keys; first += KEY_TILE) {
        int64_t n = a->keys - first < KEY_TILE ? a->keys - first : KEY_TILE;
        int64_t next = first + KEY_TILE;
        size_t at = (size_t)first * a->stride;

        if (a->stop && atomic_load_explicit(a->stop, memory_order_relaxed))
            return;
        pack_keys(s.keys, (const operand *)a->k + at, a->stride, a->head_dim,
                  n);
        pack_values(s.values, (const operand *)a->v + at, a->stride,
                    a->head_dim, padded, n);
        for (int64_t r = 0; r < a->queries; r += 4, next += fetched) {
            fetch_rows(a, next, fetched);
            pass(a, &s, r, n, scale);
        }
    }
    for (int64_t r = 0; r < a->queries; r++)
        store_row(a->out, (size_t)r * a->stride, s.o + r * padded,
                  1.0f / s.sum[r], a->head_dim, a->rounded);
}
