/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cpu_encoder.c - the whole encoder on the cpu backend
 *
 * Against the oracle, block by block; and against itself where bytes must be
 * equal: alone or in any batch, on any number of threads, from frames or from
 * pixel_values.
 */
#include "cpu/fixture.h"
#include "support/random.h"
#include "support/suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int64_t mixed[5][3] = {
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
static const oriel_network *const networks[] = {&fixture_tiny, &fixture_wide};

/* Every block of every network in every precision; a failure names the first
   wrong block. */
START_TEST(follows_the_oracle_block_by_block)
{
    const bound *b = &bounds[_i % 2];
    fixture_model m = fixture_model_make(networks[_i / 2], 11);
    oriel_plan *plan = fixture_plan(&m, mixed, 5);
    oriel_encoder *encoder = fixture_encoder(&m, plan, b->precision, 2);
    float *pixels = fixture_pixels(plan, 5);
    oriel_input input = ORIEL_INPUT_INIT;
    oracle_result *truth = fixture_oracle(&m, plan, pixels);
    fixture_result r;

    input.pixel_values = pixels;
    input.pixel_values_bytes =
        (size_t)(truth->patches *
                 oriel_network_patch_columns(m.oracle->network)) *
        sizeof(float);
    r = fixture_encode(&m, encoder, plan, &input);
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
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cpu_encoder");
    TCase *tc = tcase_create("encoder");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, follows_the_oracle_block_by_block, 0, 4);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
