/* SPDX-License-Identifier: Apache-2.0 */
/* RMSNorm on the GPU, against double precision. */
#include "kernels/op_check.h"
#include "support/suite.h"

#include <math.h>

static const struct {
    int rows, columns;
    double scale;
} shapes[] = {{1, 8, 1},     {3, 32, 1e-4}, {5, 264, 1e4},
              {9, 1280, 30}, {2, 5120, 1},  {4, 1280, 1e-20}};
enum { RANDOM_SHAPES = 6 };

static op_shape
shape_at(int i)
{
    random_stream random = {(uint64_t)i};
    op_shape s = {0};

    if (i < (int)COUNT(shapes))
        return (op_shape){.rows = shapes[i].rows,
                          .columns = shapes[i].columns,
                          .scale = shapes[i].scale};
    s.rows = random_between(&random, 1, 30);
    s.columns = 8 * (int32_t)random_between(&random, 1, 1024);
    s.scale = exp2((double)random_between(&random, -20, 20));
    return s;
}

/* _i odd: of two planes. */
START_TEST(matches_the_oracle)
{
    op_shape shape = shape_at(_i / 2);

    shape.wide = _i % 2;
    op_check(&op_rms_norm, &shape, (uint64_t)_i);
}
END_TEST

/* More rows than a multiprocessor takes at once; _i odd: of two planes. */
START_TEST(rows_are_counted_on_the_device)
{
    const op_shape shape = {.rows = 100, .columns = 64, .wide = _i % 2};
    op_case c = op_check_make(&op_rms_norm, &shape, 7);

    op_check_counted(&c, _i / 2 * 3000);
    op_case_free(&c);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("rms_norm");
    TCase *tcase = tcase_create("rms_norm");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, matches_the_oracle, 0,
                        2 * (COUNT(shapes) + RANDOM_SHAPES));
    tcase_add_loop_test(tcase, rows_are_counted_on_the_device, 0, 4);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
