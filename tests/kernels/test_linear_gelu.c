/* SPDX-License-Identifier: Apache-2.0 */
/* A linear layer with the erf form of GELU, against double precision. */
#include "kernels/linear_case.h"
#include "support/suite.h"

#include <math.h>
#include <stdlib.h>

static const linear_shape shapes[] = {
    {1, 16, 8}, {20, 48, 136}, {129, 144, 192}, {17, 40, 24}};
enum { RANDOM_SHAPES = 2 };

static cudaError_t
run(void *context, void *out)
{
    oriel_linear_args args = linear_case_args(context, out);

    return oriel_cuda_linear_gelu(&args, NULL);
}

START_TEST(matches_the_oracle)
{
    linear_case c =
        linear_case_make(linear_shape_at(shapes, COUNT(shapes), _i));
    size_t n = (size_t)(c.rows * c.columns);
    uint16_t *out = malloc(n * 2);

    if (_i % 2)
        linear_case_add_outliers(&c);
    ck_assert_int_eq(oriel_cuda_linear_gelu_prepare(NULL), cudaSuccess);
    device_check_schedules(run, &c, out, n * 2, NULL);
    for (size_t i = 0; i < n; i++) {
        double x = c.exact[i];
        double truth = 0.5 * x * (1 + erf(x * sqrt(0.5)));
        double bound = fabs(truth) * 0x1p-8 + 1.13 * c.slack[i] +
                       fabs(x) * 0x1p-21 + 0x1p-126;

        ck_assert_msg(fabs(bf16_value(out[i]) - truth) <= bound,
                      "value %zu: %g, not %g within %g", i, bf16_value(out[i]),
                      truth, bound);
    }
    free(out);
    linear_case_free(&c);
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
