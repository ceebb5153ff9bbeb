/* SPDX-License-Identifier: Apache-2.0 */
/* What we say of the processor, against what the kernel says. */
#include "base/processor.h"
#include "base/version.h"
#include "support/suite.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

/* Whether the kernel lists a feature of the first processor. */
static int
kernel_lists(const char *feature)
{
    static char line[16384];
    FILE *file = fopen("/proc/cpuinfo", "r");
    char word[64];
    int found = 0;

    snprintf(word, sizeof(word), " %s ", feature);
    while (file && !found && fgets(line, sizeof(line), file)) {
        char *end = strchr(line, '\n');

        if (end)
            *end = ' ';
        found = strncmp(line, "flags", 5) == 0 && strstr(line, word);
    }
    if (file)
        fclose(file);
    return found;
}

START_TEST(agrees_with_the_kernel)
{
    oriel_isa isa = oriel_processor_isa();

    ck_assert_int_eq(isa, oriel_processor_isa());
    ck_assert_int_eq(isa >= ORIEL_ISA_AVX2,
                     kernel_lists("avx2") && kernel_lists("fma"));
    ck_assert_int_eq(isa >= ORIEL_ISA_AVX512,
                     kernel_lists("avx512f") && kernel_lists("avx512bw") &&
                         kernel_lists("avx512dq") && kernel_lists("avx512vl"));
    ck_assert_int_eq(isa >= ORIEL_ISA_AVX512_BF16, kernel_lists("avx512_bf16"));
    ck_assert_int_eq(oriel_processor_has_amx_bf16(), kernel_lists("amx_bf16"));
    ck_assert_ptr_nonnull(oriel_isa_name(isa));
}
END_TEST

START_TEST(counts_cores_we_may_use)
{
    cpu_set_t before, one;
    int first = 0;

    ck_assert_int_eq(sched_getaffinity(0, sizeof(before), &before), 0);
    ck_assert_int_eq(oriel_processor_cores(), CPU_COUNT(&before));
    while (!CPU_ISSET(first, &before))
        first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
    ck_assert_int_eq(oriel_processor_cores(), 1);
    sched_setaffinity(0, sizeof(before), &before);
    ck_assert_uint_gt(oriel_processor_memory_bytes(), 1u << 20);
}
END_TEST

START_TEST(names_versions_and_statuses)
{
    ck_assert_str_eq(oriel_version(), ORIEL_VERSION_STRING);
    ck_assert_int_eq(oriel_abi_version(), ORIEL_ABI_VERSION);
    ck_assert_str_eq(oriel_status_name(ORIEL_OK), "ORIEL_OK");
    for (oriel_status s = ORIEL_ERR_INPUT; s <= ORIEL_ERR_BUSY; s++)
        ck_assert_int_eq(strncmp(oriel_status_name(s), "ORIEL_ERR_", 10), 0);
    ck_assert_str_eq(oriel_status_name(ORIEL_ERR_BUSY + 1), "unknown");
    ck_assert_str_eq(oriel_status_name(-1), "unknown");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("processor");
    TCase *tcase = tcase_create("processor");

    tcase_add_test(tcase, agrees_with_the_kernel);
    tcase_add_test(tcase, counts_cores_we_may_use);
    tcase_add_test(tcase, names_versions_and_statuses);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
