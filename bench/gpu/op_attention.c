/* SPDX-License-Identifier: Apache-2.0 */
/* op_attention.c - the ops that are no products: norm, rope, attention */
#include "op.h"

#include "oracle/oracle.h"
#include "support/segments.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROPE = 0, POSITIONS = 1, SEGMENTS = 2, WORK = 3 };
#define THETA 10000.0

/* ---- rms_norm ------------------------------------------------------------ */

static int
make_norm(op_case *c)
{
    c->columns = c->geometry->hidden;
    c->row_bytes = (size_t)c->columns * 2;
    return op_array_random(&c->x, 1, (size_t)(c->rows * c->columns), 30, 0) ||
           op_array_random(&c->weight, 2, (size_t)c->columns, 0.2, 1);
}

static cudaError_t
prepare_norm(const op_case *c)
{
    (void)c;
    return oriel_cuda_rms_norm_prepare(NULL);
}

static cudaError_t
run_norm(const op_case *c, int64_t first, int64_t rows, void *out)
{
    const oriel_rms_norm_args args = {(const uint16_t *)c->x.device +
                                          first * c->columns,
                                      c->weight.device, out, rows, c->columns};

    return oriel_cuda_rms_norm(&args, NULL);
}

static void
exact_norm(const op_case *c, int64_t row, double *out)
{
    double *weight = malloc((size_t)c->columns * sizeof(*weight));

    for (int32_t i = 0; i < c->columns; i++) {
        out[i] = op_bf16(c->x.host, (size_t)(row * c->columns + i));
        weight[i] = op_bf16(c->weight.host, (size_t)i);
    }
    oracle_rms_norm(out, out, weight, 1, c->columns, 1e-6);
    free(weight);
}

static double
norm_bytes(const op_case *c)
{
    return 4.0 * (double)c->rows * c->columns + 2.0 * c->columns;
}

static double
no_flops(const op_case *c)
{
    (void)c;
    return 0;
}

/* ---- What the pictures give ---------------------------------------------- */

static int32_t
farthest_position(const op_case *c)
{
    int32_t most = 0;

    for (int64_t i = 0; i < 2 * c->rows; i++)
        if (c->info->positions[i] > most)
            most = c->info->positions[i];
    return most;
}

static int
make_positions(op_case *c)
{
    const int32_t quarter = c->geometry->head_dim / 4;
    const int32_t n = farthest_position(c) + 1;
    float *table;

    if (op_array_make(&c->index[ROPE],
                      (size_t)n * (size_t)quarter * 2 * sizeof(float)) ||
        op_array_make(&c->index[POSITIONS],
                      (size_t)c->rows * 2 * sizeof(int32_t)))
        return -1;
    table = c->index[ROPE].host;
    for (int32_t p = 0; p < n; p++)
        for (int32_t j = 0; j < quarter; j++) {
            const float frequency = (float)pow(THETA, -(double)j / quarter);
            const double angle = (double)((float)p * frequency);

            table[(p * quarter + j) * 2] = (float)cos(angle);
            table[(p * quarter + j) * 2 + 1] = (float)sin(angle);
        }
    memcpy(c->index[POSITIONS].host, c->info->positions,
           c->index[POSITIONS].bytes);
    return op_array_send(&c->index[ROPE]) ||
           op_array_send(&c->index[POSITIONS]);
}

static int
make_qkv(op_array *a, const op_case *c)
{
    return op_array_random(a, 1, (size_t)(c->rows * 3 * c->geometry->hidden), 3,
                           0);
}

/* ---- rope ---------------------------------------------------------------- */

static int
make_rope(op_case *c)
{
    c->columns = 3 * c->geometry->hidden;
    c->row_bytes = (size_t)c->columns * 2;
    return make_qkv(&c->initial, c) || make_positions(c);
}

static cudaError_t
prepare_rope(const op_case *c)
{
    (void)c;
    return oriel_cuda_rope_prepare(NULL);
}

