/* SPDX-License-Identifier: Apache-2.0 */
/* The linear layers on the GPU, against double precision. */
#include "kernels/op_check.h"
#include "ops/linear.h"
#include "support/suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Both sides of every tile edge, in rows, columns and depth; and of a swath, where
   a tile too many divides by zero, and where it is two tiles wide. */
static const product_shape shapes[] = {
    {1, 16, 8},      {4, 128, 64},   {16, 144, 72},   {127, 128, 192},
    {3, 8, 24},      {131, 136, 40}, {128, 112, 256}, {129, 256, 200},
    {140, 144, 640}, {2, 64, 3456},  {1024, 128, 8},  {1100, 256, 8},
    {128, 136, 8}};
enum { RANDOM_SHAPES = 3 };

/* i odd: with outliers. */
static void
check_shape(const op *which, int i, bool wide)
{
    op_shape shape = product_shape_at(shapes, COUNT(shapes), i);
    op_case c;

    shape.wide = wide;
    c = op_check_make(which, &shape, product_seed(&shape));

    if (i % 2)
        ck_assert_int_eq(op_add_outliers(&c), 0);
    op_check_case(&c);
    op_case_free(&c);
}

START_TEST(with_bias)
{
    check_shape(&op_linear, _i, false);
}
END_TEST

START_TEST(with_residual)
{
    check_shape(&op_linear_residual, _i, false);
}
END_TEST

START_TEST(with_wide_residual)
{
    check_shape(&op_linear_residual, _i, true);
}
END_TEST

/* hi is the bf16 nearest to hi + lo, and lo is not more than that leaves. */
START_TEST(hi_is_the_nearest)
{
    const op_shape shape = {
        .rows = 40, .columns = 64, .depth = 72, .wide = true};
    op_case c = op_check_make(&op_linear_residual, &shape, 5);
    const int64_t n = c.rows * c.columns;
    uint16_t *hi = op_check_run(&c), *lo = hi + n;
    int64_t used = 0;

    for (int64_t i = 0; i < n; i++) {
        const double value = bf16_value(hi[i]), rest = bf16_value(lo[i]);
        int exponent;

        frexp(value, &exponent);
        ck_assert_double_le(fabs(rest), ldexp(1, exponent - 9));
        used += rest != 0;
    }
    ck_assert_int_gt(used, n * 9 / 10);
    free(hi);
    op_case_free(&c);
}
END_TEST

/* A row of two planes is its own, too: alone, or after rows of NaN. */
START_TEST(wide_rows_are_their_own)
{
    const op_shape shape = {
        .rows = 150, .columns = 64, .depth = 192, .wide = true};
    op_case c = op_check_make(&op_linear_residual, &shape, 6);
    const size_t width = 64 * sizeof(uint16_t);
    uint16_t *x = c.x.host, *initial = c.initial.host;
    uint16_t *together = op_check_run(&c), *dirty, alone[2][64];

    for (int64_t r = 0; r < c.rows; r++)
        for (int32_t k = 0; r % 50 != 3 && k < c.depth; k++)
            x[r * c.depth + k] = 0x7fc0;
    op_check_send(&c.x);
    dirty = op_check_run(&c);
    for (int64_t r = 3; r < c.rows; r += 50) {
        op_rows one = {&c, r, 1};
        uint16_t before[2][64];

        for (int plane = 0; plane < 2; plane++)
            memcpy(before[plane], initial + (plane * c.rows + r) * 64, width);
        device_check_schedules(op_run_rows, &one, alone, sizeof(alone), before);
        for (int plane = 0; plane < 2; plane++) {
            const int64_t at = (plane * c.rows + r) * 64;

            ck_assert_mem_eq(alone[plane], together + at, width);
            ck_assert_mem_eq(alone[plane], dirty + at, width);
        }
    }
    free(together);
    free(dirty);
    op_case_free(&c);
}
END_TEST

static cudaError_t
run_without_bias(void *context, void *out)
{
    const op_case *c = context;
    oriel_linear_args args = op_product_args(c, 0, c->rows, out);

    args.bias = NULL;
    return oriel_cuda_linear(&args, NULL);
}

START_TEST(a_bias_may_be_absent)
{
    const op_shape shape = {.rows = 20, .columns = 48, .depth = 72};
    op_case c = op_check_make(&op_linear, &shape, product_seed(&shape));
    const size_t bytes = op_case_out_bytes(&c);
    uint16_t *zero, *absent = malloc(bytes);

    memset(c.bias.host, 0, c.bias.device.bytes);
    op_check_send(&c.bias);
    zero = op_check_run(&c);
    device_check_schedules(run_without_bias, &c, absent, bytes, NULL);
    ck_assert_mem_eq(zero, absent, bytes);
    free(zero);
    free(absent);
    op_case_free(&c);
}
END_TEST

/* A row's bytes are its own: alone, or after rows of NaN and infinity. */
START_TEST(rows_are_their_own)
{
    const op_shape shape = {.rows = 150, .columns = 64, .depth = 192};
    op_case c = op_check_make(&op_linear, &shape, product_seed(&shape));
    uint16_t *x = c.x.host, *together = op_check_run(&c), *dirty, alone[64];

    for (int64_t r = 0; r < c.rows; r++)
        if (r % 50 != 3)
            for (int32_t k = 0; k < c.depth; k++)
                x[r * c.depth + k] = r % 2 ? 0x7fc0 : 0x7f80;
    op_check_send(&c.x);
    dirty = op_check_run(&c);
    for (int64_t r = 3; r < c.rows; r += 50) {
        op_rows one = {&c, r, 1};

        device_check_schedules(op_run_rows, &one, alone, sizeof(alone), NULL);
        ck_assert_mem_eq(alone, together + r * c.columns, sizeof(alone));
        ck_assert_mem_eq(alone, dirty + r * c.columns, sizeof(alone));
    }
    free(together);
    free(dirty);
    op_case_free(&c);
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
    tcase_add_loop_test(tcase, with_wide_residual, 0,
                        COUNT(shapes) + RANDOM_SHAPES);
    tcase_add_test(tcase, hi_is_the_nearest);
    tcase_add_test(tcase, wide_rows_are_their_own);
    tcase_add_test(tcase, a_bias_may_be_absent);
    tcase_add_test(tcase, rows_are_their_own);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
