/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_encoder.c - the whole encoder on the cuda backend and the simulated
 * GPU
 *
 * Against the oracle, block by block; and against itself where bytes must be
 * equal: alone or in any batch, from frames or from pixel_values.
 */
#include "cpu/fixture.h"
#include "kernels/device_case.h"
#include "support/random.h"
#include "support/suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int64_t small[2][3] = {{1, 10, 6}, {2, 4, 4}};

START_TEST(follows_the_oracle_block_by_block)
{
    fixture_model m = fixture_model_make(&fixture_tiny, 11);
    oriel_plan *plan = fixture_plan(&m, small, 2);
    oriel_encoder *encoder = fixture_encoder(&m, plan, ORIEL_PRECISION_BF16, 1);
    float *pixels = fixture_pixels(plan, 5);
    oriel_input input = fixture_input(plan, pixels);
    oracle_result *truth = fixture_oracle(&m, plan, pixels);
    fixture_result r = fixture_encode(&m, encoder, plan, &input);
    const char *report = device_finish();

    ck_assert_msg(report[0] == '\0', "%s", report);
    for (int32_t k = 0; k < r.n_hidden; k++) {
        double error = oracle_relative_error(r.states[k], truth->hidden[k],
                                             r.patches * r.hidden);

        ck_assert_msg(error <= 8e-3, "hidden state %d is off by %g", k, error);
    }
    ck_assert_double_le(oracle_relative_error(r.embeddings, truth->embeddings,
                                              r.tokens * r.out_hidden),
                        1.2e-2);
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
    Suite *suite = suite_create("cuda_encoder");
    TCase *tc = tcase_create("encoder");

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, follows_the_oracle_block_by_block);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
