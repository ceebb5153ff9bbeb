/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention.h - which implementation attends over whole frames
 *
 * Our own kernel, full_attention.cu, or cuDNN where the caller asked for it by
 * name; never one in the place of the other, since their bytes differ.  cuDNN's
 * plans are built between calls (attention_table.h says which there are): a call
 * takes the least that is there and fits, and all give the same bytes, as all have
 * one engine.
 */
#ifndef ORIEL_CUDA_ATTENTION_H
#define ORIEL_CUDA_ATTENTION_H

#include "cuda/attention_table.h"
#include "cuda/cudnn.h"
#include "cuda/parts.h"

#include <cuda_runtime.h>
#include <stdbool.h>

typedef struct oriel_cuda_attention {
    bool of_cudnn; /* else all below is unused */
    oriel_cudnn cudnn;
    const oriel_hooks *hooks;
    int32_t heads, head_dim;
    oriel_cudnn_plan plan[ORIEL_CUDNN_SEQUENCE_CLASSES]
                         [ORIEL_CUDNN_ROW_CLASSES]; /* zeroed: not built */
    char text[64]; /* ", cuDNN 9.19 attention (engine 9)"; "": our own */
} oriel_cuda_attention;

/*
 * On the current device, whose kernels were made ready.  For ORIEL_ATTENTION_CUDNN
 * load the library, put it to its known-answer test and build the least plan, which
 * is logged to config->call: ORIEL_ERR_UNSUPPORTED where the library, its version,
 * the row of its table or the row's engine is missing, or its answer is wrong;
 * ORIEL_ERR_DEVICE, _MEMORY, _FAULT.  'hooks' outlive it.
 */
oriel_status oriel_cuda_attention_create(oriel_cuda_attention *attention,
                                         const oriel_network *network,
                                         const oriel_backend_config *config,
                                         const oriel_hooks *hooks,
                                         oriel_error *err);
/* Also when half made, or never made but zeroed. */
void oriel_cuda_attention_destroy(oriel_cuda_attention *attention);

/* Build what a batch takes, unless it is there, and run it once on next to
   nothing, so that a capture may come first.  It takes seconds.  ORIEL_OK at once
   with our own.  ORIEL_ERR_CAPACITY, _UNSUPPORTED, _MEMORY, _FAULT */
oriel_status oriel_cuda_attention_prepare(oriel_cuda_attention *attention,
                                          const oriel_plan_info *info,
                                          oriel_error *err);

/* What a batch takes of what is there; NULL with our own.  ORIEL_ERR_CAPACITY
   where nothing fits. */
oriel_status oriel_cuda_attention_find(const oriel_cuda_attention *attention,
                                       const oriel_plan_info *info,
                                       const oriel_cudnn_plan **plan,
                                       oriel_error *err);

/* Enqueue, with the parts of 'space'. */
oriel_status oriel_cuda_attention_run(const oriel_cuda_attention *attention,
                                      const oriel_cudnn_plan *plan,
                                      const oriel_cuda_workspace *space,
                                      cudaStream_t stream, oriel_error *err);

#endif /* ORIEL_CUDA_ATTENTION_H */
