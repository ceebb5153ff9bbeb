/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gemm.h - matrix products of one shape, one tile of rows at a time
 *
 *     dst[rows, n] (+)= src[rows, k] . weights + bias      fp32 sums
 *
 * Every call runs on one thread.  Rows come in a fixed set of heights, the
 * multiples of ORIEL_ROW_STEP up to ORIEL_ROW_TILE, each compiled in advance;
 * all share one packed form of the weights and one implementation, so a row's
 * bits do not depend on the height of its tile.  A height for which oneDNN would
 * take another implementation is left out.  "Member": see onednn.h.
 */
#ifndef ORIEL_CPU_GEMM_H
#define ORIEL_CPU_GEMM_H

#include "cpu/onednn.h"

#include <stdbool.h>

typedef struct oriel_cpu_gemm oriel_cpu_gemm;

/* On the caller's thread; 'packing' and its 'engine' outlive it. */
oriel_status oriel_cpu_gemm_create(oriel_cpu_gemm **out,
                                   oriel_cpu_onednn_engine *engine,
                                   const oriel_cpu_onednn_packing *packing,
                                   int32_t threads, const oriel_hooks *hooks,
                                   oriel_error *err);
/* Before the first run.  Member. */
oriel_status oriel_cpu_gemm_compile(oriel_cpu_gemm *gemm, oriel_error *err);
/* What one thread must bring to oriel_cpu_gemm_run. */
size_t oriel_cpu_gemm_scratch_bytes(const oriel_cpu_gemm *gemm);
/* Once compiled: whether this height is computed by the same code as the full one,
   which always is there. */
bool oriel_cpu_gemm_has(const oriel_cpu_gemm *gemm, int32_t rows);
/*
 * 'rows' is a height that it has.  src, dst and scratch are aligned to 64; src is
 * of the packing's storage, dst fp32, both tight.  Member number 'thread'.
 * ORIEL_ERR_MEMORY, _FAULT: dst is undefined.
 */
oriel_status oriel_cpu_gemm_run(const oriel_cpu_gemm *gemm, int32_t thread,
                                const void *src,
                                const oriel_cpu_onednn_matrix *matrix,
                                float *dst, int32_t rows, void *scratch);
void oriel_cpu_gemm_destroy(oriel_cpu_gemm *gemm); /* NULL is fine */

#endif /* ORIEL_CPU_GEMM_H */
