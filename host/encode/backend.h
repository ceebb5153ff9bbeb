/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backend.h - what a device must be able to do
 *
 * The network is eight steps (docs/architecture.md); a backend implements them
 * on its own memory, and encoder.c is the only caller.  The interface is
 * asynchronous in shape: a step may run when called (cpu) or only be enqueued
 * on the job's stream (cuda), nothing is read back, and what the job points to
 * on the host is read before 'finish' returns.
 *
 * A backend is a module, liboriel-NAME.so beside liboriel.so, with one symbol,
 * oriel_backend_entry.  It is refused unless it was built from this version.
 */
#ifndef ORIEL_ENCODE_BACKEND_H
#define ORIEL_ENCODE_BACKEND_H

#include "base/memory.h"
#include "base/network.h"
#include "encode/meter.h"
#include "model/reader.h"
#include "plan/plan.h"

/* Opaque, each backend's own. */
typedef struct oriel_backend_weights oriel_backend_weights;
typedef struct oriel_backend_context oriel_backend_context;

typedef struct oriel_backend_config {
    int32_t device_index;
    int32_t precision; /* BF16 or FP32; AUTO was resolved by 'describe' */
    int32_t threads;   /* >= 1; CPU only */
    int32_t kernels;   /* ORIEL_KERNELS_*; CUDA only */
    int32_t graphs;    /* ORIEL_GRAPHS_*; CUDA only */
    int32_t checks;    /* ORIEL_CHECKS_*; CUDA only */
    int32_t grow;      /* 1: own scratch grows; for encoder.c alone */
    int32_t residual;  /* ORIEL_RESIDUAL_*; CUDA only */
    int32_t attention; /* ORIEL_ATTENTION_*; CUDA only */
    int32_t profile;   /* 1: no graphs, steps are timed, a job is waited for */
    const oriel_hooks *hooks; /* memory: never NULL, outlives what is made */
    const oriel_hooks *call;  /* log and cancel of the call in progress; the
                                 weights are the model's, the call is not */
} oriel_backend_config;

/* One call of oriel_encode, checked; it is on the caller's stack. */
typedef struct oriel_backend_job {
    const oriel_plan *plan;
    const oriel_input *input;   /* dtype resolved */
    const oriel_output *output; /* its results as the caller wrote them; 'store'
                                   gets them resolved */
    void *workspace;            /* 256-byte aligned, on the device */
    size_t workspace_bytes;     /* at least workspace_bytes() of the plan */
    bool own_workspace;         /* it is the encoder's own */
    struct CUstream_st *stream;
    oriel_meter *meter;
} oriel_backend_job;

typedef struct oriel_backend {
    const char *version; /* ORIEL_VERSION_STRING of its build */
    const char *name;    /* "cpu" */
    int32_t memory;      /* ORIEL_MEMORY_*: where its workspace lies */

    /* Fill all of *info but device and reason.  ORIEL_ERR_DEVICE: absent. */
    oriel_status (*describe)(int32_t device_index, oriel_device_info *info,
                             oriel_error *err);

    /* Refuse by name what this backend cannot run: ORIEL_ERR_UNSUPPORTED. */
    oriel_status (*check)(const oriel_network *network, int32_t precision,
                          oriel_error *err);

    /* Weights of one (model, device, precision), shared by its contexts. */
    oriel_status (*load_weights)(oriel_backend_weights **out,
                                 const oriel_network *network,
                                 const oriel_weight_reader *reader,
                                 const oriel_backend_config *config,
                                 oriel_error *err);
    uint64_t (*weight_bytes)(const oriel_backend_weights *weights);
    void (*free_weights)(oriel_backend_weights *weights);
    /* What weight_bytes says once they are loaded; needs neither them nor a
       device, but a network that 'check' takes. */
    oriel_status (*model_bytes)(const oriel_network *network,
                                const oriel_backend_config *config,
                                uint64_t *bytes, oriel_error *err);

    /* What one encoder owns besides scratch: threads, primitives, graphs. */
    oriel_status (*create_context)(oriel_backend_context **out,
                                   const oriel_backend_weights *weights,
                                   const oriel_backend_config *config,
                                   oriel_error *err);
    const char *(*description)(const oriel_backend_context *context);
    void (*destroy_context)(oriel_backend_context *context);

    /* Pure: needs no device.  ORIEL_ERR_CAPACITY when it overflows. */
    oriel_status (*workspace_bytes)(const oriel_plan *plan,
                                    const oriel_backend_config *config,
                                    size_t *bytes, oriel_error *err);
    /* Scratch that an encoder owns; on the backend's memory, aligned to 256. */
    oriel_status (*alloc_workspace)(void **out, size_t bytes,
                                    const oriel_backend_config *config,
                                    oriel_error *err);
    void (*free_workspace)(void *workspace, const oriel_backend_config *config);
    /* Before an encoder's own scratch goes: wait for the jobs that use it, and
       drop what was made for it.  ORIEL_ERR_ARGUMENT where a caller's capture
       uses it.  NULL: nothing to do. */
    oriel_status (*settle)(oriel_backend_context *context, oriel_error *err);

    /* What a job of this plan would allocate or build; of 'job' plan (or NULL) and
       workspace (NULL: not known) are set.  NULL: nothing to do. */
    oriel_status (*prepare)(oriel_backend_context *context,
                            const oriel_backend_job *job, oriel_error *err);

    /* ORIEL_ERR_BUSY while a job is in flight, _FAULT; from any thread, without
       a wait.  NULL: a job is over when 'finish' returns. */
    oriel_status (*status)(const oriel_backend_context *context,
                           oriel_error *err);

    /* One job: start, the steps in encoder.c's order, finish.  'job' stays
       valid until finish, which is called after a failed step too. */
    oriel_status (*start)(oriel_backend_context *context,
                          const oriel_backend_job *job, oriel_error *err);
    oriel_status (*patchify)(oriel_backend_context *context, oriel_error *err);
    oriel_status (*embed)(oriel_backend_context *context, oriel_error *err);
    /* Blocks 'first' to 'end' - 1, each by its five steps. */
    oriel_status (*blocks)(oriel_backend_context *context, int32_t first,
                           int32_t end, oriel_error *err);
    /* A result that is due: a hidden state as it stands now, or the embeddings,
       by way of MERGE.  Its dtype and row_bytes are resolved. */
    oriel_status (*store)(oriel_backend_context *context,
                          const oriel_result *result, oriel_error *err);
    oriel_status (*finish)(oriel_backend_context *context, oriel_error *err);
} oriel_backend;