static cudaError_t
run_rope(const op_case *c, int64_t first, int64_t rows, void *out)
{
    const oriel_rope_args args = {out,
                                  c->index[ROPE].device,
                                  (const int32_t *)c->index[POSITIONS].device +
                                      2 * first,
                                  rows,
                                  c->geometry->heads,
                                  c->geometry->head_dim};

    return oriel_cuda_rope(&args, NULL);
}

static void
turned_row(const op_case *c, const void *qkv, int64_t row, double *out)
{
    const int32_t width = 3 * c->geometry->hidden;
    const int32_t *position = c->info->positions + 2 * row;

    for (int32_t i = 0; i < width; i++)
        out[i] = op_bf16(qkv, (size_t)(row * width + i));
    oracle_rope(out, 2 * c->geometry->heads, c->geometry->head_dim, THETA,
                position[0], position[1], 0);
}

static void
exact_rope(const op_case *c, int64_t row, double *out)
{
    turned_row(c, c->initial.host, row, out);
}

/* q and k there and back. */
static double
rope_bytes(const op_case *c)
{
    return 2.0 * 2.0 * 2.0 * c->geometry->hidden * (double)c->rows;
}

/* ---- Attention ----------------------------------------------------------- */

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

typedef int64_t cut(const int32_t *cu, int32_t n, oriel_cuda_put *put,
                    void *context);

/* Queries, keys, values; prefix sums; what each block does. */
static int
make_attention(op_case *c, const int32_t *cu, int32_t n, cut *by, int32_t width)
{
    list l = {NULL, 0, width};
    const int64_t work = by(cu, n, NULL, NULL);

    c->columns = c->geometry->hidden;
    c->row_bytes = (size_t)c->columns * 2;
    if (make_qkv(&c->x, c) || make_positions(c) ||
        op_array_make(&c->index[SEGMENTS], ((size_t)n + 1) * sizeof(*cu)) ||
        op_array_make(&c->index[WORK],
                      (size_t)(work * width) * sizeof(*l.rows)))
        return -1;
    memcpy(c->index[SEGMENTS].host, cu, c->index[SEGMENTS].bytes);
    l.rows = c->index[WORK].host;
    by(cu, n, put, &l);
    c->n_index = n;
    c->depth = (int32_t)work;
    return op_array_send(&c->index[SEGMENTS]) || op_array_send(&c->index[WORK]);
}

static int
make_windows(op_case *c)
{
    return make_attention(c, c->info->cu_window_seqlens, c->info->n_windows,
                          oriel_cuda_pack_windows, ORIEL_PACK_COLUMNS);
}

static int
make_frames(op_case *c)
{
    return make_attention(c, c->info->cu_seqlens, c->info->n_frames,
                          oriel_cuda_tile_segments, ORIEL_TILE_COLUMNS);
}

static float
scale_log2(const op_case *c)
{
    return (float)(log2(exp(1)) / sqrt(c->geometry->head_dim));
}

static cudaError_t
prepare_windows(const op_case *c)
{
    return oriel_cuda_window_attention_prepare(c->geometry->head_dim, NULL);
}

static cudaError_t
run_windows(const op_case *c, int64_t first, int64_t rows, void *out)
{
    const oriel_window_attention_args args = {c->x.device,
                                              out,
                                              c->index[SEGMENTS].device,
                                              c->index[WORK].device,
                                              c->index[ROPE].device,
                                              c->index[POSITIONS].device,
                                              c->depth,
                                              c->geometry->heads,
                                              c->geometry->head_dim,
                                              scale_log2(c)};

    (void)first;
    (void)rows;
    return oriel_cuda_window_attention(&args, NULL);
}

static cudaError_t
prepare_frames(const op_case *c)
{
    return oriel_cuda_full_attention_prepare(c->geometry->head_dim, NULL);
}

