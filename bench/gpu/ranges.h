/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ranges.h - what runs, by name, for NVIDIA's profilers
 *
 * NVTX ranges "STEP/op".  Its header is in the CUDA toolkit and its functions do
 * nothing until a profiler has loaded them.  On the simulated GPU there are none.
 */
#ifndef BENCH_GPU_RANGES_H
#define BENCH_GPU_RANGES_H

void range_begin(const char *step, const char *op);
void range_end(void);

#endif /* BENCH_GPU_RANGES_H */
