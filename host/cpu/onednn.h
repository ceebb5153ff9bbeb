/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onednn.h - the only door to oneDNN
 *
 * oneDNN has a C interface, through which it lets exceptions of C++ pass: when
 * an allocation fails, most of all.  So no other file calls it.  onednn.cpp
 * loads the library when it is first needed, sets what its environment would
 * else decide, and turns whatever a call throws into a status.  What is beyond
 * its reach is listed in tests/cli/memory.sh.
 *
 * oneDNN takes its threads from OpenMP's state of the calling thread.  All
 * functions that say "member" therefore run on a member of a team that was
 * started with oriel_cpu_onednn_thread_start.
 */
#ifndef ORIEL_CPU_ONEDNN_H
#define ORIEL_CPU_ONEDNN_H

#include "cpu/shapes.h"
#include "cpu/storage.h"
#include "oriel.h"

#include <stddef.h>

/* oneDNN's own; NULL where there is none yet. */
typedef struct dnnl_engine oriel_cpu_onednn_engine;
typedef struct dnnl_stream oriel_cpu_onednn_stream;
typedef struct dnnl_memory oriel_cpu_onednn_memory;
typedef struct dnnl_primitive oriel_cpu_onednn_primitive;

/*
 * Once in a process; what failed is tried again.  Threads: any.
 * ORIEL_ERR_DEVICE: it is not installed, or memory may not become executable.
 * ORIEL_ERR_MEMORY
 */
oriel_status oriel_cpu_onednn_load(oriel_error *err);

/* After it was loaded: "oneDNN 2.6.3 (avx512_core)": its version and the most
   of the processor that it uses. */
const char *oriel_cpu_onednn_description(void);

/* One OpenMP thread, for a team's 'start'. */
void oriel_cpu_onednn_thread_start(int32_t thread);

oriel_status oriel_cpu_onednn_engine_create(oriel_cpu_onednn_engine **out,
                                            oriel_error *err);
void oriel_cpu_onednn_engine_destroy(oriel_cpu_onednn_engine *engine);

oriel_status oriel_cpu_onednn_stream_create(oriel_cpu_onednn_stream **out,
                                            oriel_cpu_onednn_engine *engine,
                                            oriel_error *err);
void oriel_cpu_onednn_stream_destroy(oriel_cpu_onednn_stream *stream);

/* ---- Weights ------------------------------------------------------------ */

/* How oneDNN wants the weights of one shape. */
typedef struct oriel_cpu_onednn_packing oriel_cpu_onednn_packing;

/* Ask, for products of 'rows' rows.  The engine outlives it.  Member. */
oriel_status oriel_cpu_onednn_packing_create(oriel_cpu_onednn_packing **out,
                                             oriel_cpu_onednn_engine *engine,
                                             const oriel_cpu_gemm_shape *shape,
                                             oriel_cpu_storage storage,
                                             int32_t rows, oriel_error *err);
size_t oriel_cpu_onednn_packing_bytes(const oriel_cpu_onednn_packing *packing);
/* What oneDNN calls its code for it. */
const char *oriel_cpu_onednn_packing_code(
    const oriel_cpu_onednn_packing *packing);
void oriel_cpu_onednn_packing_destroy(oriel_cpu_onednn_packing *packing);

/* One matrix in its packed form, in memory of the caller's. */
typedef struct oriel_cpu_onednn_matrix {
    oriel_cpu_onednn_memory *weights, *bias; /* bias NULL without one */
} oriel_cpu_onednn_matrix;

/* Wrap packed memory (packing_bytes, aligned to 64) and bias [n]; contents come
   later.  Member. */
oriel_status oriel_cpu_onednn_matrix_init(
    oriel_cpu_onednn_matrix *matrix, const oriel_cpu_onednn_packing *packing,
    void *weights, float *bias, oriel_error *err);
/* Pack [n, k] row-major of the packing's storage.  Member. */
oriel_status oriel_cpu_onednn_matrix_pack(
    const oriel_cpu_onednn_matrix *matrix,
    const oriel_cpu_onednn_packing *packing, void *rows, oriel_error *err);
void oriel_cpu_onednn_matrix_clear(oriel_cpu_onednn_matrix *matrix);

/* ---- Products ----------------------------------------------------------- */

/* What a thread hands to a product; only the pointers inside change. */
typedef struct oriel_cpu_onednn_slot {
    oriel_cpu_onednn_memory *src, *dst, *scratch;
} oriel_cpu_onednn_slot;

/*
 * Compile the product of 'rows' rows with packed weights, and fill the slots of
 * 'threads' threads; *scratch_bytes is what a run needs.  *out is NULL where
 * oneDNN would not compute it by the packing's code: on a processor with AMX it
 * takes other code for few rows of a narrow product.  What was made before a
 * failure is the caller's to destroy.  Member.
 */
oriel_status oriel_cpu_onednn_product_create(
    oriel_cpu_onednn_primitive **out, oriel_cpu_onednn_slot *slots,
    int32_t threads, size_t *scratch_bytes,
    const oriel_cpu_onednn_packing *packing, int32_t rows, oriel_error *err);
/* Member.  ORIEL_ERR_MEMORY, _FAULT: dst is undefined. */
oriel_status oriel_cpu_onednn_product_run(
    const oriel_cpu_onednn_primitive *product,
    const oriel_cpu_onednn_slot *slot, oriel_cpu_onednn_stream *stream,
    const oriel_cpu_onednn_matrix *matrix, const void *src, float *dst,
    void *scratch);
void oriel_cpu_onednn_product_destroy(oriel_cpu_onednn_primitive *product);
void oriel_cpu_onednn_slot_clear(oriel_cpu_onednn_slot *slot);

#endif /* ORIEL_CPU_ONEDNN_H */
