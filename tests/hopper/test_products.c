/* SPDX-License-Identifier: Apache-2.0 */
/* The products by wgmma, against double precision and against each other. */
#include "kernels/op_check.h"
#include "ops/hopper.h"
#include "ops/linear.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

/* Both sides of the edges of both sizes of tiles, in rows, columns and depth. */
static const product_shape shapes[] = {
    {1, 16, 8},      {4, 256, 64},  {63, 128, 72},   {64, 264, 128},
    {65, 160, 40},   {129, 8, 24},  {130, 168, 256}, {257, 264, 200},
    {140, 512, 320}, {2, 320, 640},
};
enum { RANDOM_SHAPES = 2, SHAPES = COUNT(shapes) + RANDOM_SHAPES };

static const int32_t places[] = {6, 0, 5, 1, 4, 2, 3, 8, 7};

/* Fewer blocks than tiles, so that some take several. */
enum { BLOCKS = 2 };

static const struct {
    const op *of;
    int32_t small, dtype;
    bool wide;
} kinds[] = {
    {&op_linear, 0, 0, false},
    {&op_linear, 1, 0, false},
    {&op_linear_residual, 0, 0, false},
    {&op_linear_residual, 1, 0, false},
    {&op_linear_residual, 0, 0, true},
    {&op_linear_residual, 1, 0, true},
    {&op_linear_swiglu, 0, 0, false},
    {&op_linear_gelu, 0, 0, false},
    {&op_linear_gelu, 1, 0, false},
    {&op_linear_rows, 0, ORIEL_CUDA_F32, false},
    {&op_linear_rows, 1, ORIEL_CUDA_F32, false},
    {&op_linear_rows, 0, ORIEL_CUDA_BF16, false},
    {&op_linear_rows, 1, ORIEL_CUDA_F16, false},
};

/* i odd: with outliers. */
static op_case
make(const op_hopper *h, int kind, int i)
{
    op_shape shape = product_shape_at(shapes, COUNT(shapes), i);
    op_case c;

    shape.wide = kinds[kind].wide;
    shape.dtype = kinds[kind].dtype;
    if (kinds[kind].of == &op_linear_swiglu && shape.columns > 8)
        shape.columns = shape.columns / 16 * 8;
    c = op_check_make(&h->op, &shape, product_seed(&shape));
    if (i % 2)
        ck_assert_int_eq(op_add_outliers(&c), 0);
    return c;
}

START_TEST(products_are_exact)
{
    const int kind = _i % COUNT(kinds);
    const op_hopper h =
        op_hopper_make(kinds[kind].of, kinds[kind].small, BLOCKS);
    op_case c = make(&h, kind, _i / COUNT(kinds));

    op_check_case(&c);
    op_case_free(&c);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("hopper_products");
    TCase *tc = tcase_create("products");

    (void)places;
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, products_are_exact, 0,
                        (int)(SHAPES * COUNT(kinds)));
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
