/* SPDX-License-Identifier: Apache-2.0 */
/* The last linear layer: rows to their places, in three dtypes. */
#include "kernels/op_check.h"
#include "ops/linear.h"
#include "support/suite.h"

#include <stdlib.h>

static const product_shape shapes[] = {
    {1, 16, 8}, {20, 48, 136}, {129, 144, 192}, {17, 40, 24}};
enum { RANDOM_SHAPES = 2 };

static void
check_shape(op_shape shape, int32_t dtype, bool outliers, bool indexed)
{
    shape.dtype = dtype;
    op_check_places(&op_linear_rows, &shape, outliers, indexed);
}

START_TEST(matches_the_oracle)
{
    check_shape(product_shape_at(shapes, COUNT(shapes), _i / 3), _i % 3 + 1,
                _i / 3 % 2, false);
}
END_TEST

START_TEST(rows_go_where_row_index_says)
{
    check_shape(product_shape_at(shapes, COUNT(shapes), _i / 3), _i % 3 + 1,
                false, true);
}
END_TEST

/* The bound allows for these; fp32 hides nothing of it.  _i: outliers. */
START_TEST(on_tensor_cores_that_truncate)
{
    device_set_adversarial(true);
    check_shape((op_shape){.rows = 20, .columns = 40, .depth = 3456},
                ORIEL_CUDA_F32, _i, false);
    device_set_adversarial(false);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("linear_rows");
    TCase *tcase = tcase_create("linear_rows");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, matches_the_oracle, 0,
                        3 * (COUNT(shapes) + RANDOM_SHAPES));
    tcase_add_loop_test(tcase, rows_go_where_row_index_says, 0,
                        3 * (int)COUNT(shapes));
    tcase_add_loop_test(tcase, on_tensor_cores_that_truncate, 0, 2);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
