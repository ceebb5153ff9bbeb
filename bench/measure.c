/* SPDX-License-Identifier: Apache-2.0 */
/* measure.c - see measure.h */
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINE_BYTES 256

static double
read_clock(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double
bench_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

double
bench_processor_now(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

static int
ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

bench_times
bench_summarise(double *seconds, int n)
{
    bench_times times = {0, 0, 0, n};

    if (n < 1)
        return times;
    qsort(seconds, (size_t)n, sizeof(seconds[0]), ascending);
    times.median = (seconds[(n - 1) / 2] + seconds[n / 2]) / 2;
    times.p10 = seconds[(n - 1) / 10];
    times.p90 = seconds[(n - 1) - (n - 1) / 10];
    return times;
}

/* The rest of the first line of 'path' that begins with 'key', or "". */
static void
find_line(const char *path, const char *key, char line[LINE_BYTES])
{
    FILE *file = fopen(path, "re");
    const size_t key_bytes = strlen(key);

    line[0] = '\0';
    if (!file)
        return;
    while (fgets(line, LINE_BYTES, file) && strncmp(line, key, key_bytes) != 0)
        line[0] = '\0';
    fclose(file);
    if (line[0])
        memmove(line, line + key_bytes, strlen(line + key_bytes) + 1);
}

uint64_t
bench_peak_bytes(void)
{
    char line[LINE_BYTES];

    find_line("/proc/self/status", "VmHWM:", line);
    return strtoull(line, NULL, 10) * 1024; /* "   123 kB", or nothing */
}

int
bench_reset_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "we");
    int result = -1;

    if (!file)
        return -1;
    if (fputs("5", file) >= 0)
        result = 0;
    return fclose(file) == 0 ? result : -1;
}

bool
bench_help(int argc, char **argv, const char *usage)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            return true;
        }
    return false;
}

void
bench_processor_name(char *out, size_t out_bytes)
{
    char line[LINE_BYTES];

    find_line("/proc/cpuinfo", "model name", line);
    line[strcspn(line, "\n")] = '\0';
    snprintf(out, out_bytes, "%s",
             line[0] ? line + strspn(line, " \t:") : "unknown");
}

void
bench_settle(void)
{
    const struct timespec pause = {0, 100000000};

    nanosleep(&pause, NULL);
}

uint64_t
bench_random(uint64_t seed, uint64_t index)
{
    uint64_t x = (seed << 32) + index + UINT64_C(0x9E3779B97F4A7C15);

    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}
