/* SPDX-License-Identifier: Apache-2.0 */
/* RMSNorm on the GPU, against double precision. */
#include "oracle/oracle.h"
#include "support/device_case.h"
#include "support/suite.h"

#include "ops.h"

#include <math.h>
#include <stdlib.h>

typedef struct norm_shape {
    int rows, columns;
    double scale;
} norm_shape;

static const norm_shape shapes[] = {{1, 8, 1},     {3, 32, 1e-4},
                                    {5, 264, 1e4}, {9, 1280, 30},
                                    {2, 5120, 1},  {4, 1280, 1e-20}};

enum { RANDOM_SHAPES = 6 };

static norm_shape
shape_at(int i)
{
    random_stream random = {(uint64_t)i};

    if (i < (int)COUNT(shapes))
        return shapes[i];
    return (norm_shape){(int)random_between(&random, 1, 30),
                        8 * (int)random_between(&random, 1, 1024),
                        exp2((double)random_between(&random, -20, 20))};
}

struct norm_case {
    device_buffer x, weight;
    int64_t rows;
    int32_t columns;
};

static cudaError_t
run(void *context, void *out)
{
    const struct norm_case *c = context;
    oriel_rms_norm_args args = {c->x.data, c->weight.data, out, c->rows,
                                c->columns};

    return oriel_cuda_rms_norm(&args, NULL);
}

START_TEST(matches_the_oracle)
{
    random_stream random = {(uint64_t)_i};
    norm_shape shape = shape_at(_i);
    int64_t rows = shape.rows;
    int32_t columns = shape.columns;
    size_t n = (size_t)(rows * columns);
    uint16_t *x = random_bf16(&random, n, shape.scale, 0);
    uint16_t *weight = random_bf16(&random, (size_t)columns, 0.2, 1);
    uint16_t *out = malloc(n * 2);
    double *wide = bf16_values(x, n);
    double *w = bf16_values(weight, (size_t)columns);

    x[columns / 2] = 0x4480; /* an outlier channel: 1024 */
    wide[columns / 2] = 1024;
    struct norm_case c = {device_upload(x, n * 2),
                          device_upload(weight, (size_t)columns * 2), rows,
                          columns};

    ck_assert_int_eq(oriel_cuda_rms_norm_prepare(NULL), cudaSuccess);
    device_check_schedules(run, &c, out, n * 2, NULL);
    oracle_rms_norm(wide, wide, w, rows, columns, 1e-6);
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(fabs(bf16_value(out[i]) - wide[i]) <=
                          fabs(wide[i]) * (0x1p-8 + 0x1p-18) + 0x1p-133,
                      "value %zu: %g, not %g", i, bf16_value(out[i]), wide[i]);
    device_release(c.x);
    device_release(c.weight);
    free(x);
    free(weight);
    free(out);
    free(wide);
    free(w);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("rms_norm");
    TCase *tcase = tcase_create("rms_norm");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, matches_the_oracle, 0,
                        COUNT(shapes) + RANDOM_SHAPES);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
