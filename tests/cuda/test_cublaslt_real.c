/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cublaslt_real.c - NVIDIA's own library, as far as it goes without a GPU
 *
 * The loader, every function's name, and every attribute that we set; a handle
 * wants a GPU.  Skipped where the library is not installed.
 */
#include "cuda/cublaslt.h"
#include "cuda/cublaslt_attributes.h"
#include "support/suite.h"

#include <stdio.h>
#include <string.h>

START_TEST(takes_what_the_stand_in_takes)
{
    oriel_lt_library library;
    int32_t version;

    ck_assert_int_eq(oriel_lt_load(&library, &version, NULL), ORIEL_OK);
    ck_assert_int_eq(version / 10000, ORIEL_LT_MAJOR);
    check_attributes(&library);
    ck_assert_uint_gt(strlen(library.GetStatusString(ORIEL_LT_NOT_SUPPORTED)),
                      0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cublaslt_real");
    TCase *tc = tcase_create("library");
    oriel_lt_library library;
    oriel_error err;
    int32_t version;

    if (oriel_lt_load(&library, &version, &err)) {
        printf("skipped: %s\n", err.message);
        return TEST_SKIP;
    }
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, takes_what_the_stand_in_takes);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
