/* SPDX-License-Identifier: Apache-2.0 */
/* The linear layers on the GPU, against double precision. */
#include "kernels/device_case.h"
#include "oracle/oracle.h"
#include "support/suite.h"

#include "ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Both sides of every tile edge, in rows, columns and depth. */
static const struct {
    int rows, columns, depth;
} shapes[] = {
    {1, 16, 8},      {4, 128, 64},    {16, 144, 72},    {127, 128, 192},
    {128, 112, 256}, {129, 256, 200}, {300, 272, 1280}, {2, 1280, 3456},
};

struct linear_case {
    int64_t rows;
    int32_t columns, depth;
    uint16_t *x, *weight, *bias, *residual;
    device_buffer dx, dweight, dbias;
    bool adds;
};

static cudaError_t
run(void *context, void *out)
{
    const struct linear_case *c = context;
    oriel_linear_args args = {c->dx.data, c->dweight.data, c->dbias.data, out,
                              c->rows,    c->columns,      c->depth};

    return c->adds ? oriel_cuda_linear_residual(&args, NULL)
                   : oriel_cuda_linear(&args, NULL);
}

static struct linear_case
make_case(int shape)
{
    random_stream random = {(uint64_t)shape + 1};
    struct linear_case c = {.rows = shapes[shape].rows,
                            .columns = shapes[shape].columns,
                            .depth = shapes[shape].depth};
    size_t rows = (size_t)c.rows, columns = (size_t)c.columns,
           depth = (size_t)c.depth;

    c.x = random_bf16(&random, rows * depth, 2, 0);
    c.weight = random_bf16(&random, columns * depth, 0.1, 0);
    c.bias = random_bf16(&random, columns, 1, 0);
    c.residual = random_bf16(&random, rows * columns, 4, 0);
    c.dx = device_upload(c.x, rows * depth * 2);
    c.dweight = device_upload(c.weight, columns * depth * 2);
    c.dbias = device_upload(c.bias, columns * 2);
    ck_assert_int_eq(oriel_cuda_linear_prepare(), cudaSuccess);
    return c;
}

static void
free_case(struct linear_case *c)
{
    device_release(c->dx);
    device_release(c->dweight);
    device_release(c->dbias);
    free(c->x);
    free(c->weight);
    free(c->bias);
    free(c->residual);
}

/* The bound at the head of linear.cu, value by value. */
static void
check_against_oracle(const struct linear_case *c, const uint16_t *out)
{
    size_t n = (size_t)(c->rows * c->columns);
    double *x = bf16_values(c->x, (size_t)(c->rows * c->depth));
    double *w = bf16_values(c->weight, (size_t)c->columns * (size_t)c->depth);
    double *b = bf16_values(c->bias, (size_t)c->columns);
    double *exact = malloc(n * sizeof(double));

    oracle_linear(exact, x, w, b, c->rows, c->columns, c->depth);
    for (int64_t r = 0; r < c->rows; r++)
        for (int32_t j = 0; j < c->columns; j++) {
            size_t at = (size_t)(r * c->columns + j);
            double truth =
                exact[at] + (c->adds ? bf16_value(c->residual[at]) : 0);
            double size = 0;

            for (int32_t k = 0; k < c->depth; k++)
                size += fabs(x[r * c->depth + k] * w[j * c->depth + k]);
            double bound =
                fabs(truth) * 0x1p-8 + (c->depth / 16.0 + 4) * 0x1p-22 * size;
            ck_assert_msg(fabs(bf16_value(out[at]) - truth) <= bound,
                          "row %d column %d: %g, not %g within %g", (int)r, j,
                          bf16_value(out[at]), truth, bound);
        }
    free(x);
    free(w);
    free(b);
    free(exact);
}

static void
check_shape(int shape, bool adds)
{
    struct linear_case c = make_case(shape);
    size_t bytes = (size_t)(c.rows * c.columns) * 2;
    uint16_t *out = malloc(bytes);

    c.adds = adds;
    device_check_schedules(run, &c, out, bytes, adds ? c.residual : NULL);
    check_against_oracle(&c, out);
    free(out);
    free_case(&c);
}

START_TEST(with_bias)
{
    check_shape(_i, false);
}
END_TEST

START_TEST(with_residual)
{
    check_shape(_i, true);
}
END_TEST

START_TEST(refuses_what_it_cannot)
{
    static _Alignas(16) uint16_t memory[8];
    oriel_linear_args good = {memory, memory, NULL, memory, 0, 16, 8};
    oriel_linear_args bad;

    ck_assert_int_eq(oriel_cuda_linear(&good, NULL), cudaSuccess);
    bad = good, bad.columns = 8;
    ck_assert_int_eq(oriel_cuda_linear(&bad, NULL), cudaErrorInvalidValue);
    bad = good, bad.depth = 12;
    ck_assert_int_eq(oriel_cuda_linear(&bad, NULL), cudaErrorInvalidValue);
    bad = good, bad.x = memory + 1;
    ck_assert_int_eq(oriel_cuda_linear(&bad, NULL), cudaErrorInvalidValue);
    bad = good, bad.rows = -1;
    ck_assert_int_eq(oriel_cuda_linear_residual(&bad, NULL),
                     cudaErrorInvalidValue);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("linear");
    TCase *tcase = tcase_create("linear");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, with_bias, 0, COUNT(shapes));
    tcase_add_loop_test(tcase, with_residual, 0, COUNT(shapes));
    tcase_add_test(tcase, refuses_what_it_cannot);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
