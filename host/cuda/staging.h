/* SPDX-License-Identifier: Apache-2.0 */
/*
 * staging.h - pageable pixels go to the device beside the kernels of calls before
 *
 * Two buffers of device memory that belong to the encoder, and a stream of its own
 * that fills them in turn.  Pageable pixels are read while the call runs, so their
 * copies need not wait for what the caller's stream has still to do; a workspace
 * must, since it may be in use until then.  The caller's stream waits for the
 * copies, and the encoder's for the kernel that reads the buffer, by events.
 *
 *   encoder's stream   fill 0 | fill 1 |        wait used 0, fill 0 |
 *   caller's stream             wait filled 0, kernels | wait filled 1, kernels
 */
#ifndef ORIEL_CUDA_STAGING_H
#define ORIEL_CUDA_STAGING_H

#include "oriel.h"

#include <cuda_runtime.h>
#include <stdbool.h>

enum { ORIEL_CUDA_STAGES = 2, ORIEL_CUDA_STAGE_BYTES = 16 << 20 };

typedef struct oriel_cuda_stage {
    char *memory;             /* [ORIEL_CUDA_STAGE_BYTES] */
    cudaEvent_t filled, used; /* made in this order */
    bool has_filled, has_used, was_used;
} oriel_cuda_stage;

typedef struct oriel_cuda_staging {
    cudaStream_t stream; /* NULL: none was made */
    oriel_cuda_stage stages[ORIEL_CUDA_STAGES];
    int32_t next;
    bool in_use; /* from begin to release */
} oriel_cuda_staging;

/* On the current device.  Memory is lent by the hooks or by cudaMalloc. */
oriel_status oriel_cuda_staging_create(oriel_cuda_staging *staging,
                                       const oriel_hooks *hooks,
                                       int32_t device_index, oriel_error *err);
/* Waits for copies on their way; a zeroed or half-made one is fine.  What reads
   the buffers has run. */
void oriel_cuda_staging_destroy(oriel_cuda_staging *staging,
                                const oriel_hooks *hooks, int32_t device_index);

/* A buffer that may be filled by staging->stream, for at most
   ORIEL_CUDA_STAGE_BYTES; aligned to 256. */
oriel_status oriel_cuda_staging_begin(oriel_cuda_staging *staging,
                                      void **memory, oriel_error *err);
/* It is filled: 'stream' goes on after that.  Nothing if none was begun. */
oriel_status oriel_cuda_staging_end(oriel_cuda_staging *staging,
                                    cudaStream_t stream, oriel_error *err);
/* What reads it was enqueued on 'stream', or never will be.  Nothing if none was
   begun. */
oriel_status oriel_cuda_staging_release(oriel_cuda_staging *staging,
                                        cudaStream_t stream, oriel_error *err);

#endif /* ORIEL_CUDA_STAGING_H */
