/* SPDX-License-Identifier: Apache-2.0 */
/* Gate and up, then SiLU(gate) up, against double precision. */
#include "kernels/linear_case.h"
#include "support/suite.h"

#include <math.h>
#include <stdlib.h>

/* Columns count gate and up together. */
static const linear_shape shapes[] = {
    {1, 16, 8}, {20, 48, 136}, {129, 144, 192}, {5, 256, 640}};
enum { RANDOM_SHAPES = 2 };

static cudaError_t
run(void *context, void *out)
{
    const linear_case *c = context;
    oriel_linear_swiglu_args args = {
        c->d_x.data, c->d_weight.data, c->d_bias.data, out,
        c->rows,     c->columns / 2,   c->depth};

    return oriel_cuda_linear_swiglu(&args, NULL);
}

static double
silu(double x)
{
    return x / (1 + exp(-x));
}

static void
check(const linear_case *c, const uint16_t *out)
{
    int32_t width = c->columns / 2;

    for (int64_t r = 0; r < c->rows; r++)
        for (int32_t j = 0; j < width; j++) {
            /* Groups of 8 gates, each before its 8 ups. */
            int64_t g = r * c->columns + j / 8 * 16 + j % 8, u = g + 8;
            double gate = c->exact[g], up = c->exact[u];
            double truth = silu(gate) * up;
            double bound = fabs(truth) * (0x1p-8 + 0x1p-20) +
                           1.1 * fabs(up) * c->slack[g] +
                           fabs(silu(gate)) * c->slack[u] +
                           c->slack[g] * c->slack[u] + 0x1p-126;
            double value = bf16_value(out[r * width + j]);

            ck_assert_msg(fabs(value - truth) <= bound,
                          "row %d column %d: %g, not %g within %g", (int)r, j,
                          value, truth, bound);
        }
}

/* _i / 2: the shape; odd: gates of hundreds, where the exponential overflows. */
START_TEST(matches_the_oracle)
{
    linear_shape shape = linear_shape_at(shapes, COUNT(shapes), _i / 2);
    shape.columns = (shape.columns + 15) / 16 * 16;
    linear_case c = linear_case_make(shape);
    size_t n = (size_t)(c.rows * c.columns / 2);
    uint16_t *out = malloc(n * 2);

    if (_i / 2 % 2)
        linear_case_add_outliers(&c);
    ck_assert_int_eq(oriel_cuda_linear_swiglu_prepare(NULL), cudaSuccess);
    if (_i % 2) {
        for (int32_t j = 0; j < c.columns; j++) {
            uint16_t far = (uint16_t)(j % 2 ? 0xc396 : 0x4396); /* 300 */

            for (int64_t r = 0; r < c.rows; r++)
                c.exact[r * c.columns + j] +=
                    bf16_value(far) - bf16_value(c.bias[j]);
            for (int64_t r = 0; r < c.rows; r++)
                c.slack[r * c.columns + j] += 300 * 0x1p-22;
            c.bias[j] = far;
        }
        device_release(c.d_bias);
        c.d_bias = device_upload(c.bias, (size_t)c.columns * 2);
    }
    device_check_schedules(run, &c, out, n * 2, NULL);
    check(&c, out);
    free(out);
    linear_case_free(&c);
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
