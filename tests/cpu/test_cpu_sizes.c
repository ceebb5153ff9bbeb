/* SPDX-License-Identifier: Apache-2.0 */
/* test_cpu_sizes.c - what weights take on the CPU, told before they are loaded */
#include "support/sizes_case.h"
#include "support/suite.h"

START_TEST(weights_take_what_was_told)
{
    const oriel_network *network = sizes_network(_i);
    uint64_t fp32 = sizes_check_model(network, ORIEL_PRECISION_FP32);
    uint64_t bf16 = sizes_check_model(network, ORIEL_PRECISION_BF16);

    ck_assert_uint_le(bf16, fp32);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("cpu_sizes");
    TCase *tc = tcase_create("sizes");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, weights_take_what_was_told, 0, SIZES_NETWORKS);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
