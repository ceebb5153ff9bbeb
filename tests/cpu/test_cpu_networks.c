/* SPDX-License-Identifier: Apache-2.0 */
/* test_cpu_networks.c - networks drawn at random, on the CPU backend */
#include "oracle/rounded.h"
#include "support/random_network.h"
#include "support/suite.h"

enum { SEEDS = 12 };

static const struct {
    int32_t precision;
    int sites;
} kinds[2] = {{ORIEL_PRECISION_FP32, 0},
              {ORIEL_PRECISION_BF16, ROUNDED_CPU_BF16}};

START_TEST(random_network_is_right)
{
    int seed = _i / 2, kind = _i % 2;
    random_network any;
    batch b;

    random_network_draw(&any, (uint64_t)seed);
    b = batch_make(&any.network, kinds[kind].precision, any.grids, ANY_ITEMS,
                   (uint64_t)seed);
    random_network_check_values(&any, &b, kinds[kind].sites, false);
    batch_check_alone(&b);
    batch_check_turned(&b);
    batch_check_nan(&b, seed % ANY_ITEMS);
    random_network_check_frames(&any, &b, (uint64_t)seed);
    batch_free(&b);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cpu_networks");
    TCase *tc = tcase_create("networks");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, random_network_is_right, 0, 2 * SEEDS);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
