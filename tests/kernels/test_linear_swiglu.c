/* SPDX-License-Identifier: Apache-2.0 */
/* Gate and up, then SiLU(gate) up, against double precision. */
#include "kernels/op_check.h"
#include "ops/linear.h"
#include "support/suite.h"

static const product_shape shapes[] = {
    {1, 8, 8}, {20, 24, 136}, {129, 72, 192}, {5, 128, 640}};
enum { RANDOM_SHAPES = 2 };

/* Random shapes count gate and up together. */
static op_shape
shape_at(int i)
{
    op_shape s = product_shape_at(shapes, COUNT(shapes), i);

    if (i >= (int)COUNT(shapes))
        s.columns = (s.columns + 15) / 16 * 8;
    return s;
}

/* _i / 2: the shape; odd: gates of hundreds, where the exponential overflows. */
START_TEST(matches_the_oracle)
{
    const op_shape shape = shape_at(_i / 2);
    op_case c = op_check_make(&op_linear_swiglu, &shape, product_seed(&shape));
    uint16_t *bias = c.bias.host;

    if (_i / 2 % 2)
        ck_assert_int_eq(op_add_outliers(&c), 0);
    for (int32_t j = 0; _i % 2 && j < 2 * c.columns; j++)
        bias[j] = j % 2 ? 0xc396 : 0x4396; /* 300 */
    op_check_send(&c.bias);
    op_check_case(&c);
    op_case_free(&c);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("linear_swiglu");
    TCase *tcase = tcase_create("linear_swiglu");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, matches_the_oracle, 0,
                        2 * (COUNT(shapes) + RANDOM_SHAPES));
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
