/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - seconds of a clock */
#ifndef ORIEL_BULK_CLOCK_H
#define ORIEL_BULK_CLOCK_H

#include <time.h>

static inline double
bulk_clock_read(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline double
bulk_clock_now(void)
{
    return bulk_clock_read(CLOCK_MONOTONIC);
}

#endif /* ORIEL_BULK_CLOCK_H */
