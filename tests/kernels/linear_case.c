/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/linear_case.h"

#include "oracle/oracle.h"

#include <math.h>
#include <stdlib.h>

double
linear_slack(const double *a, const double *b, int64_t depth)
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

static void
make_exact(linear_case *c)
{
    size_t n = (size_t)(c->rows * c->columns);
    double *x = bf16_values(c->x, (size_t)(c->rows * c->depth));
    double *w = bf16_values(c->weight, (size_t)c->columns * (size_t)c->depth);
    double *b = bf16_values(c->bias, (size_t)c->columns);

    c->exact = malloc(n * sizeof(double));
    c->slack = calloc(n, sizeof(double));
    oracle_linear(c->exact, x, w, b, c->rows, c->columns, c->depth);
    for (int64_t r = 0; r < c->rows; r++)
        for (int32_t j = 0; j < c->columns; j++) {
            const int64_t i = r * c->columns + j;

            c->slack[i] = linear_slack(x + r * c->depth,
                                       w + (int64_t)j * c->depth, c->depth) +
                          0x1p-23 * fabs(c->exact[i]);
        }
    free(x);
    free(w);
    free(b);
}

linear_shape
linear_shape_at(const linear_shape *chosen, size_t n, int i)
{
    random_stream random = {(uint64_t)i};

    if ((size_t)i < n)
        return chosen[i];
    return (linear_shape){.rows = (int)random_between(&random, 1, 300),
                          .columns = 8 * (int)random_between(&random, 1, 24),
                          .depth = 8 * (int)random_between(&random, 1, 60)};
}

linear_case
linear_case_make(linear_shape shape)
{
    random_stream random = {(uint64_t)(shape.rows * 7 + shape.columns)};
    linear_case c = {
        .rows = shape.rows, .columns = shape.columns, .depth = shape.depth};
    size_t rows = (size_t)c.rows, columns = (size_t)c.columns,
           depth = (size_t)c.depth;

    c.x = random_bf16(&random, rows * depth, 2, 0);
    c.weight = random_bf16(&random, columns * depth, 0.1, 0);
    c.bias = random_bf16(&random, columns, 1, 0);
    c.d_x = device_upload(c.x, rows * depth * 2);
    c.d_weight = device_upload(c.weight, columns * depth * 2);
    c.d_bias = device_upload(c.bias, columns * 2);
    make_exact(&c);
    return c;
}

void
linear_case_add_outliers(linear_case *c)
{
    random_stream random = {(uint64_t)c->depth};

    for (int i = 0; i < 3; i++) {
        int64_t channel = random_between(&random, 0, c->depth - 1);
        uint16_t *large = random_bf16(&random, (size_t)c->rows, 500, 4000);

        for (int64_t r = 0; r < c->rows; r++)
            c->x[r * c->depth + channel] = large[r];
        free(large);
    }
    device_put(c->d_x, 0, c->x, (size_t)(c->rows * c->depth) * 2);
    free(c->exact);
    free(c->slack);
    make_exact(c);
}

oriel_linear_args
linear_case_args(const linear_case *c, void *out)
{
    return (oriel_linear_args){c->d_x.data, c->d_weight.data, c->d_bias.data,
                               out,         c->rows,          c->columns,
                               c->depth};
}

void
linear_case_free(linear_case *c)
{
    device_release(c->d_x);
    device_release(c->d_weight);
    device_release(c->d_bias);
    free(c->x);
    free(c->weight);
    free(c->bias);
    free(c->exact);
    free(c->slack);
}
