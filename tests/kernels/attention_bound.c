/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/attention_bound.h"

#include "base/half.h"
#include "oracle/oracle.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

enum { KEYS = 64, QUERIES = 128, HEAD_DIM_MOST = 128 };

/* ---- What goes in ---------------------------------------------------------- */

/* In fp32, every operation rounded, and once to bf16: as rope.cuh. */
static void
turn_head(const attention_case *c, double *head, const int32_t *position)
{
    const int half = c->head_dim / 2, quarter = c->head_dim / 4;

    for (int d = 0; d < half; d++) {
        const int32_t at = position[d >= quarter];
        const float *cs = c->rope + (at * quarter + d % quarter) * 2;
        const float a = (float)head[d], b = (float)head[d + half];

        head[d] = bf16_value(oriel_f32_to_bf16(a * cs[0] - b * cs[1]));
        head[d + half] = bf16_value(oriel_f32_to_bf16(b * cs[0] + a * cs[1]));
    }
}

double *
attention_inputs(const attention_case *c, bool windows)
{
    const int64_t hidden = (int64_t)c->heads * c->head_dim;
    double *x = bf16_values(c->qkv, (size_t)(c->rows * 3 * hidden));

    for (int64_t r = 0; windows && r < c->rows; r++)
        for (int h = 0; h < 2 * c->heads; h++)
            turn_head(c, x + r * 3 * hidden + h * c->head_dim,
                      c->positions + 2 * r);
    return x;
}

/* ---- What comes out -------------------------------------------------------- */

/* One head of a segment: its first row of each, rows 'stride' apart. */
typedef struct head_view {
    const double *q, *k, *v;
    int64_t stride, n;
    int head_dim;
} head_view;

/* The largest sum |q k| of a query, over the keys, scaled as scores are. */
static double
largest_product(const head_view *head, const double *query)
{
    double largest = 0;

    for (int64_t j = 0; j < head->n; j++) {
        double sum = 0;

        for (int d = 0; d < head->head_dim; d++)
            sum += fabs(query[d] * head->k[j * head->stride + d]);
        largest = fmax(largest, sum);
    }
    return largest / sqrt(head->head_dim);
}

/* The bound of attention.cuh, whose names these are. */
static void
bound_row(double *bound, const head_view *head, const double *query,
          const double *exact, const double *weights)
{
    const double u = 0x1p-24;
    const int64_t tiles = (head->n + KEYS - 1) / KEYS;
    const double steps = (head->head_dim + 15) / 16;
    const double s = largest_product(head, query);
    double off = 0, most[HEAD_DIM_MOST] = {0};

    for (int d = 0; d < head->head_dim; d++)
        bound[d] = (0x1p-8 + 4 * u) * fabs(exact[d]);
    for (int64_t j = 0; j < head->n; j++) {
        const double *v = head->v + j * head->stride, p = weights[j];
        const double t = (double)(tiles - j / KEYS);
        const double x = 4 * u * (1 + t) + u * (22 * steps + 9) * s;
        const double h = 0x1p-8 + (1 + 0x1p-8) * expm1(x);

        off += p * h;
        for (int d = 0; d < head->head_dim; d++) {
            bound[d] += p * h * fabs(v[d] - exact[d]) +
                        u * p * t * (89 * fabs(v[d]) + 17 * fabs(exact[d]));
            most[d] = fmax(most[d], fabs(v[d]));
        }
    }
    ck_assert_double_lt(3 * off, 1);
    for (int d = 0; d < head->head_dim; d++)
        bound[d] =
            bound[d] / (1 - 3 * off) + (double)head->n * 0x1p-125 * most[d];
}

static bool
has_row(const attention_case *c, int64_t row)
{
    for (int t = 0; t < c->n_tiles; t++) {
        const int64_t first = c->tiles[t][0] + c->tiles[t][2];
        const int64_t end = c->tiles[t][0] + c->tiles[t][1];

        if (row >= first && row < first + QUERIES && row < end)
            return true;
    }
    return false;
}

static void
check_row(const head_view *head, int64_t row, const int64_t *rows,
          double *weights, const uint16_t *out)
{
    const double *query = head->q + row * head->stride;
    double exact[HEAD_DIM_MOST], bound[HEAD_DIM_MOST];

    oracle_attention_row(exact, query, head->k, head->v, head->stride,
                         head->head_dim, rows, head->n, weights);
    bound_row(bound, head, query, exact, weights);
    for (int d = 0; d < head->head_dim; d++)
        ck_assert_msg(fabs(bf16_value(out[d]) - exact[d]) <= bound[d],
                      "row %d column %d: %g, not %g within %g", (int)row, d,
                      bf16_value(out[d]), exact[d], bound[d]);
}

void
attention_check_rows(const attention_case *c, const double *inputs,
                     const uint16_t *out, int segment, int64_t first,
                     int64_t end, int64_t step)
{
    const int64_t hidden = (int64_t)c->heads * c->head_dim;
    const int64_t begin = c->cu[segment], n = c->lengths[segment];
    int64_t *rows = malloc((size_t)n * sizeof(*rows));
    double *weights = malloc((size_t)n * sizeof(*weights));

    for (int64_t j = 0; j < n; j++)
        rows[j] = j;
    for (int h = 0; h < c->heads; h++) {
        const double *q = inputs + begin * 3 * hidden + h * c->head_dim;
        const head_view head = {q,          q + hidden, q + 2 * hidden,
                                3 * hidden, n,          c->head_dim};

        for (int64_t r = first; r < end; r += step) {
            const uint16_t *row = out + (begin + r) * hidden + h * c->head_dim;

            if (has_row(c, begin + r))
                check_row(&head, r, rows, weights, row);
            else
                for (int d = 0; d < c->head_dim; d++)
                    ck_assert_uint_eq(row[d], 0xffff);
        }
    }
    free(rows);
    free(weights);
}
