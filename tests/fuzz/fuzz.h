/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz.h - the entry point of every target, named by libFuzzer */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Inputs taken for good: counted by the target, so that a replay can tell that
   its seeds are. */
__attribute__((weak)) unsigned long fuzz_accepted;

/* What must hold; a fuzzer reports an abort. */
#define FUZZ_CHECK(condition) \
    do { \
        if (!(condition)) \
            __builtin_trap(); \
    } while (0)

#endif /* TESTS_FUZZ_FUZZ_H */
