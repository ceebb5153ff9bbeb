/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stopwatch.h - time on the device, where there is one that has any
 *
 * stopwatch_cuda.c times with events; stopwatch_sim.c stands for the simulated
 * GPU and refuses.
 */
#ifndef BENCH_GPU_STOPWATCH_H
#define BENCH_GPU_STOPWATCH_H

#include "measure.h"

#include <cuda_runtime.h>
#include <stdbool.h>
#include <stddef.h>

typedef cudaError_t stopwatch_run(void *context);

/* false: no hardware, nothing is timed. */
bool stopwatch_is_real(void);

/* Seconds of one run: of many in a row (hot), or of one after as much else has
   passed through the L2 cache (cold).  'repeats' samples; 0: what fits into
   about 'budget' seconds. */
int stopwatch_measure(bench_times *out, stopwatch_run *run, void *context,
                      bool cold, double budget, int repeats);

/* Bytes a second of a copy of 1 GiB on the device, read and written. */
int stopwatch_copy_rate(double *out);

/* What the runtime says of device and driver, as members of a JSON object. */
int stopwatch_device_json(char *out, size_t out_bytes);

#endif /* BENCH_GPU_STOPWATCH_H */
