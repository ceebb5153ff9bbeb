/* SPDX-License-Identifier: Apache-2.0 */
/* A linear layer with the erf form of GELU, against double precision. */
#include "kernels/op_check.h"
#include "ops/linear.h"
#include "support/suite.h"

static const product_shape shapes[] = {
    {1, 16, 8}, {20, 48, 136}, {129, 144, 192}, {17, 40, 24}};
enum { RANDOM_SHAPES = 2 };

START_TEST(matches_the_oracle)
{
    const op_shape shape = product_shape_at(shapes, COUNT(shapes), _i);
    op_case c = op_check_make(&op_linear_gelu, &shape, product_seed(&shape));

    if (_i % 2)
        ck_assert_int_eq(op_add_outliers(&c), 0);
    op_check_case(&c);
    op_case_free(&c);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("linear_gelu");
    TCase *tcase = tcase_create("linear_gelu");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, matches_the_oracle, 0,
                        COUNT(shapes) + RANDOM_SHAPES);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
