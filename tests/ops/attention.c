/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/attention.h"

#include "base/half.h"
#include "oracle/oracle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS = 64, HEAD_DIM_MOST = 128 };

/* ---- What goes in ------------------------------------------------------------ */

typedef struct list {
    int32_t *rows;
    int64_t n;
    int32_t width;
} list;

static void
put(void *context, const int32_t *row)
{
    list *l = context;

    memcpy(l->rows + l->n++ * l->width, row, (size_t)l->width * sizeof(*row));
}

static int
make_work(op_case *c, op_cut *cut, int32_t width)
{
    const int32_t *cu = c->shape.cu;
    const int32_t n = c->shape.n_segments;
    list l = {NULL, 0, width};

    c->n_work = (int32_t)cut(cu, n, NULL, NULL);
    if (op_array_make(&c->index[OP_WORK],
                      (size_t)c->n_work * (size_t)width * sizeof(*l.rows)))
        return -1;
    l.rows = c->index[OP_WORK].host;
    cut(cu, n, put, &l);
    return op_array_send(&c->index[OP_WORK]);
}

static int
make_values(op_case *c, random_stream *random)
{
    const size_t hidden = (size_t)c->columns;
    const double scale = c->shape.scale > 0 ? c->shape.scale : 2;
    op_array v = {0};
    uint16_t *qkv;

    if (op_array_random(&c->x, random, (size_t)c->rows * hidden * 3, scale, 0))
        return -1;
    if (op_array_random(&v, random, (size_t)c->rows * hidden, 1,
                        c->shape.v_mean) == 0) {
        qkv = c->x.host;
        for (size_t r = 0; r < (size_t)c->rows; r++)
            memcpy(qkv + (r * 3 + 2) * hidden,
                   (const uint16_t *)v.host + r * hidden, hidden * 2);
    }
    free(v.host);
    return op_must(cudaFree(v.device.data), "cudaFree") || op_array_send(&c->x);
}

int
op_make_attention(op_case *c, random_stream *random, op_cut *cut,
                  int32_t work_columns)
{
    const int32_t n = c->shape.n_segments;

    c->rows = c->shape.cu[n];
    c->columns = c->shape.heads * c->shape.head_dim;
    return make_values(c, random) || op_make_positions(c, random) ||
           op_array_copy(&c->index[OP_SEGMENTS], c->shape.cu,
                         ((size_t)n + 1) * sizeof(int32_t)) ||
           make_work(c, cut, work_columns);
}

float
op_scale_log2(const op_case *c)
{
    return (float)(log2(exp(1)) / sqrt(c->shape.head_dim));
}

/* In fp32, every operation rounded, and once to bf16: as rope.cuh. */
static void
turn_head(const op_case *c, double *head, const int32_t *position)
{
    const int32_t half = c->shape.head_dim / 2, quarter = half / 2;
    const float *table = c->index[OP_ROPE].host;

    for (int32_t d = 0; d < half; d++) {
        const int32_t at = position[d >= quarter];
        const float *cs = table + (at * quarter + d % quarter) * 2;
        const float a = (float)head[d], b = (float)head[d + half];

        head[d] = bf16_value(oriel_f32_to_bf16(a * cs[0] - b * cs[1]));
        head[d + half] = bf16_value(oriel_f32_to_bf16(b * cs[0] + a * cs[1]));
    }
}

/* q, k and v of a segment as the products take them; caller frees. */
static double *
segment_inputs(const op_case *c, int64_t begin, int64_t n, bool turns)
{
    const int32_t dim = c->shape.head_dim, hidden = c->columns;
    const int32_t *positions = c->index[OP_POSITIONS].host;
    double *x = bf16_values((const uint16_t *)c->x.host + begin * 3 * hidden,
                            (size_t)(n * 3 * hidden));

    for (int64_t r = 0; turns && r < n; r++)
        for (int32_t h = 0; h < 2 * c->shape.heads; h++)
            turn_head(c, x + r * 3 * hidden + h * dim,
                      positions + 2 * (begin + r));
    return x;
}

/* ---- What comes out ---------------------------------------------------------- */

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

/* The bound of attention.cuh, whose names these are; none where its premise
   does not hold. */
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
    for (int d = 0; d < head->head_dim; d++)
        bound[d] = 3 * off < 1 ? bound[d] / (1 - 3 * off) +
                                     (double)head->n * 0x1p-125 * most[d]
                               : -1;
}

/* All heads of one row of a segment. */
static void
exact_row(const op_case *c, const double *segment, int64_t n, int64_t row,
          double *exact, double *bound)
{
    const int32_t dim = c->shape.head_dim, hidden = c->columns;
    int64_t *rows = malloc((size_t)n * sizeof(*rows));
    double *weights = malloc((size_t)n * sizeof(*weights));

    for (int64_t j = 0; j < n; j++)
        rows[j] = j;
    for (int32_t h = 0; h < c->shape.heads; h++) {
        const double *q = segment + h * dim;
        const head_view head = {q,          q + hidden, q + 2 * hidden,
                                3 * hidden, n,          dim};
        const double *query = q + row * head.stride;

        oracle_attention_row(exact + h * dim, query, head.k, head.v,
                             head.stride, dim, rows, n, weights);
        bound_row(bound + h * dim, &head, query, exact + h * dim, weights);
    }
    free(rows);
    free(weights);
}

void
op_attention_exact(const op_case *c, int64_t first, int64_t rows, double *exact,
                   double *bound, bool turns)
{
    const int32_t *cu = c->index[OP_SEGMENTS].host;
    const int64_t end = first + rows;
    int64_t row = first;

    for (int32_t s = 0; row < end; s++) {
        const int64_t begin = cu[s], n = cu[s + 1] - cu[s];
        double *x;

        if (cu[s + 1] <= row)
            continue;
        x = segment_inputs(c, begin, n, turns);
        for (; row < end && row < begin + n; row++)
            exact_row(c, x, n, row - begin, exact + (row - first) * c->columns,
                      bound + (row - first) * c->columns);
        free(x);
    }
}

/* ---- Counts ------------------------------------------------------------------ */

double
op_attention_bytes(const op_case *c)
{
    return 8.0 * c->columns * (double)c->rows;
}

double
op_attention_flops(const op_case *c)
{
    const int32_t *cu = c->index[OP_SEGMENTS].host;
    double pairs = 0;

    for (int32_t s = 0; s < c->shape.n_segments; s++)
        pairs += pow(cu[s + 1] - cu[s], 2);
    return 4.0 * c->columns * pairs;
}
