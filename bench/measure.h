/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure.h - what every benchmark needs: a clock, a median, the peak memory
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BENCH_SKIPPED = 77 }; /* exit status where a machine cannot run it */

/* Seconds on the monotonic clock. */
double bench_now(void);
/* Seconds of processor time that this process has used. */
double bench_processor_now(void);

typedef struct bench_times {
    double median, p10, p90;
    int n;
} bench_times;

/* Sorts 'seconds'. */
bench_times bench_summarise(double *seconds, int n);

/* Most memory this process had resident since the reset, in bytes; 0 where the
   kernel does not tell. */
uint64_t bench_peak_bytes(void);
/* Start that count anew; -1 where the kernel does not allow it. */
int bench_reset_peak(void);

/* Whether --help is among the arguments: then it has printed this. */
bool bench_help(int argc, char **argv, const char *usage);

/* As /proc/cpuinfo names it, or "unknown". */
void bench_processor_name(char *out, size_t out_bytes);

/* Wait until threads that spin for more work have gone to sleep. */
void bench_settle(void);

/* splitmix64 of (seed << 32) + index: the same numbers in C and Python. */
uint64_t bench_random(uint64_t seed, uint64_t index);

#endif /* BENCH_MEASURE_H */
