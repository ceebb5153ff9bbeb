/* SPDX-License-Identifier: Apache-2.0 */
/* Pixels to hidden states: against double precision, and both entries alike. */
#include "base/half.h"
#include "kernels/op_check.h"
#include "support/suite.h"

#include <math.h>
#include <stdlib.h>

/* patch_size, slices, hidden, tokens of 4 patches */
static const int shapes[][4] = {{4, 2, 32, 3},
                                {14, 2, 48, 5},
                                {14, 1, 16, 2},
                                {5, 2, 16, 34},
                                {32, 1, 24, 2}};
enum { MERGE2 = 4, TOKENS_MOST = 36, RANDOM_SHAPES = 3 };

/* The same pictures whatever the dtype; 0: pixels. */
static op_case
make_wide_case(const int *numbers, int32_t dtype, bool wide)
{
    random_stream random = {(uint64_t)numbers[0] + 1};
    int32_t tokens[TOKENS_MOST];
    const op_shape shape = {.rows = numbers[3] * MERGE2,
                            .columns = numbers[2],
                            .patch_size = numbers[0],
                            .slices = numbers[1],
                            .merge2 = MERGE2,
                            .places = tokens,
                            .wide = wide,
                            .dtype = dtype};

    for (int32_t t = 0; t < numbers[3]; t++) {
        const int64_t other = random_between(&random, 0, t);

        tokens[t] = tokens[other];
        tokens[other] = t;
    }
    return op_check_make(&op_patch_embed, &shape, (uint64_t)numbers[0]);
}

static op_case
make_case(const int *numbers, int32_t dtype)
{
    return make_wide_case(numbers, dtype, false);
}

/* In fp16 values below 2^-14 are not exact. */
static void
check_halves(const op_case *c, const float *values)
{
    const uint16_t *halves = c->x.host;

    for (size_t i = 0; i < c->x.device.bytes / 2; i++)
        ck_assert(fabsf(values[i]) < 0x1p-14f ||
                  oriel_f16_to_f32(halves[i]) == values[i]);
}

/* The same values through every dtype: they are bf16 values, exact in fp32; in
   fp16 the small ones are not, so there the bound alone is held. */
START_TEST(both_entries_give_the_same_bytes)
{
    static const int32_t dtypes[] = {ORIEL_CUDA_F32, ORIEL_CUDA_BF16};
    random_stream random = {(uint64_t)_i};
    const int any[4] = {(int)random_between(&random, 1, 16),
                        (int)random_between(&random, 1, 2),
                        8 * (int)random_between(&random, 1, 18),
                        (int)random_between(&random, 1, TOKENS_MOST)};
    const int *numbers = _i < (int)COUNT(shapes) ? shapes[_i] : any;
    op_case c = make_case(numbers, 0);
    const size_t bytes = op_case_out_bytes(&c);
    uint16_t *first = op_check_run(&c);

    op_check_rows(&c, first, 0, c.rows);
    op_case_free(&c);
    for (size_t i = 0; i < COUNT(dtypes); i++) {
        uint16_t *other;

        c = make_case(numbers, dtypes[i]);
        other = op_check_run(&c);
        ck_assert_mem_eq(first, other, bytes);
        free(other);
        op_case_free(&c);
    }
    op_case wide = make_case(numbers, ORIEL_CUDA_F32);

    c = make_case(numbers, ORIEL_CUDA_F16);
    check_halves(&c, wide.x.host);
    op_check_case(&c);
    op_case_free(&wide);
    op_case_free(&c);
    free(first);
}
END_TEST

/* hi of a wide result is the result in bf16, and both entries give the same lo. */
START_TEST(a_wide_result_has_two_planes)
{
    op_case c = make_case(shapes[_i], 0);
    const size_t bytes = op_case_out_bytes(&c);
    uint16_t *narrow = op_check_run(&c), *planes, *other;

    op_case_free(&c);
    c = make_wide_case(shapes[_i], 0, true);
    ck_assert_uint_eq(op_case_out_bytes(&c), 2 * bytes);
    planes = op_check_run(&c);
    op_check_rows(&c, planes, 0, c.rows);
    ck_assert_mem_eq(planes, narrow, bytes);
    op_case_free(&c);
    c = make_wide_case(shapes[_i], ORIEL_CUDA_F32, true);
    other = op_check_run(&c);
    ck_assert_mem_eq(planes, other, 2 * bytes);
    op_case_free(&c);
    free(narrow);
    free(planes);
    free(other);
}
END_TEST

/* pixel_values that are bytes; _i: one frame a patch, or two. */
START_TEST(bytes_are_levels)
{
    const int numbers[4] = {5, _i + 1, 16, 3};
    op_case c = make_case(numbers, ORIEL_CUDA_U8);

    op_check_case(&c);
    op_case_free(&c);
}
END_TEST

/*
 * The padding of a line, and of the depth, is not what the next patch holds: its
 * weights are zero, but not even NaN comes near them.  7 x 3 values are padded to
 * 32, and a patch's 224 are no whole number of stages.
 */
START_TEST(neighbours_do_not_reach)
{
    static const int numbers[] = {7, 1, 16, 6};
    op_case c = make_case(numbers, ORIEL_CUDA_F32);
    const size_t values = c.x.device.bytes / 4 / (size_t)c.rows;
    uint16_t *clean = op_check_run(&c), *dirty;
    float *x = c.x.host;

    for (size_t r = 1; r < (size_t)c.rows; r += 2)
        for (size_t i = 0; i < values; i++)
            x[r * values + i] = i % 2 ? NAN : INFINITY;
    op_check_send(&c.x);
    dirty = op_check_run(&c);
    for (int64_t r = 0; r < c.rows; r += 2)
        ck_assert_mem_eq(clean + r * c.columns, dirty + r * c.columns,
                         (size_t)c.columns * 2);
    free(clean);
    free(dirty);
    op_case_free(&c);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("patch_embed");
    TCase *tcase = tcase_create("patch_embed");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, both_entries_give_the_same_bytes, 0,
                        COUNT(shapes) + RANDOM_SHAPES);
    tcase_add_loop_test(tcase, a_wide_result_has_two_planes, 0, COUNT(shapes));
    tcase_add_loop_test(tcase, bytes_are_levels, 0, 2);
    tcase_add_test(tcase, neighbours_do_not_reach);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
