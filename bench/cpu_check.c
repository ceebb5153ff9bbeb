/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_check.c - see cpu_check.h */
#include "cpu_check.h"

#include "base/half.h"
#include "oracle/oracle.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Relative L2 of a row.  A step rounds its operands to bf16 once or twice, each
   within 2^-9; a wrong row is off by as much as it is large. */
#define CLOSE_FP32 1e-4
#define CLOSE_BF16 1e-2

static const char *const names[CPU_STEPS] = {
    "patchify", "embed",  "attn_in", "attend windows", "attend frames",
    "attn_out", "mlp_in", "mlp_out", "merge"};

/* ---- Values of the backend's --------------------------------------------- */

static double
stored(const cpu_check *c, const void *array, int64_t i)
{
    if (c->context->weights->storage == ORIEL_STORAGE_BF16)
        return oriel_bf16_to_f32(((const uint16_t *)array)[i]);
    return ((const float *)array)[i];
}

static void
take_stored(const cpu_check *c, double *to, const void *array, int64_t first,
            int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = stored(c, array, first + i);
}

static void
take_residual(const cpu_check *c, double *to, int64_t row)
{
    const int64_t hidden = c->net->hidden_size;

    for (int64_t i = 0; i < hidden; i++)
        to[i] = c->context->space.residual[row * hidden + i];
}

/* Row 'row' of a tensor as the checkpoint has it. */
static void
read_row(const cpu_check *c, oriel_tensor tensor, int32_t block, int64_t row,
         float *to)
{
    oriel_error err;

    if (c->reader->read(c->reader->model, tensor, block, row, 1,
                        ORIEL_DTYPE_F32, to, &err)) {
        fprintf(stderr, "oriel_bench_cpu_ops: %s\n", err.message);
        exit(EXIT_FAILURE);
    }
}

/* y[n][rows of w] = x[n][columns of w] . w^T + b */
static void
multiply(const cpu_check *c, double *y, const double *x, int64_t n,
         oriel_tensor weight, oriel_tensor bias, int32_t block)
{
    const oriel_tensor_shape shape = oriel_tensor_get_shape(c->net, weight);
    float *row = oracle_alloc((size_t)shape.columns, sizeof(*row)), b = 0;
    double *w = oracle_alloc((size_t)shape.columns, sizeof(*w));

    for (int64_t j = 0; j < shape.rows; j++) {
        double wide;

        read_row(c, weight, block, j, row);
        if (bias < ORIEL_N_TENSORS)
            read_row(c, bias, block, j, &b);
        wide = b;
        for (int64_t i = 0; i < shape.columns; i++)
            w[i] = row[i];
        for (int64_t i = 0; i < n; i++)
            oracle_linear(y + i * shape.rows + j, x + i * shape.columns, w,
                          &wide, 1, 1, shape.columns);
    }
    free(row);
    free(w);
}

/* In place, a row of the hidden size at a time. */
static void
normalise(const cpu_check *c, double *x, int64_t n, oriel_tensor weight,
          int32_t block)
{
    const int64_t hidden = c->net->hidden_size;
    double *w = oracle_alloc((size_t)hidden, sizeof(*w));

    for (int64_t i = 0; i < hidden; i++) {
        float value;

        read_row(c, weight, block, i, &value);
        w[i] = value;
    }
    oracle_rms_norm(x, x, w, n, hidden, ORIEL_RMS_NORM_EPS);
    free(w);
}

/* ---- A row against the exact one ---------------------------------------------- */

static int
compare(const cpu_check *c, cpu_step step, int64_t row, const double *got,
        const double *exact, int64_t n)
{
    const double close = c->context->weights->storage == ORIEL_STORAGE_F32 &&
                                 step != CPU_MERGE /* its result is bf16 */
                             ? CLOSE_FP32
                             : CLOSE_BF16;
    double apart = 0, all = 0;

    for (int64_t i = 0; i < n; i++) {
        apart += (got[i] - exact[i]) * (got[i] - exact[i]);
        all += exact[i] * exact[i];
    }
    if (sqrt(apart) <= close * sqrt(all)) /* false for NaN */
        return 0;
    fprintf(stderr,
            "oriel_bench_cpu_ops: %s: row %lld is %.2e off in relative L2, "
            "expected within %.0e: not timed\n",
            names[step], (long long)row, sqrt(apart / all), close);
    return -1;
}

