/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/linear.h"

#include "oracle/oracle.h"

#include <math.h>
#include <stdlib.h>

/* ---- What the products share ------------------------------------------------ */

int
op_make_product(op_case *c, random_stream *random, int32_t weights)
{
    const double scale = c->shape.scale > 0 ? c->shape.scale : 2;
    const size_t depth = (size_t)c->depth;

    return op_array_random(&c->x, random, (size_t)c->rows * depth, scale, 0) ||
           op_array_random(&c->weight, random, (size_t)weights * depth, 0.1,
                           0) ||
           op_array_random(&c->bias, random, (size_t)weights, 1, 0);
}

const uint16_t *
op_product_x(const op_case *c, int64_t first)
{
    return (const uint16_t *)c->x.device.data + first * c->depth;
}

oriel_linear_args
op_product_args(const op_case *c, int64_t first, int64_t rows, void *out)
{
    return (oriel_linear_args){op_product_x(c, first),
                               c->weight.device.data,
                               c->bias.device.data,
                               out,
                               op_told(c, rows),
                               c->columns,
                               c->depth,
                               op_case_lo(c, out, rows),
                               op_counted(c)};
}

double
op_sum_slack(const double *a, const double *b, int64_t depth)
{
    double sum = 0, terms = 0;

    for (int64_t k = 0; k < depth; k++) {
        const double product = a[k] * b[k];

        if (k % 16 == 0)
            terms += fabs(sum);
        terms += fabs(product);
        sum += product;
    }
    return (1 + 0x1p-7) * 22 * 0x1p-24 * terms; /* 2^-7: products of errors */
}

/* One weight at a time, so that a benchmark's matrices are not held in double. */
void
op_product_exact(const op_case *c, int64_t first, int64_t rows, double *exact,
                 double *slack)
{
    const size_t depth = (size_t)c->depth;
    const int64_t n = (int64_t)(c->bias.device.bytes / 2);
    double *x = bf16_values((const uint16_t *)c->x.host + first * c->depth,
                            (size_t)rows * depth);
    double *column = malloc((size_t)rows * sizeof(*column));

    for (int64_t j = 0; j < n; j++) {
        double *w = bf16_values(
            (const uint16_t *)c->weight.host + (size_t)j * depth, depth);
        const double bias = bf16_value(((const uint16_t *)c->bias.host)[j]);

        oracle_linear(column, x, w, &bias, rows, 1, c->depth);
        for (int64_t r = 0; r < rows; r++) {
            exact[r * n + j] = column[r];
            slack[r * n + j] =
                op_sum_slack(x + (size_t)r * depth, w, c->depth) +
                0x1p-23 * fabs(column[r]);
        }
        free(w);
    }
    free(x);
    free(column);
}

double
op_product_flops(const op_case *c)
{
    return 2.0 * (double)c->rows * (double)(c->weight.device.bytes / 2);
}

int
op_add_outliers(op_case *c)
{
    random_stream random = {(uint64_t)c->depth};
    uint16_t *x = c->x.host;

    for (int i = 0; i < 3; i++) {
        const int64_t channel = random_between(&random, 0, c->depth - 1);
        uint16_t *large = random_bf16(&random, (size_t)c->rows, 500, 4000);

        for (int64_t r = 0; r < c->rows; r++)
            x[r * c->depth + channel] = large[r];
        free(large);
    }
    return op_array_send(&c->x);
}

/* ---- With bias, and added to what is there ----------------------------------- */

static int
make(op_case *c, random_stream *random)
{
    return op_make_product(c, random, c->columns);
}

static int
make_wide_residual(op_case *c, random_stream *random)
{
    const size_t n = (size_t)(c->rows * c->columns);
    uint16_t *hi, *lo;

    if (op_array_random(&c->initial, random, 2 * n, 4, 0))
        return -1;
    hi = c->initial.host;
    lo = hi + n;
    for (size_t i = 0; i < n; i++)
        lo[i] = random_rest(random, hi[i], 0x1p-9);
    return op_array_send(&c->initial);
}

static int
make_residual(op_case *c, random_stream *random)
{
    if (make(c, random))
        return -1;
    return c->shape.wide
               ? make_wide_residual(c, random)
               : op_array_random(&c->initial, random,
                                 (size_t)(c->rows * c->columns), 4, 0);
}

static cudaError_t
prepare(const op_case *c)
{
    (void)c;
    return oriel_cuda_linear_prepare(NULL);
}

static cudaError_t
run(const op_case *c, int64_t first, int64_t rows, void *out)
{
    const oriel_linear_args args = op_product_args(c, first, rows, out);

    return oriel_cuda_linear(&args, NULL);
}

static cudaError_t
run_residual(const op_case *c, int64_t first, int64_t rows, void *out)
{
    const oriel_linear_args args = op_product_args(c, first, rows, out);

    return oriel_cuda_linear_residual(&args, NULL);
}

/* The bounds at the head of linear.cu. */
static void
exact(const op_case *c, int64_t first, int64_t rows, double *exact,
      double *bound)
{
    op_product_exact(c, first, rows, exact, bound);
    for (int64_t i = 0; i < rows * c->columns; i++)
        bound[i] += fabs(exact[i]) * 0x1p-8;
}

static void
exact_residual(const op_case *c, int64_t first, int64_t rows, double *exact,
               double *bound)
{
    const uint16_t *residual =
        (const uint16_t *)c->initial.host + first * c->columns;
    const double rounding = c->shape.wide ? 0x1p-17 : 0x1p-8;

    op_product_exact(c, first, rows, exact, bound);
    for (int64_t i = 0; i < rows * c->columns; i++) {
        exact[i] += bf16_value(residual[i]);
        if (c->shape.wide)
            exact[i] += bf16_value(residual[c->rows * c->columns + i]);
        bound[i] += fabs(exact[i]) * (rounding + 0x1p-23) + 0x1p-133;
    }
}

const op op_linear = {"linear", true,  make,          prepare,
                      run,      exact, op_bytes_once, op_product_flops};
const op op_linear_residual = {
    "linear_residual", true,           make_residual, prepare,
    run_residual,      exact_residual, op_bytes_once, op_product_flops};
