/* SPDX-License-Identifier: Apache-2.0 */
/*
 * context.h - one encoder on a CUDA device: its pinned ring, graphs, its job
 *
 * Rows are in window order from the first step to the last.  A job's steps only
 * enqueue; the context's device is current from start to finish.
 */
#ifndef ORIEL_CUDA_CONTEXT_H
#define ORIEL_CUDA_CONTEXT_H

#include "cuda/attention.h"
#include "cuda/checks.h"
#include "cuda/device.h"
#include "cuda/graph.h"
#include "cuda/pointers.h"
#include "cuda/products.h"
#include "cuda/profile.h"
#include "cuda/ring.h"
#include "cuda/staging.h"
#include "cuda/weights.h"
#include "cuda/workspace.h"

#include <stdatomic.h>

struct oriel_backend_context {
    oriel_hooks hooks;
    const oriel_backend_weights *weights;
    int32_t device_index;
    oriel_cuda_choices choices;
    oriel_cuda_products products;
    oriel_cuda_attention attention;
    oriel_cuda_ring ring;
    oriel_cuda_staging staging;
    oriel_cuda_graphs graphs;
    oriel_cuda_checks checks;
    oriel_cuda_profile profile;
    cudaEvent_t done; /* after the last job that was not captured */
    bool has_done;
    atomic_bool ran;   /* such a job */
    bool own_captured; /* a captured job uses the encoder's own scratch */
    void *scratch;     /* host memory, kept from call to call */
    size_t scratch_bytes;
    float scale_log2; /* of attention scores: head_dim^-1/2 log2 e */
    char description[352];

    oriel_cuda_scope scope;
    const oriel_backend_job *job;
    cudaStream_t stream;
    oriel_cuda_pointers pointers;    /* of this job */
    bool some_pinned, some_pageable; /* of its pixels on the host */
    bool capturing;                  /* the job's stream is being captured */
    bool recording; /* what was enqueued is launched once more, into a graph */
    int64_t rows;   /* patches */
    oriel_cuda_workspace space;
    const oriel_cudnn_plan *cudnn_plan; /* of this job; NULL: own attention */
};

/* The ring, or NULL in a capture: what uploads of this job go through. */
static inline oriel_cuda_ring *
oriel_cuda_job_ring(oriel_backend_context *c)
{
    return c->capturing ? NULL : &c->ring;
}

/* Host memory of the context, until the next request: aligned to 64, it grows
   when more is asked for than ever before.  NULL when there is none. */
void *oriel_cuda_host_scratch(oriel_backend_context *context, size_t bytes);

/*
 * checks.c.  'error' is what became of an attempt to enqueue 'name', a kernel or
 * a call; with checks on it has run when this returns.  The second is for what
 * was uploaded.
 */
oriel_status oriel_cuda_check_launch(oriel_backend_context *context,
                                     cudaError_t error, const char *name,
                                     oriel_error *err);
oriel_status oriel_cuda_finish_upload(oriel_backend_context *context,
                                      oriel_cuda_upload *upload,
                                      oriel_error *err);
/* Around a job.  A job that was begun is ended, whatever happens. */
oriel_status oriel_cuda_begin_checks(oriel_backend_context *context,
                                     oriel_error *err);
void oriel_cuda_end_checks(oriel_backend_context *context);
/* Around a step: the parts that live in it, then its guards.  'status' is the
   step's own. */
oriel_status oriel_cuda_begin_step(oriel_backend_context *context,
                                   oriel_step step, int32_t block,
                                   oriel_error *err);
oriel_status oriel_cuda_end_step(oriel_backend_context *context,
                                 oriel_status status, oriel_error *err);

/* metadata.c: the plan onto the device, into space.metadata. */
oriel_status oriel_cuda_send_metadata(oriel_backend_context *context,
                                      oriel_error *err);
/* Where the job's angles and levels are, in its workspace or beside the weights. */
void oriel_cuda_point_tables(oriel_backend_context *context);
/* The slots of the ring that the job takes, pixels aside. */
size_t oriel_cuda_metadata_slots(const oriel_backend_context *context);
/* host_pixels.c: pixels of the host, into space.pixel_values or space.frames'
   sources; pageable ones have been read on return.  'stream' takes pageable
   frames, the job's own pinned ones. */
oriel_status oriel_cuda_send_pixel_values(oriel_backend_context *context,
                                          oriel_error *err);
oriel_status oriel_cuda_send_sources(oriel_backend_context *context,
                                     cudaStream_t stream, oriel_error *err);
