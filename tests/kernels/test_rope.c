/* SPDX-License-Identifier: Apache-2.0 */
/* The rotary embedding on the GPU, against double precision. */
#include "kernels/op_check.h"
#include "support/suite.h"

static const struct {
    int rows, heads, head_dim;
} shapes[] = {{1, 1, 8}, {3, 2, 16}, {5, 3, 80}, {2, 16, 80}, {2, 2, 128}};
enum { RANDOM_SHAPES = 6 };

static op_shape
shape_at(int i)
{
    random_stream random = {(uint64_t)i};
    op_shape s = {0};

    if (i < (int)COUNT(shapes))
        return (op_shape){.rows = shapes[i].rows,
                          .heads = shapes[i].heads,
                          .head_dim = shapes[i].head_dim};
    s.rows = random_between(&random, 1, 9);
    s.heads = (int32_t)random_between(&random, 1, 16);
    s.head_dim = 8 * (int32_t)random_between(&random, 1, 16);
    return s;
}

START_TEST(matches_the_oracle)
{
    const op_shape shape = shape_at(_i);

    op_check(&op_rope, &shape, (uint64_t)_i + 40);
}
END_TEST

/* More rows than a multiprocessor takes at once. */
START_TEST(rows_are_counted_on_the_device)
{
    const op_shape shape = {.rows = 23, .heads = 2, .head_dim = 80};
    op_case c = op_check_make(&op_rope, &shape, 7);

    op_check_counted(&c, _i * 3000);
    op_case_free(&c);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("rope");
    TCase *tcase = tcase_create("rope");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, matches_the_oracle, 0,
                        COUNT(shapes) + RANDOM_SHAPES);
    tcase_add_loop_test(tcase, rows_are_counted_on_the_device, 0, 2);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