/* ---- What backends share ------------------------------------------------ */

/* A step of one block; a backend declares its five by this type. */
typedef oriel_status oriel_block_step(oriel_backend_context *context,
                                      int32_t block, oriel_error *err);

/* In the order of the network: docs/model.md. */
typedef struct oriel_block_steps {
    oriel_block_step *attn_in, *attend, *attn_out, *mlp_in, *mlp_out;
} oriel_block_steps;

static inline oriel_status
oriel_run_block(oriel_backend_context *context, const oriel_block_steps *steps,
                const oriel_backend_job *job, const oriel_hooks *call,
                int32_t block, oriel_error *err)
{
    const oriel_step_flops *f = &job->meter->flops;
    bool frames = oriel_network_is_full_attention(&job->plan->network, block);
    const struct {
        oriel_block_step *run;
        oriel_step step;
        int64_t flops;
    } in_order[] = {
        {steps->attn_in, ORIEL_STEP_ATTN_IN, f->attn_in},
        {steps->attend, ORIEL_STEP_ATTEND,
         frames ? f->attend_frames : f->attend_windows},
        {steps->attn_out, ORIEL_STEP_ATTN_OUT, f->attn_out},
        {steps->mlp_in, ORIEL_STEP_MLP_IN, f->mlp_in},
        {steps->mlp_out, ORIEL_STEP_MLP_OUT, f->mlp_out},
    };

    for (size_t i = 0; i < sizeof(in_order) / sizeof(*in_order); i++) {
        oriel_status status = oriel_cancel_check(call, err);

        oriel_meter_begin(job->meter);
        if (!status)
            status = in_order[i].run(context, block, err);
        if (status)
            return status;
        oriel_meter_end(job->meter, in_order[i].step, in_order[i].flops);
    }
    return ORIEL_OK;
}

/* Run the steps of blocks 'first' to 'end' - 1 one after the other; before each
   'call' is asked whether to go on.  ORIEL_ERR_CANCELLED, and the steps' own */
static inline oriel_status
oriel_run_blocks(oriel_backend_context *context, const oriel_block_steps *steps,
                 const oriel_backend_job *job, const oriel_hooks *call,
                 int32_t first, int32_t end, oriel_error *err)
{
    oriel_status status = ORIEL_OK;

    for (int32_t block = first; block < end && !status; block++)
        status = oriel_run_block(context, steps, job, call, block, err);
    return status;
}

/* Rows of 'width' bytes that fit a resolved result's matrix: where output.row_index may
   lead. */
static inline size_t
oriel_result_rows(const oriel_result *result, size_t width)
{
    return result->row_bytes ? (result->bytes - width) / result->row_bytes + 1
                             : 0;
}

/* The one symbol of a module; NULL when 'version' is not its own. */
typedef const oriel_backend *oriel_backend_entry_fn(const char *version);

#endif /* ORIEL_ENCODE_BACKEND_H */
