/* SPDX-License-Identifier: Apache-2.0 */
/* test_cuda_networks.c - networks drawn at random, on the simulated GPU */
#include "oracle/rounded.h"
#include "support/device_case.h"
#include "support/random_network.h"
#include "support/suite.h"

/* The third call replays what the second recorded. */
static void
check_turns(const batch *b)
{
    oriel_encoder *encoder = fixture_encoder(&b->m, b->plan, b->precision, 1);
    oriel_input input = fixture_input(b->plan, b->pixels);

    for (int turn = 0; turn < 3; turn++) {
        fixture_result r = fixture_encode(&b->m, encoder, b->plan, &input);

        fixture_same(&b->result, &r);
        fixture_result_free(&r);
    }
    oriel_encoder_destroy(encoder);
}

/* Heads of 8 to 128 and up to 15 of them, patches of 1 to 17 pixels, windows of 4
   to 196 patches, one block to three; and quick to run. */
static const uint64_t seeds[] = {1, 3, 6, 8, 17, 20};

START_TEST(random_network_is_right)
{
    uint64_t seed = seeds[_i];
    random_network any;
    batch b;

    random_network_draw(&any, seed);
    b = batch_make(&any.network, ORIEL_PRECISION_BF16, any.grids, ANY_ITEMS,
                   seed);
    random_network_check_values(&any, &b, ROUNDED_CUDA, true);
    check_turns(&b);
    batch_check_alone(&b);
    batch_check_turned(&b);
    batch_check_nan(&b, (int)(seed % ANY_ITEMS));
    random_network_check_frames(&any, &b, seed);
    ck_assert_str_eq(device_finish(), "");
    batch_free(&b);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_networks");
    TCase *tc = tcase_create("networks");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, random_network_is_right, 0, COUNT(seeds));
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
