/* SPDX-License-Identifier: Apache-2.0 */
/* SiLU(gate) up of products in memory, against double precision. */
#include "kernels/op_check.h"
#include "support/suite.h"

#include <stdlib.h>

/* Less than a block, a block and some, several; and the widest. */
static const struct {
    int rows, columns;
    double scale; /* of gate and up */
} shapes[] = {{1, 8, 4},     {3, 24, 1},      {20, 3456, 8},
              {129, 64, 40}, {257, 16, 2000}, {2, 64, 1e-3}};

START_TEST(matches_the_oracle)
{
    const op_shape shape = {.rows = shapes[_i].rows,
                            .columns = shapes[_i].columns,
                            .scale = shapes[_i].scale};

    op_check(&op_swiglu, &shape, (uint64_t)_i + 60);
}
END_TEST

/* Each value is its own: what is not a number stays where it is. */
START_TEST(neighbours_do_not_matter)
{
    static const uint16_t strange[] = {0x7fff, 0x7f80, 0xff80};
    const op_shape shape = {.rows = 2, .columns = 16};
    op_case c = op_check_make(&op_swiglu, &shape, 70);
    uint16_t *gate_up = c.x.host, *out, *before = op_check_run(&c);

    gate_up[3] = strange[_i];       /* gate of value 3 */
    gate_up[16 + 13] = strange[_i]; /* up of value 8 + 5 */
    op_check_send(&c.x);
    out = op_check_run(&c);
    for (size_t i = 0; i < 32; i++)
        if (i != 3 && i != 13)
            ck_assert_uint_eq(out[i], before[i]);
        else
            ck_assert_uint_ne(out[i], before[i]);
    free(out);
    free(before);
    op_case_free(&c);
}
END_TEST

START_TEST(limits_are_checked)
{
    device_buffer memory = device_output(1024);
    char *at = memory.data;
    const oriel_swiglu_args wrong[] = {
        {(uint16_t *)at, (uint16_t *)(at + 512), -1, 8},
        {(uint16_t *)at, (uint16_t *)(at + 512), 1, 0},
        {(uint16_t *)at, (uint16_t *)(at + 512), 1, 12},
        {(uint16_t *)(at + 8), (uint16_t *)(at + 512), 1, 8},
        {(uint16_t *)at, (uint16_t *)(at + 520), 1, 8},
    };
    const oriel_swiglu_args empty = {NULL, NULL, 0, 8};

    ck_assert_int_eq(oriel_cuda_swiglu_prepare(NULL), cudaSuccess);
    for (size_t i = 0; i < COUNT(wrong); i++)
        ck_assert_int_eq(oriel_cuda_swiglu(&wrong[i], NULL),
                         cudaErrorInvalidValue);
    ck_assert_int_eq(oriel_cuda_swiglu(&empty, NULL), cudaSuccess);
    ck_assert_str_eq(device_finish(), "");
    device_release(memory);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("swiglu");
    TCase *tcase = tcase_create("swiglu");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, matches_the_oracle, 0, COUNT(shapes));
    tcase_add_loop_test(tcase, neighbours_do_not_matter, 0, 3);
    tcase_add_test(tcase, limits_are_checked);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
