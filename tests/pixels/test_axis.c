/* SPDX-License-Identifier: Apache-2.0 */
/* test_axis.c - what axis.h promises of weights: bounds, sums, windows */
#include "oriel.h"
#include "pixels/axis.h"
#include "pixels/made_image.h"
#include "support/random.h"
#include "support/suite.h"

#include <math.h>
#include <stdlib.h>

/* The bound that the overflow analysis in axis.h rests on. */
#define LARGEST_SUM 1.3

static void
check_axis(int32_t resample, int32_t source, int32_t size, double *largest)
{
    oriel_axis axis;
    size_t bytes;
    void *memory;

    ck_assert(oriel_axis_bytes(source, size, &bytes));
    memory = made_image_aligned(bytes);
    oriel_axis_init(&axis, resample, source, size, memory);
    ck_assert_int_le(axis.shift, 22);
    ck_assert_int_ge(axis.shift, resample == ORIEL_RESAMPLE_PILLOW ? 22 : 13);
    for (int32_t i = 0; i < size; i++) {
        const int32_t *w =
            axis.weights.fixed + (size_t)i * (size_t)axis.max_taps;
        int64_t sum = 0, absolute = 0;

        ck_assert_int_ge(axis.first[i], 0);
        ck_assert_int_ge(axis.count[i], 1);
        ck_assert_int_le(axis.count[i], axis.max_taps);
        ck_assert_int_le(axis.first[i] + axis.count[i], source);
        for (int32_t j = 0; j < axis.count[i]; j++) {
            sum += w[j];
            absolute += labs(w[j]);
            if (resample == ORIEL_RESAMPLE_TORCHVISION)
                ck_assert_int_le(labs(w[j]), 32767);
        }
        /* Each weight was rounded by half a unit at most. */
        ck_assert_int_le(2 * labs(sum - (1L << axis.shift)), axis.count[i] + 4);
        *largest = fmax(*largest, ((double)absolute - axis.count[i] * 0.5) /
                                      (double)(1L << axis.shift));
    }
    free(memory);
}

START_TEST(weights_keep_their_bounds)
{
    random_stream random = {5};
    double largest = 0;

    for (int k = 0; k < 800; k++) {
        int32_t most = k % 3 ? 60 : 1500;
        int32_t source = (int32_t)random_between(&random, 1, most);
        int32_t size = (int32_t)random_between(&random, 1, most);

        check_axis(k & 1 ? ORIEL_RESAMPLE_PILLOW : ORIEL_RESAMPLE_TORCHVISION,
                   source, size, &largest);
    }
    check_axis(ORIEL_RESAMPLE_PILLOW, 190000, 28, &largest);
    check_axis(ORIEL_RESAMPLE_TORCHVISION, 190000, 28, &largest);
    check_axis(ORIEL_RESAMPLE_TORCHVISION, 28, 190000, &largest);
    ck_assert_double_lt(largest, LARGEST_SUM);
    ck_assert_double_gt(largest, 1.2); /* the measurement measures */
}
END_TEST

/* Taps and bits of the specification's 9 to 6 example. */
START_TEST(first_taps_are_the_specification_s)
{
    static const int32_t taps[2][5] = {
        {2748694, 1649217, -169672, -33934, 0},
        {-160578, 1560821, 2601368, 366118, -173425}};
    oriel_axis axis;
    size_t bytes;
    void *memory;

    ck_assert(oriel_axis_bytes(9, 6, &bytes));
    memory = made_image_aligned(bytes);
    oriel_axis_init(&axis, ORIEL_RESAMPLE_PILLOW, 9, 6, memory);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(0, axis.first[i]);
        ck_assert_int_eq(4 + i, axis.count[i]);
        for (int j = 0; j < axis.count[i]; j++)
            ck_assert_int_eq(taps[i][j],
                             axis.weights.fixed[i * axis.max_taps + j]);
    }
    oriel_axis_init(&axis, ORIEL_RESAMPLE_TORCHVISION, 9, 6, memory);
    ck_assert_int_eq(15, axis.shift);
    free(memory);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("axis");
    TCase *tests = tcase_create("axis");

    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, weights_keep_their_bounds);
    tcase_add_test(tests, first_taps_are_the_specification_s);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