/* Bytes of the caller's memory from a frame's first pixel to its last. */
size_t oriel_cuda_frame_extent(const oriel_item *item, const oriel_input *input,
                               int64_t frame);
/* Host memory that the plan's frames take there, SIZE_MAX where it exceeds the
   address space; by the flavour of the plan one or the other. */
size_t oriel_cuda_frames_host_bytes(const oriel_plan *plan);
size_t oriel_cuda_float_frames_host_bytes(const oriel_plan *plan);
/* frames.c: frames resampled by the GPU into space.pixels. */
oriel_status oriel_cuda_send_frames(oriel_backend_context *context,
                                    oriel_error *err);
/* float_frames.c: resampled on this thread; not in a capture. */
oriel_status oriel_cuda_send_float_frames(oriel_backend_context *context,
                                          oriel_error *err);

/* ---- The table's functions ---------------------------------------------- */

oriel_status oriel_cuda_create_context(oriel_backend_context **out,
                                       const oriel_backend_weights *weights,
                                       const oriel_backend_config *config,
                                       oriel_error *err);
const char *oriel_cuda_description(const oriel_backend_context *context);
void oriel_cuda_destroy_context(oriel_backend_context *context);

oriel_status oriel_cuda_settle(oriel_backend_context *context,
                               oriel_error *err);
oriel_status oriel_cuda_prepare_job(oriel_backend_context *context,
                                    const oriel_backend_job *job,
                                    oriel_error *err);
oriel_status oriel_cuda_status(const oriel_backend_context *context,
                               oriel_error *err);

oriel_status oriel_cuda_start(oriel_backend_context *context,
                              const oriel_backend_job *job, oriel_error *err);
oriel_status oriel_cuda_patchify(oriel_backend_context *context,
                                 oriel_error *err);
oriel_status oriel_cuda_embed(oriel_backend_context *context, oriel_error *err);
oriel_status oriel_cuda_blocks(oriel_backend_context *context, int32_t first,
                               int32_t end, oriel_error *err);
/* The graph of all blocks, of the job that space and rows are of. */
oriel_status oriel_cuda_prepare_blocks(oriel_backend_context *context,
                                       oriel_error *err);
oriel_status oriel_cuda_store(oriel_backend_context *context,
                              const oriel_result *result, oriel_error *err);
oriel_status oriel_cuda_finish(oriel_backend_context *context,
                               oriel_error *err);

/* Whether the call in progress is to stop, in 'err'.  A recording is no call. */
static inline bool
oriel_cuda_is_cancelled(const oriel_backend_context *c, oriel_error *err)
{
    return !c->recording && oriel_cancel_check(&c->hooks, err) != ORIEL_OK;
}

/* For LAUNCH_BY alone, after its call. */
static inline oriel_status
oriel_cuda_launched(oriel_backend_context *c, oriel_status status,
                    const char *what, oriel_error *err)
{
    return status ? status : oriel_cuda_check_launch(c, cudaSuccess, what, err);
}

/* Unless the call is cancelled enqueue an operation of ops.h, oriel_cuda_NAME, on
   the job's stream; 'c' and 'err' are the caller's. */
#define LAUNCH(operation, args) \
    (oriel_cuda_is_cancelled(c, err) \
         ? ORIEL_ERR_CANCELLED \
         : oriel_cuda_check_launch(c, operation(&(args), c->stream), \
                                   &#operation[sizeof("oriel_cuda_") - 1], \
                                   err))
/* The same of a call that enqueues and checks by itself. */
#define LAUNCH_BY(call, what) \
    (oriel_cuda_is_cancelled(c, err) \
         ? ORIEL_ERR_CANCELLED \
         : oriel_cuda_launched(c, call, what, err))

/* steps.c: the residual stream through an RMSNorm; a linear layer from x to out
   for every patch; and what blocks.c launches. */
oriel_status oriel_cuda_normalise(oriel_backend_context *context,
                                  oriel_layer norm, int32_t block,
                                  oriel_error *err);
oriel_linear_args oriel_cuda_make_linear(const oriel_backend_context *context,
                                         oriel_layer layer, int32_t block,
                                         const uint16_t *x, uint16_t *out);
oriel_block_step oriel_cuda_attn_in, oriel_cuda_attend, oriel_cuda_attn_out,
    oriel_cuda_mlp_in, oriel_cuda_mlp_out;

#endif /* ORIEL_CUDA_CONTEXT_H */
