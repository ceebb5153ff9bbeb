/* SPDX-License-Identifier: Apache-2.0 */
/* stopwatch_sim.c - the simulated GPU has no time */
#include "stopwatch.h"

#include <stdio.h>

bool
stopwatch_is_real(void)
{
    return false;
}

int
stopwatch_measure(bench_times *out, stopwatch_run *run, void *context,
                  bool cold, double budget)
{
    (void)out, (void)run, (void)context, (void)cold, (void)budget;
    fprintf(stderr, "no hardware, nothing is timed\n");
    return -1;
}

int
stopwatch_copy_rate(double *out)
{
    return stopwatch_measure(NULL, NULL, out, false, 0);
}

int
stopwatch_device_json(char *out, size_t out_bytes)
{
    snprintf(out, out_bytes, "\"name\": \"simulated\"");
    return 0;
}
