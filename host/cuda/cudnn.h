/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cudnn.h - full attention by cuDNN: the library, and plans of one engine
 *
 *     out = softmax(q k^T / sqrt(head_dim)) v    of each frame
 *
 * Shapes   qkv [rows, 3, heads, head_dim], q and k turned; out [rows, heads,
 *          head_dim], both bf16.  A frame is a sequence: lengths int32 [sequences],
 *          offsets int64 [sequences + 1], where each begins in qkv and in out, in
 *          values, of which there may be more than 2^31.
 *
 * A plan is of so many sequences, each of at most so many rows.  The library's
 * heuristic would choose an engine by them, and so would sum a row in another order
 * in another batch; the engine and its kernel are therefore those of a table, by
 * capability and version, whatever the plan.  Where it has no row there is no plan.
 *
 * Nothing here is thread-safe; different libraries and their plans are.
 */
#ifndef ORIEL_CUDA_CUDNN_H
#define ORIEL_CUDA_CUDNN_H

#include "cuda/cudnn_api.h"

#include "oriel.h"

/* How tensors are named to the library when a plan runs. */
enum {
    ORIEL_CUDNN_ID_Q = 1,
    ORIEL_CUDNN_ID_K,
    ORIEL_CUDNN_ID_V,
    ORIEL_CUDNN_ID_OUT,
    ORIEL_CUDNN_ID_SCALE, /* fp32, by value */
    ORIEL_CUDNN_ID_LENGTHS_Q,
    ORIEL_CUDNN_ID_LENGTHS_KV,
    ORIEL_CUDNN_ID_OFFSETS_QKV,
    ORIEL_CUDNN_ID_OFFSETS_OUT
};
enum { ORIEL_CUDNN_IDS = ORIEL_CUDNN_ID_OFFSETS_OUT };

typedef struct oriel_cudnn_shape {
    int32_t heads, head_dim;
    int32_t sequences, rows; /* at most: sequences, and rows of each */
} oriel_cudnn_shape;

/* The device that a plan is for: a handle (cudnnHandle_t) on it, or its properties
   as a finalized descriptor, which needs no device.  One of them is NULL. */
typedef struct oriel_cudnn_target {
    oriel_cudnn_handle handle;
    oriel_cudnn_descriptor properties;
    int32_t capability; /* 90 is 9.0 */
} oriel_cudnn_target;

/* Zeroed is fine to destroy. */
enum { ORIEL_CUDNN_PLAN_PARTS = 15 };
typedef struct oriel_cudnn_plan {
    const oriel_cudnn_library *library;
    oriel_cudnn_shape shape;
    oriel_cudnn_descriptor
        part[ORIEL_CUDNN_PLAN_PARTS]; /* in order of making */
    int32_t n_parts;
    oriel_cudnn_descriptor plan; /* the last part */
    int64_t workspace_bytes;
    int32_t engine, kernel_config; /* of the table */
} oriel_cudnn_plan;

/* cudnn_load.c: the functions, from the system's library, which stays loaded.
   ORIEL_ERR_UNSUPPORTED with the loader's reason and what to install, or with its
   version where it is older than the first that can do it. */
oriel_status oriel_cudnn_load(oriel_cudnn_library *library, int32_t *version,
                              oriel_error *err);
/* ORIEL_OK, or the library's own words after 'what'. */
oriel_status oriel_cudnn_check(const oriel_cudnn_library *library,
                               oriel_cudnn_status status, const char *what,
                               oriel_error *err);

/* cudnn_plan.c.  The library must outlive the plan.  It takes seconds: kernels are
   compiled.  On failure there is nothing to destroy.  ORIEL_ERR_UNSUPPORTED: no row
   of the table, or the library lacks the row's engine or kernel; ORIEL_ERR_MEMORY. */
oriel_status oriel_cudnn_plan_make(oriel_cudnn_plan *plan,
                                   const oriel_cudnn_library *library,
                                   int32_t version,
                                   const oriel_cudnn_target *target,
                                   const oriel_cudnn_shape *shape,
                                   oriel_error *err);
void oriel_cudnn_plan_destroy(oriel_cudnn_plan *plan);

/* ---- Running them: cudnn_run.c ---------------------------------------------- */

/* The library on one device; a handle has one stream at a time, so one encoder. */
typedef struct oriel_cudnn {
    oriel_cudnn_library calls;
    oriel_cudnn_handle handle;
    int32_t device_index;
    int32_t version;    /* 91900 is 9.19.0 */
    int32_t capability; /* 90 is 9.0 */
} oriel_cudnn;

/* All on the device, but for the scale. */
typedef struct oriel_cudnn_args {
    const uint16_t *qkv;
    uint16_t *out;
    const int32_t *lengths;                   /* [sequences] of the plan */
    const int64_t *qkv_offsets, *out_offsets; /* [sequences + 1] */
    void *workspace; /* plan->workspace_bytes, aligned to 256 */
    float scale;     /* of scores */
} oriel_cudnn_args;

/* On the current device, which is 'device_index'. */
oriel_status oriel_cudnn_open(oriel_cudnn *cudnn, int32_t device_index,
                              oriel_error *err);
/* The plans first.  Also when half open, or never opened but zeroed. */
void oriel_cudnn_close(oriel_cudnn *cudnn);
oriel_status oriel_cudnn_make(const oriel_cudnn *cudnn, oriel_cudnn_plan *plan,
                              const oriel_cudnn_shape *shape, oriel_error *err);

/* cudnn_pack.c: the operands of one run, as the library takes them; *args outlives
   the pack. */
oriel_status oriel_cudnn_pack_make(oriel_cudnn_descriptor *pack,
                                   const oriel_cudnn_plan *plan,
                                   const oriel_cudnn_args *args,
                                   oriel_error *err);
/* Enqueue; also into a capture, once the plan has run. */
oriel_status oriel_cudnn_run(const oriel_cudnn *cudnn,
                             const oriel_cudnn_plan *plan,
                             const oriel_cudnn_args *args,
                             struct CUstream_st *stream, oriel_error *err);

#endif /* ORIEL_CUDA_CUDNN_H */
