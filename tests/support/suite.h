/* SPDX-License-Identifier: Apache-2.0 */
/* suite.h - what every test program shares */
#ifndef TESTS_SUPPORT_SUITE_H
#define TESTS_SUPPORT_SUITE_H

#include <check.h>
#include <stddef.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEST_SKIP 77 /* ctest says "Skipped", never "Passed" */

/* Run one suite in this process's manner (CK_FORK obeyed); main's result. */
int run_suite(Suite *suite);

#endif /* TESTS_SUPPORT_SUITE_H */
