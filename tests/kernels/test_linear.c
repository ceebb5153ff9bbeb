/* SPDX-License-Identifier: Apache-2.0 */
/* The linear layers on the GPU, against double precision. */
#include "kernels/op_check.h"
#include "ops/linear.h"
#include "support/suite.h"

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

/* _i odd: with outliers. */
static void
check_shape(const op *which, int i)
{
    const op_shape shape = product_shape_at(shapes, COUNT(shapes), i);
    op_case c = op_check_make(which, &shape, product_seed(&shape));

    if (i % 2)
        ck_assert_int_eq(op_add_outliers(&c), 0);
    op_check_case(&c);
    op_case_free(&c);
}

START_TEST(with_bias)
{
    check_shape(&op_linear, _i);
}
END_TEST

START_TEST(with_residual)
{
    check_shape(&op_linear_residual, _i);
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
    tcase_add_test(tcase, a_bias_may_be_absent);
    tcase_add_test(tcase, rows_are_their_own);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
