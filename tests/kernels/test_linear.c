/* SPDX-License-Identifier: Apache-2.0 */
/* The linear layers on the GPU, against double precision. */
#include "kernels/linear_case.h"
#include "support/suite.h"

#include <math.h>
#include <stdlib.h>

/* Both sides of every tile edge, in rows, columns and depth; and of a swath, where
   a tile too many divides by zero, and where it is two tiles wide. */
static const linear_shape shapes[] = {
    {1, 16, 8},      {4, 128, 64},   {16, 144, 72},   {127, 128, 192},
    {3, 8, 24},      {131, 136, 40}, {128, 112, 256}, {129, 256, 200},
    {140, 144, 640}, {2, 64, 3456},  {1024, 128, 8},  {1100, 256, 8},
    {128, 136, 8}};
enum { RANDOM_SHAPES = 3 };

static cudaError_t
run_bias(void *context, void *out)
{
    oriel_linear_args args = linear_case_args(context, out);

    return oriel_cuda_linear(&args, NULL);
}

static cudaError_t
run_residual(void *context, void *out)
{
    oriel_linear_args args = linear_case_args(context, out);

    return oriel_cuda_linear_residual(&args, NULL);
}

/* The bound at the head of linear.cu, value by value. */
static void
check(const linear_case *c, const uint16_t *out, const uint16_t *residual)
{
    for (int64_t i = 0; i < c->rows * c->columns; i++) {
        double truth = c->exact[i] + (residual ? bf16_value(residual[i]) : 0);
        double bound = fabs(truth) * 0x1p-8 + c->slack[i] +
                       (residual ? 0x1p-23 * fabs(truth) : 0);

        ck_assert_msg(fabs(bf16_value(out[i]) - truth) <= bound,
                      "row %d column %d: %g, not %g within %g",
                      (int)(i / c->columns), (int)(i % c->columns),
                      bf16_value(out[i]), truth, bound);
    }
}

static void
check_shape(int i, bool adds)
{
    linear_case c = linear_case_make(linear_shape_at(shapes, COUNT(shapes), i));
    random_stream random = {99};
    size_t n = (size_t)(c.rows * c.columns);
    uint16_t *residual = random_bf16(&random, n, 4, 0);
    uint16_t *out = malloc(n * 2);

    if (i % 2)
        linear_case_add_outliers(&c);
    ck_assert_int_eq(oriel_cuda_linear_prepare(NULL), cudaSuccess);
    device_check_schedules(adds ? run_residual : run_bias, &c, out, n * 2,
                           adds ? residual : NULL);
    check(&c, out, adds ? residual : NULL);
    free(residual);
    free(out);
    linear_case_free(&c);
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

static cudaError_t
run_without_bias(void *context, void *out)
{
    oriel_linear_args args = linear_case_args(context, out);

    args.bias = NULL;
    return oriel_cuda_linear(&args, NULL);
}

START_TEST(a_bias_may_be_absent)
{
    linear_case c = linear_case_make((linear_shape){20, 48, 72});
    size_t bytes = (size_t)(c.rows * c.columns) * 2;
    uint16_t *zero = malloc(bytes), *absent = malloc(bytes);
    uint16_t nothing[48] = {0};

    ck_assert_int_eq(oriel_cuda_linear_prepare(NULL), cudaSuccess);
    device_put(c.d_bias, 0, nothing, sizeof(nothing));
    device_check_schedules(run_bias, &c, zero, bytes, NULL);
    device_check_schedules(run_without_bias, &c, absent, bytes, NULL);
    ck_assert_mem_eq(zero, absent, bytes);
    free(zero);
    free(absent);
    linear_case_free(&c);
}
END_TEST

/* A row's bytes are its own: alone, or after rows of NaN and infinity. */
START_TEST(rows_are_their_own)
{
    linear_shape shape = {150, 64, 192};
    linear_case c = linear_case_make(shape);
    size_t bytes = (size_t)(c.rows * c.columns) * 2;
    uint16_t *together = malloc(bytes), *dirty = malloc(bytes),
             *alone = malloc(bytes);

    ck_assert_int_eq(oriel_cuda_linear_prepare(NULL), cudaSuccess);
    device_check_schedules(run_bias, &c, together, bytes, NULL);
    for (int64_t r = 0; r < c.rows; r++)
        if (r % 50 != 3)
            for (int32_t k = 0; k < c.depth; k++)
                c.x[r * c.depth + k] = r % 2 ? 0x7fc0 : 0x7f80;
    device_release(c.d_x);
    c.d_x = device_upload(c.x, (size_t)(c.rows * c.depth) * 2);
    device_check_schedules(run_bias, &c, dirty, bytes, NULL);
    for (int64_t r = 3; r < c.rows; r += 50) {
        linear_case one = c;

        one.rows = 1;
        one.d_x.data = (char *)c.d_x.data + r * c.depth * 2;
        device_check_schedules(run_bias, &one, alone, (size_t)c.columns * 2,
                               NULL);
        ck_assert_mem_eq(alone, together + r * c.columns,
                         (size_t)c.columns * 2);
        ck_assert_mem_eq(alone, dirty + r * c.columns, (size_t)c.columns * 2);
    }
    free(together);
    free(dirty);
    free(alone);
    linear_case_free(&c);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("linear");
    TCase *tcase = tcase_create("linear");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, with_bias, 0, COUNT(shapes) + RANDOM_SHAPES);
    tcase_add_loop_test(tcase, with_residual, 0, COUNT(shapes) + RANDOM_SHAPES);
    tcase_add_test(tcase, a_bias_may_be_absent);
    tcase_add_test(tcase, rows_are_their_own);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
