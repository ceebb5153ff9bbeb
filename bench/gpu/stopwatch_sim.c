/* SPDX-License-Identifier: Apache-2.0 */
/* stopwatch_sim.c - the simulated GPU has no time */
#include "clocks.h"
#include "ranges.h"
#include "stopwatch.h"

#include <stdio.h>

bool
stopwatch_is_real(void)
{
    return false;
}

int
stopwatch_measure(bench_times *out, stopwatch_run *run, void *context,
                  bool cold, double budget, int repeats)
{
    (void)out, (void)run, (void)context, (void)cold, (void)budget,
        (void)repeats;
    fprintf(stderr, "no hardware, nothing is timed\n");
    return -1;
}

int
stopwatch_copy_rate(double *out)
{
    return stopwatch_measure(NULL, NULL, out, false, 0, 0);
}

int
stopwatch_device_json(char *out, size_t out_bytes)
{
    snprintf(out, out_bytes,
             "\"kind\": \"simulated\", \"name\": \"a simulated GPU\", "
             "\"precision\": \"bf16\"");
    return 0;
}

void
clocks_read(clocks *out)
{
    *out = (clocks){0, NULL};
}

void
range_begin(const char *step, const char *op)
{
    (void)step, (void)op;
}

void
range_end(void)
{
}
