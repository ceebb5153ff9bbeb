/* SPDX-License-Identifier: Apache-2.0 */
#include "support/suite.h"

#include <stdlib.h>

/*
 * oneDNN is not instrumented: the thread sanitizer sees what it calls in libc
 * but not the locks around it.
 */
const char *__tsan_default_suppressions(void);

__attribute__((visibility("default"))) const char *
__tsan_default_suppressions(void)
{
    return "called_from_lib:libdnnl.so\n";
}

int
run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    int failed;

    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
