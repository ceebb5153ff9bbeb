/* SPDX-License-Identifier: Apache-2.0 */
/* bench_hopper.h - a case by the kernels of sm_90a in the place of our portable one */
#ifndef BENCH_GPU_BENCH_HOPPER_H
#define BENCH_GPU_BENCH_HOPPER_H

#include "op_bench.h"

#define BENCH_NO_HOPPER "the device is not of compute capability 9.0"

/* Whether there is one for the op, and for the case's heads. */
bool bench_hopper_has(const bench_op *which);
bool bench_hopper_runs(const bench_case *b);
/* How a product is run that has both sizes of tiles: small ones, or large ones by
   blocks in pairs, or with the second warpgroup behind the first. */
typedef struct bench_hopper {
    bool small, pairs, skew;
} bench_hopper;

/* Every way, and whether a product has it: some have one size of tiles. */
extern const struct bench_hopper_way {
    const char *name;
    bench_hopper how;
} bench_hopper_ways[];
extern const int bench_hopper_n_ways;
bool bench_hopper_has_way(const bench_case *b, bench_hopper how);

/* From now on the case runs on it.  0, or -1 with a complaint. */
int bench_hopper_attach(bench_case *b, bench_hopper how);
/* With the tiles that an encoder has for all its rows. */
int bench_hopper_attach_best(bench_case *b);
/* Back to our portable one; also when nothing is attached. */
void bench_hopper_detach(bench_case *b);

#endif /* BENCH_GPU_BENCH_HOPPER_H */