static int
compare_residual(const cpu_check *c, cpu_step step, const double *exact)
{
    const int64_t hidden = c->net->hidden_size;
    double *got = oracle_alloc((size_t)hidden, sizeof(*got));
    int wrong = 0;

    for (int i = 0; i < CPU_CHECKED; i++) {
        take_residual(c, got, c->rows[i]);
        wrong |= compare(c, step, c->rows[i], got, exact + i * hidden, hidden);
    }
    free(got);
    return wrong;
}

/* Rows of an array that steps keep in the weights' storage, 'stride' apart. */
static int
compare_stored(const cpu_check *c, cpu_step step, const void *array,
               int64_t stride, const double *exact, int64_t exact_stride,
               int64_t n)
{
    double *got = oracle_alloc((size_t)n, sizeof(*got));
    int wrong = 0;

    for (int i = 0; i < CPU_CHECKED; i++) {
        take_stored(c, got, array, c->rows[i] * stride, n);
        wrong |= compare(c, step, c->rows[i], got, exact + i * exact_stride, n);
    }
    free(got);
    return wrong;
}

/* ---- Steps ---------------------------------------------------------------------- */

/* Where a patch of the window order is in its picture, in patches. */
static void
locate(const cpu_check *c, int64_t row, int64_t *y, int64_t *x)
{
    const int64_t side = c->net->patch_size * 2, across = c->width / side,
                  tokens = across * (c->height / side);
    const int64_t token = c->info->window_index[row / CPU_MERGED] % tokens;

    *y = token / across * 2 + row % CPU_MERGED / 2;
    *x = token % across * 2 + row % 2;
}

/* Columns are channel, frame, y, x; the frames of an image are the same. */
static int
check_patchify(const cpu_check *c)
{
    const oriel_network *net = c->net;
    const int64_t side = net->patch_size, n = oriel_network_patch_columns(net);
    double *exact = oracle_alloc((size_t)n * CPU_CHECKED, sizeof(*exact));
    int wrong;

    for (int r = 0; r < CPU_CHECKED; r++) {
        int64_t y, x;

        locate(c, c->rows[r], &y, &x);
        for (int64_t i = 0; i < n; i++) {
            const int64_t channel = i / (n / net->in_channels);
            const int64_t py = y * side + i / side % side,
                          px = x * side + i % side;
            const double level =
                c->pixels[(py * c->width + px) * net->in_channels + channel];

            exact[r * n + i] = (level / 255 - net->image_mean[channel]) /
                               net->image_std[channel];
        }
    }
    wrong = compare_stored(
        c, CPU_PATCHIFY, c->context->space.patch_rows,
        c->context->weights->shapes.product[ORIEL_LAYER_PATCH].k, exact, n, n);
    free(exact);
    return wrong;
}

/* The residual that follows from rows that are kept in 'before'. */
static int
check_added(const cpu_check *c, cpu_step step, const void *operand,
            int64_t stride, const oriel_layer_tensors *layer, int32_t block)
{
    const oriel_tensor_shape shape =
        oriel_tensor_get_shape(c->net, layer->weight);
    double *x = oracle_alloc((size_t)shape.columns * CPU_CHECKED, sizeof(*x));
    double *y = oracle_alloc((size_t)shape.rows * CPU_CHECKED, sizeof(*y));
    int wrong;

    for (int i = 0; i < CPU_CHECKED; i++)
        take_stored(c, x + i * shape.columns, operand, c->rows[i] * stride,
                    shape.columns);
    multiply(c, y, x, CPU_CHECKED, layer->weight, layer->bias, block);
    for (int64_t i = 0; step != CPU_EMBED && i < shape.rows * CPU_CHECKED; i++)
        y[i] += c->before[i];
    wrong = compare_residual(c, step, y);
    free(x);
    free(y);
    return wrong;
}

