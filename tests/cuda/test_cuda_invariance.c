/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_invariance.c - an item's bytes do not depend on its batch
 *
 * End to end on tensor cores that group and truncate, so that a kernel which
 * groups an item's values by what stands beside it is found out: alone, the other
 * way round, and beside an item of NaN.
 */
#include "support/batch.h"
#include "support/device_case.h"
#include "support/suite.h"

enum { ITEMS = 5 };

static const int64_t grids[ITEMS][3] = {
    {1, 10, 14}, {2, 6, 4}, {1, 2, 2}, {1, 18, 2}, {1, 6, 10}};

static const oriel_network *const networks[] = {&fixture_tiny, &fixture_broad};

START_TEST(items_are_their_own)
{
    batch b;

    device_set_adversarial(true);
    b = batch_make(networks[_i], ORIEL_PRECISION_BF16, grids, ITEMS, 31);
    batch_check_alone(&b);
    batch_check_turned(&b);
    batch_check_nan(&b, 2);
    ck_assert_str_eq(device_finish(), "");
    device_set_adversarial(false);
    batch_free(&b);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_invariance");
    TCase *tcase = tcase_create("invariance");

    tcase_set_timeout(tcase, 240);
    tcase_add_loop_test(tcase, items_are_their_own, 0, COUNT(networks));
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
