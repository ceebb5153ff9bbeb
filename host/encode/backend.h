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

#include "base/network.h"
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
    const oriel_hooks *hooks; /* memory: never NULL, outlives what is made */
    const oriel_hooks *call;  /* log and cancel of the call in progress; the
                                 weights are the model's, the call is not */
} oriel_backend_config;

/* One call of oriel_encode, checked; lives on the caller's stack. */
typedef struct oriel_backend_job {
    const oriel_plan *plan;
    const oriel_input *input;   /* dtype resolved */
    const oriel_output *output; /* dtype and row_bytes resolved */
    void *workspace;            /* 256-byte aligned, on the device */
    size_t workspace_bytes;     /* at least workspace_bytes() of the plan */
    struct CUstream_st *stream;
} oriel_backend_job;

typedef struct oriel_backend {
    const char *version; /* ORIEL_VERSION_STRING of its build */
    const char *name;    /* "cpu" */
    int32_t memory;      /* ORIEL_MEMORY_*: where its workspace lies */

    /* Fill all of *info but device and reason.  ORIEL_ERR_DEVICE: absent. */
    oriel_status (*describe)(int32_t device_index, oriel_device_info *info,
                             oriel_error *err);

    /* Load everything there is for the device and say in one line what that is;
       NULL: there is nothing to load.  ORIEL_ERR_DEVICE, _MEMORY, _FAULT */
    oriel_status (*examine)(int32_t device_index, char *line, size_t line_bytes,
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

    /* One job: start, the steps in encoder.c's order, finish.  'job' stays
       valid until finish, which is called after a failed step too.  */
    oriel_status (*start)(oriel_backend_context *context,
                          const oriel_backend_job *job, oriel_error *err);
    oriel_status (*patchify)(oriel_backend_context *context, oriel_error *err);
    oriel_status (*embed)(oriel_backend_context *context, oriel_error *err);
    oriel_status (*attn_in)(oriel_backend_context *context, int32_t block,
                            oriel_error *err);
    oriel_status (*attend)(oriel_backend_context *context, int32_t block,
                           oriel_error *err);
    oriel_status (*attn_out)(oriel_backend_context *context, int32_t block,
                             oriel_error *err);
    oriel_status (*mlp_in)(oriel_backend_context *context, int32_t block,
                           oriel_error *err);
    oriel_status (*mlp_out)(oriel_backend_context *context, int32_t block,
                            oriel_error *err);
    oriel_status (*merge)(oriel_backend_context *context, oriel_error *err);
    /* The hidden state as it stands now, into the tap, in image order. */
    oriel_status (*tap)(oriel_backend_context *context, const oriel_tap *tap,
                        oriel_error *err);
    oriel_status (*finish)(oriel_backend_context *context, oriel_error *err);
} oriel_backend;

/* The one symbol of a module; NULL when 'version' is not its own. */
typedef const oriel_backend *oriel_backend_entry_fn(const char *version);

#endif /* ORIEL_ENCODE_BACKEND_H */
