/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gemm.h - matrix products by oneDNN, one tile of rows at a time
 *
 *     dst[rows, n] (+)= src[rows, k] . weights + bias      fp32 sums
 *
 * Every call runs on one thread.  Rows come in a fixed set of heights, the
 * multiples of ORIEL_ROW_STEP up to ORIEL_ROW_TILE, each with a primitive made
 * in advance; all share one packed form of the weights and one implementation,
 * so a row's bits do not depend on the height of its tile.
 *
 * oneDNN takes its threads from OpenMP's state of the calling thread.  All
 * functions that say "member" therefore run on a member of a team that was
 * started with oriel_gemm_thread_start.
 */
#ifndef ORIEL_CPU_GEMM_H
#define ORIEL_CPU_GEMM_H

#include "cpu/kernels.h"
#include "oriel.h"

#include <dnnl.h>
#include <stdbool.h>

enum {
    ORIEL_ROW_STEP = 16,
    ORIEL_ROW_TILE = 128,
    ORIEL_ROW_HEIGHTS = ORIEL_ROW_TILE / ORIEL_ROW_STEP
};

/* A kind of product. */
typedef struct oriel_gemm_shape {
    int32_t n, k;
    int32_t has_bias;
    int32_t accumulate; /* dst += */
} oriel_gemm_shape;

/* How oneDNN wants the weights of one shape. */
typedef struct oriel_gemm_packing {
    oriel_gemm_shape shape;
    oriel_storage storage;
    dnnl_engine_t engine; /* borrowed */
    dnnl_memory_desc_t weights;
    size_t weights_bytes;
    char implementation[64];
} oriel_gemm_packing;

/* One thread, for a team's 'start'. */
void oriel_gemm_thread_start(int32_t thread);

/* dnnl_primitive_create, which writes its code through a NULL pointer when there
   are no addresses left to map it at (2.6.3): refused while few are left. */
dnnl_status_t oriel_gemm_primitive_create(dnnl_primitive_t *out,
                                          dnnl_primitive_desc_t desc);
oriel_status oriel_gemm_engine_create(dnnl_engine_t *engine, oriel_error *err);

/* Ask oneDNN.  Member.  ORIEL_ERR_INTERNAL when it cannot. */
oriel_status oriel_gemm_packing_init(oriel_gemm_packing *packing,
                                     dnnl_engine_t engine,
                                     const oriel_gemm_shape *shape,
                                     oriel_storage storage, oriel_error *err);

/* One matrix in its packed form, in memory of the caller's. */
typedef struct oriel_gemm_matrix {
    dnnl_memory_t weights, bias; /* bias NULL without one */
} oriel_gemm_matrix;

/* Wrap packed memory (weights_bytes, aligned to 64) and bias [n]; contents come
   later.  Member. */
oriel_status oriel_gemm_matrix_init(oriel_gemm_matrix *matrix,
                                    const oriel_gemm_packing *packing,
                                    void *weights, float *bias,
                                    oriel_error *err);
/* Pack [n, k] row-major of the packing's storage.  Member. */
oriel_status oriel_gemm_matrix_pack(const oriel_gemm_matrix *matrix,
                                    const oriel_gemm_packing *packing,
                                    void *rows, oriel_error *err);
void oriel_gemm_matrix_clear(oriel_gemm_matrix *matrix);

/* The primitives of one shape, and what each thread needs to run them. */
typedef struct oriel_gemm oriel_gemm;

/* On the caller's thread; 'packing' outlives it. */
oriel_status oriel_gemm_create(oriel_gemm **out,
                               const oriel_gemm_packing *packing,
                               int32_t threads, const oriel_hooks *hooks,
                               oriel_error *err);
/* Before the first run.  Member. */
oriel_status oriel_gemm_compile(oriel_gemm *gemm, oriel_error *err);
/* What one thread must bring to oriel_gemm_run. */
size_t oriel_gemm_scratch_bytes(const oriel_gemm *gemm);
/*
 * 'rows' is one of the heights.  src, dst and scratch are aligned to 64; src is
 * of the packing's storage, dst fp32, both tight.  Member number 'thread'.
 * false: oneDNN failed, dst is undefined.
 */
bool oriel_gemm_run(const oriel_gemm *gemm, int32_t thread, const void *src,
                    const oriel_gemm_matrix *matrix, float *dst, int32_t rows,
                    void *scratch);
void oriel_gemm_destroy(oriel_gemm *gemm); /* NULL is fine */

/* "oneDNN 2.6.3" */
void oriel_gemm_library(char *text, size_t bytes);

#endif /* ORIEL_CPU_GEMM_H */
