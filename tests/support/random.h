/* SPDX-License-Identifier: Apache-2.0 */
/* random.h - repeatable numbers for tests: splitmix64, one stream a seed */
#ifndef TESTS_SUPPORT_RANDOM_H
#define TESTS_SUPPORT_RANDOM_H

#include <stdint.h>

typedef struct random_stream {
    uint64_t state;
} random_stream;

uint64_t random_u64(random_stream *stream);
/* In [low, high], both included. */
int64_t random_between(random_stream *stream, int64_t low, int64_t high);
/* In [-1, 1). */
double random_unit(random_stream *stream);

#endif /* TESTS_SUPPORT_RANDOM_H */
