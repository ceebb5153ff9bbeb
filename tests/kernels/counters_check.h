/* SPDX-License-Identifier: Apache-2.0 */
/* counters_check.h - what a launch cost, against the figures of its kernel's head */
#ifndef TESTS_KERNELS_COUNTERS_CHECK_H
#define TESTS_KERNELS_COUNTERS_CHECK_H

#include "sim/counters.h"

/* Fails the test, naming the kernel and the first figure that differs. */
void counters_check(const char *kernel, const sim_counters *found,
                    const sim_counters *expected);

#endif /* TESTS_KERNELS_COUNTERS_CHECK_H */