static int
check_attn_in(const cpu_check *c, int32_t block)
{
    const int64_t hidden = c->net->hidden_size;
    const int32_t *positions = c->info->positions;
    const void *const arrays[] = {c->context->space.q, c->context->space.k,
                                  c->context->space.v};
    double *x = oracle_alloc((size_t)hidden * CPU_CHECKED, sizeof(*x));
    double *y = oracle_alloc((size_t)hidden * 3 * CPU_CHECKED, sizeof(*y));
    int wrong = 0;

    for (int i = 0; i < CPU_CHECKED; i++)
        take_residual(c, x + i * hidden, c->rows[i]);
    normalise(c, x, CPU_CHECKED, ORIEL_TENSOR_NORM1, block);
    multiply(c, y, x, CPU_CHECKED, ORIEL_TENSOR_QKV_WEIGHT,
             ORIEL_TENSOR_QKV_BIAS, block);
    for (int i = 0; i < CPU_CHECKED; i++) /* q and k */
        oracle_rope(y + i * hidden * 3, c->net->num_heads * 2, c->net->head_dim,
                    c->net->rope_theta, positions[2 * c->rows[i]],
                    positions[2 * c->rows[i] + 1], 0);
    for (int a = 0; a < 3; a++)
        wrong |= compare_stored(c, CPU_ATTN_IN, arrays[a], hidden,
                                y + a * hidden, hidden * 3, hidden);
    free(x);
    free(y);
    return wrong;
}

/* One row of attention, from the query that was kept. */
static void
attend_row(const cpu_check *c, double *out, const double *query, int64_t first,
           int64_t n)
{
    const int64_t hidden = c->net->hidden_size;
    double *k = oracle_alloc((size_t)(n * hidden), sizeof(*k));
    double *v = oracle_alloc((size_t)(n * hidden), sizeof(*v));
    double *weights = oracle_alloc((size_t)n, sizeof(*weights));
    int64_t *rows = oracle_alloc((size_t)n, sizeof(*rows));

    take_stored(c, k, c->context->space.k, first * hidden, n * hidden);
    take_stored(c, v, c->context->space.v, first * hidden, n * hidden);
    for (int64_t i = 0; i < n; i++)
        rows[i] = i;
    for (int32_t h = 0; h < c->net->num_heads; h++) {
        const int64_t at = (int64_t)h * c->net->head_dim;

        oracle_attention_row(out + at, query + at, k + at, v + at, hidden,
                             c->net->head_dim, rows, n, weights);
    }
    free(k);
    free(v);
    free(weights);
    free(rows);
}

static int
check_attend(const cpu_check *c, cpu_step step)
{
    const int64_t hidden = c->net->hidden_size;
    const int32_t *cu =
        step == CPU_FRAMES ? c->info->cu_seqlens : c->info->cu_window_seqlens;
    double *exact = oracle_alloc((size_t)hidden * CPU_CHECKED, sizeof(*exact));
    int wrong;

    for (int i = 0; i < CPU_CHECKED; i++) {
        int64_t s = 0;

        while (cu[s + 1] <= c->rows[i])
            s++;
        attend_row(c, exact + i * hidden, c->before + i * hidden, cu[s],
                   cu[s + 1] - cu[s]);
    }
    wrong = compare_stored(c, step, c->context->space.q, hidden, exact, hidden,
                           hidden);
    free(exact);
    return wrong;
}

static int
check_mlp_in(const cpu_check *c, int32_t block)
{
    const int64_t hidden = c->net->hidden_size, n = c->net->intermediate_size;
    double *x = oracle_alloc((size_t)hidden * CPU_CHECKED, sizeof(*x));
    double *gate = oracle_alloc((size_t)n * CPU_CHECKED, sizeof(*gate));
    double *up = oracle_alloc((size_t)n * CPU_CHECKED, sizeof(*up));
    int wrong;

    for (int i = 0; i < CPU_CHECKED; i++)
        take_residual(c, x + i * hidden, c->rows[i]);
    normalise(c, x, CPU_CHECKED, ORIEL_TENSOR_NORM2, block);
    multiply(c, gate, x, CPU_CHECKED, ORIEL_TENSOR_GATE_WEIGHT,
             ORIEL_TENSOR_GATE_BIAS, block);
    multiply(c, up, x, CPU_CHECKED, ORIEL_TENSOR_UP_WEIGHT,
             ORIEL_TENSOR_UP_BIAS, block);
    oracle_swiglu(gate, gate, up, n * CPU_CHECKED);
    wrong = compare_stored(
        c, CPU_MLP_IN, c->context->space.inner,
        c->context->weights->shapes.product[ORIEL_LAYER_DOWN].k, gate, n, n);
    free(x);
    free(gate);
    free(up);
    return wrong;
}

