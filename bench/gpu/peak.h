/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peak.h - what the card's tensor cores give in a large product
 *
 * cuBLASLt's best for 8192 x 8192 x 8192 in bf16, or our own where there is no
 * cuBLASLt.
 */
#ifndef BENCH_GPU_PEAK_H
#define BENCH_GPU_PEAK_H

/* 'by' gets a static string.  0, or -1 with a complaint. */
int peak_rate(double *flops_per_s, const char **by);

#endif /* BENCH_GPU_PEAK_H */
