/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cpu_encoder.c - the whole encoder on the cpu backend
 *
 * Against the oracle, block by block; and against itself where bytes must be
 * equal: alone or in any batch, on any number of threads, from frames or from
 * pixel_values.
 */
#include "support/batch.h"
#include "support/suite.h"

#include <stdlib.h>

enum { ITEMS = 5 };

static const int64_t mixed[ITEMS][3] = {
    {1, 10, 14}, {2, 8, 8}, {1, 2, 2}, {1, 34, 2}, {1, 22, 26}};

typedef struct bound {
    int32_t precision;
    double hidden, embeddings; /* relative L2 */
    double cosine;
} bound;

static const bound bounds[] = {
    {ORIEL_PRECISION_FP32, 1e-6, 1e-6, 0.999999999},
    {ORIEL_PRECISION_BF16, 8e-3, 1.2e-2, 0.999},
};
static const oriel_network *const networks[] = {&fixture_tiny, &fixture_wide,
                                                &fixture_broad};

/* Hidden states and embeddings of 'grids' within the bounds. */
static void
check_against_oracle(const oriel_network *network, const bound *b,
                     const int64_t (*grids)[3], size_t n)
{
    fixture_model m = fixture_model_make(network, 11);
    oriel_plan *plan = fixture_plan(&m, grids, n);
    oriel_encoder *encoder = fixture_encoder(&m, plan, b->precision, 2);
    float *pixels = fixture_pixels(plan, 5);
    oriel_input input = fixture_input(plan, pixels);
    oracle_result *truth = fixture_oracle(&m, plan, pixels);
    fixture_result r = fixture_encode(&m, encoder, plan, &input);

    for (int32_t k = 0; k < r.n_hidden; k++) {
        double error = oracle_relative_error(r.states[k], truth->hidden[k],
                                             r.patches * r.hidden);

        ck_assert_msg(error <= b->hidden, "hidden state %d is off by %g", k,
                      error);
    }
    ck_assert_double_le(oracle_relative_error(r.embeddings, truth->embeddings,
                                              r.tokens * r.out_hidden),
                        b->embeddings);
    ck_assert_double_ge(oracle_least_cosine(r.embeddings, truth->embeddings,
                                            r.tokens, r.out_hidden),
                        b->cosine);
    fixture_result_free(&r);
    oracle_result_free(truth);
    free(pixels);
    oriel_encoder_destroy(encoder);
    oriel_plan_destroy(plan);
    fixture_model_free(&m);
}

/* Every block of every network in every precision; a failure names the first
   wrong block. */
START_TEST(follows_the_oracle_block_by_block)
{
    check_against_oracle(networks[_i / 2], &bounds[_i % 2], mixed, ITEMS);
}
END_TEST

/* Sides longer than the angles that lie beside the weights. */
START_TEST(follows_the_oracle_along_the_longest_sides)
{
    static const int64_t longest[2][3] = {{1, 4, 4}, {1, 2, 2052}};

    check_against_oracle(&fixture_tiny, &bounds[_i], longest, 2);
}
END_TEST

/* ---- Bytes that must be equal -------------------------------------------- */

static const int32_t precisions[] = {ORIEL_PRECISION_FP32,
                                     ORIEL_PRECISION_BF16};

START_TEST(threads_do_not_change_bytes)
{
    static const int32_t threads[] = {1, 3, 5};
    batch b = batch_make(&fixture_wide, precisions[_i], mixed, ITEMS, 21);
    oriel_input input = fixture_input(b.plan, b.pixels);

    for (size_t i = 0; i < COUNT(threads); i++) {
        fixture_result r = batch_encode(&b, b.plan, &input, threads[i]);

        fixture_same(&b.result, &r);
        fixture_result_free(&r);
    }
    batch_free(&b);
}
END_TEST

START_TEST(an_item_has_its_own_bytes)
{
    batch b = batch_make(&fixture_wide, precisions[_i], mixed, ITEMS, 21);

    batch_check_alone(&b);
    batch_check_turned(&b);
    batch_check_nan(&b, 2);
    batch_free(&b);
}
END_TEST

/* ---- Frames --------------------------------------------------------------- */

START_TEST(frames_give_the_bytes_of_pixel_values)
{
    static const oriel_item items[] = {{100, 75, 1, 0, 0, 0},
                                       {48, 64, 3, 0, 0, 0},
                                       {31, 200, 1, 0, 0, 0},
                                       {96, 48, 2, 0, 0, 0}};
    batch b = batch_make(&fixture_tiny, precisions[_i % 2], mixed, ITEMS, 3);
    oriel_plan_options options = ORIEL_PLAN_OPTIONS_INIT;
    oriel_plan *plan;

    options.resample = _i / 2;
    options.min_pixels = options.video_min_pixels = 16 * 16;
    options.max_pixels = options.video_max_pixels = 64 * 64 * 2;
    ck_assert_int_eq(oriel_plan_create(&plan, b.m.model, items, COUNT(items),
                                       &options, NULL),
                     ORIEL_OK);
    batch_check_frames(&b, plan, 8);
    oriel_plan_destroy(plan);
    batch_free(&b);
}
END_TEST

/* Sizes that need no resampling, so that the bytes of a patch are pixels. */
START_TEST(bytes_are_normalised_as_frames_are)
{
    static const oriel_item items[] = {
        {16, 24, 1, 16, 24, 0}, {24, 8, 3, 24, 8, 0}, {8, 32, 2, 8, 32, 0}};
    batch b = batch_make(&fixture_tiny, precisions[_i % 2], mixed, ITEMS, 3);
    oriel_plan_options options = ORIEL_PLAN_OPTIONS_INIT;
    oriel_plan *plan;

    options.resample = _i / 2;
    ck_assert_int_eq(oriel_plan_create(&plan, b.m.model, items, COUNT(items),
                                       &options, NULL),
                     ORIEL_OK);
    batch_check_bytes(&b, plan, 8);
    oriel_plan_destroy(plan);
    batch_free(&b);
}
END_TEST

START_TEST(results_go_where_they_are_wanted)
{
    batch b = batch_make(&fixture_tiny, precisions[_i % 2], mixed, ITEMS, 3);

    batch_check_row_index(&b);
    batch_check_interleaved(&b);
    batch_free(&b);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cpu_encoder");
    TCase *tc = tcase_create("encoder");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, follows_the_oracle_block_by_block, 0, 6);
    tcase_add_loop_test(tc, follows_the_oracle_along_the_longest_sides, 0, 2);
    tcase_add_loop_test(tc, threads_do_not_change_bytes, 0, 2);
    tcase_add_loop_test(tc, an_item_has_its_own_bytes, 0, 2);
    tcase_add_loop_test(tc, frames_give_the_bytes_of_pixel_values, 0, 8);
    tcase_add_loop_test(tc, bytes_are_normalised_as_frames_are, 0, 8);
    tcase_add_loop_test(tc, results_go_where_they_are_wanted, 0, 2);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