static cudaError_t
run_frames(const op_case *c, int64_t first, int64_t rows, void *out)
{
    const oriel_full_attention_args args = {
        c->x.device,           out,
        c->index[WORK].device, c->depth,
        c->geometry->heads,    c->geometry->head_dim,
        scale_log2(c)};

    (void)first;
    (void)rows;
    return oriel_cuda_full_attention(&args, NULL);
}

/* One query of one head against keys and values [n, 3 hidden]. */
static void
attend(const op_case *c, const double *query, const double *segment, int64_t n,
       int32_t head, double *out)
{
    const int32_t dim = c->geometry->head_dim, hidden = c->geometry->hidden;
    double *p = malloc((size_t)n * sizeof(*p));
    double most = -INFINITY, sum = 0;

    for (int64_t r = 0; r < n; r++) {
        const double *key = segment + r * 3 * hidden + hidden + head * dim;

        p[r] = 0;
        for (int32_t d = 0; d < dim; d++)
            p[r] += query[head * dim + d] * key[d];
        most = fmax(most, p[r]);
    }
    memset(out + head * dim, 0, (size_t)dim * sizeof(*out));
    for (int64_t r = 0; r < n; r++) {
        const double *value =
            segment + r * 3 * hidden + 2 * hidden + head * dim;

        p[r] = exp((p[r] - most) / sqrt(dim));
        sum += p[r];
        for (int32_t d = 0; d < dim; d++)
            out[head * dim + d] += p[r] * value[d];
    }
    for (int32_t d = 0; d < dim; d++)
        out[head * dim + d] /= sum;
    free(p);
}

static void
exact_attention(const op_case *c, int64_t row, double *out, bool turns)
{
    const int32_t width = 3 * c->geometry->hidden;
    const int32_t *cu = c->index[SEGMENTS].host;
    int32_t s = 0;
    double *segment;
    int64_t n;

    while (cu[s + 1] <= row)
        s++;
    n = cu[s + 1] - cu[s];
    segment = malloc((size_t)(n * width) * sizeof(*segment));
    for (int64_t r = 0; r < n; r++)
        if (turns)
            turned_row(c, c->x.host, cu[s] + r, segment + r * width);
        else
            for (int32_t i = 0; i < width; i++)
                segment[r * width + i] =
                    op_bf16(c->x.host, (size_t)((cu[s] + r) * width + i));
    for (int32_t h = 0; h < c->geometry->heads; h++)
        attend(c, segment + (row - cu[s]) * width, segment, n, h, out);
    free(segment);
}

static void
exact_windows(const op_case *c, int64_t row, double *out)
{
    exact_attention(c, row, out, true);
}

static void
exact_frames(const op_case *c, int64_t row, double *out)
{
    exact_attention(c, row, out, false);
}

static double
attention_bytes(const op_case *c)
{
    return 8.0 * c->geometry->hidden * (double)c->rows;
}

static double
attention_flops(const op_case *c)
{
    const int32_t *cu = c->index[SEGMENTS].host;
    double pairs = 0;

    for (int32_t s = 0; s < c->n_index; s++)
        pairs += pow(cu[s + 1] - cu[s], 2);
    return 4.0 * c->geometry->hidden * pairs;
}

/* ---- The table ----------------------------------------------------------- */

const op ops_other[] = {
    {"rms_norm", false, make_norm, prepare_norm, run_norm, exact_norm,
     norm_bytes, no_flops, OP_LIBRARY_NONE},
    {"rope", false, make_rope, prepare_rope, run_rope, exact_rope, rope_bytes,
     no_flops, OP_LIBRARY_NONE},
    {"window_attention", false, make_windows, prepare_windows, run_windows,
     exact_windows, attention_bytes, attention_flops, OP_LIBRARY_NONE},
    {"full_attention", false, make_frames, prepare_frames, run_frames,
     exact_frames, attention_bytes, attention_flops, OP_LIBRARY_NONE},
};
const int n_ops_other = sizeof(ops_other) / sizeof(ops_other[0]);