/* Here a row is a token. */
static int
check_merge(const cpu_check *c)
{
    const int64_t hidden = c->net->hidden_size, wide = hidden * CPU_MERGED,
                  n = c->net->out_hidden_size;
    double *x = oracle_alloc((size_t)wide * CPU_CHECKED, sizeof(*x));
    double *y = oracle_alloc((size_t)wide * CPU_CHECKED, sizeof(*y));
    double *exact = oracle_alloc((size_t)n * CPU_CHECKED, sizeof(*exact));
    double *got = oracle_alloc((size_t)n, sizeof(*got));
    int wrong = 0;

    for (int64_t p = 0; p < CPU_CHECKED * CPU_MERGED; p++)
        take_residual(c, x + p * hidden,
                      c->rows[p / CPU_MERGED] / CPU_MERGED * CPU_MERGED +
                          p % CPU_MERGED);
    normalise(c, x, CPU_CHECKED * CPU_MERGED, ORIEL_TENSOR_MERGER_NORM, 0);
    multiply(c, y, x, CPU_CHECKED, ORIEL_TENSOR_MERGER_FC1_WEIGHT,
             ORIEL_TENSOR_MERGER_FC1_BIAS, 0);
    oracle_gelu(y, y, wide * CPU_CHECKED);
    multiply(c, exact, y, CPU_CHECKED, ORIEL_TENSOR_MERGER_FC2_WEIGHT,
             ORIEL_TENSOR_MERGER_FC2_BIAS, 0);
    for (int i = 0; i < CPU_CHECKED; i++) {
        const int64_t token = c->rows[i] / CPU_MERGED,
                      place = c->info->window_index[token];

        for (int64_t j = 0; j < n; j++)
            got[j] = oriel_bf16_to_f32(c->embeddings[place * n + j]);
        wrong |= compare(c, CPU_MERGE, token, got, exact + i * n, n);
    }
    free(x);
    free(y);
    free(exact);
    free(got);
    return wrong;
}

/* ---- Before and after ------------------------------------------------------------ */

void
cpu_check_before(cpu_check *c, cpu_step step)
{
    const int64_t hidden = c->net->hidden_size;

    for (int i = 0; i < CPU_CHECKED; i++) {
        double *to = c->before + i * hidden;

        if (step == CPU_WINDOWS || step == CPU_FRAMES)
            take_stored(c, to, c->context->space.q, c->rows[i] * hidden,
                        hidden);
        else if (step == CPU_ATTN_OUT || step == CPU_MLP_OUT)
            take_residual(c, to, c->rows[i]);
    }
}

int
cpu_check_after(cpu_check *c, cpu_step step, int32_t block)
{
    const oriel_cpu_workspace *space = &c->context->space;
    const oriel_cpu_gemm_shape *products = c->context->weights->shapes.product;

    switch (step) {
    case CPU_PATCHIFY:
        return check_patchify(c);
    case CPU_EMBED:
        return check_added(c, step, space->patch_rows,
                           products[ORIEL_LAYER_PATCH].k,
                           oriel_layer_get_tensors(ORIEL_LAYER_PATCH), 0);
    case CPU_ATTN_IN:
        return check_attn_in(c, block);
    case CPU_WINDOWS:
    case CPU_FRAMES:
        return check_attend(c, step);
    case CPU_ATTN_OUT:
        return check_added(c, step, space->q, c->net->hidden_size,
                           oriel_layer_get_tensors(ORIEL_LAYER_PROJ), block);
    case CPU_MLP_IN:
        return check_mlp_in(c, block);
    case CPU_MLP_OUT:
        return check_added(c, step, space->inner, products[ORIEL_LAYER_DOWN].k,
                           oriel_layer_get_tensors(ORIEL_LAYER_DOWN), block);
    case CPU_MERGE:
        return check_merge(c);
    case CPU_STEPS:
        break;
    }
    return -1;
}
