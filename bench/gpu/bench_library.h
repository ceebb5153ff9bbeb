/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_library.h - a case by cuBLASLt in the place of our own product
 *
 * With the one algorithm that an encoder would have (host/cuda/cublaslt.h); or,
 * for comparison alone, with the best that the library has for the rows at hand,
 * split sums included.
 */
#ifndef BENCH_GPU_BENCH_LIBRARY_H
#define BENCH_GPU_BENCH_LIBRARY_H

#include "op_bench.h"

/* Whether there is a cuBLASLt here; without one 'why' says what is missing. */
bool bench_library_is_there(oriel_error *why);

/* From now on the case runs on the library.  0; or -1 with a complaint, and the
   case is as it was. */
int bench_library_attach(bench_case *b);
/* As op.run. */
cudaError_t bench_library_run(const bench_case *b, int64_t first, int64_t rows,
                              void *out);
/* Which algorithm, in one line. */
const char *bench_library_algorithm(const bench_case *b);

/* Take the algorithm of the fewest 'seconds' (negative: it fails) among those
   that the heuristic offers for the case's rows, with any split. */
int bench_library_best(bench_case *b, double (*seconds)(bench_case *b));

/* Back to our own; also when nothing is attached. */
void bench_library_detach(bench_case *b);

#endif /* BENCH_GPU_BENCH_LIBRARY_H */
