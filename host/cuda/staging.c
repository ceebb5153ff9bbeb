/* SPDX-License-Identifier: Apache-2.0 */
/* staging.c - two buffers, filled by one stream and read by another */
#include "cuda/staging.h"

#include "cuda/device.h"
#include "cuda/errors.h"

#include <string.h>

static oriel_status
make_stage(oriel_cuda_stage *stage, const oriel_hooks *hooks,
           int32_t device_index, oriel_error *err)
{
    void *memory = NULL;
    oriel_status status =
        oriel_cuda_alloc(&memory, ORIEL_CUDA_STAGE_BYTES, hooks, device_index,
                         "pixels on their way", err);

    stage->memory = memory;
    if (!status)
        status = oriel_cuda_event_create(&stage->filled, err);
    stage->has_filled = !status;
    if (!status)
        status = oriel_cuda_event_create(&stage->used, err);
    stage->has_used = stage->has_filled && !status;
    return status;
}

oriel_status
oriel_cuda_staging_create(oriel_cuda_staging *staging, const oriel_hooks *hooks,
                          int32_t device_index, oriel_error *err)
{
    oriel_status status;

    memset(staging, 0, sizeof(*staging));
    status = oriel_cuda_check(
        cudaStreamCreateWithFlags(&staging->stream, cudaStreamNonBlocking),
        "cudaStreamCreateWithFlags", err);
    if (status)
        staging->stream = NULL;
    for (int i = 0; i < ORIEL_CUDA_STAGES && !status; i++)
        status = make_stage(&staging->stages[i], hooks, device_index, err);
    return status;
}

void
oriel_cuda_staging_destroy(oriel_cuda_staging *staging,
                           const oriel_hooks *hooks, int32_t device_index)
{
    if (staging->stream) {
        (void)cudaStreamSynchronize(staging->stream);
        (void)cudaStreamDestroy(staging->stream);
    }
    for (int i = 0; i < ORIEL_CUDA_STAGES; i++) {
        oriel_cuda_stage *stage = &staging->stages[i];

        if (stage->has_filled)
            (void)cudaEventDestroy(stage->filled);
        if (stage->has_used)
            (void)cudaEventDestroy(stage->used);
        oriel_cuda_free(stage->memory, hooks, device_index);
    }
    memset(staging, 0, sizeof(*staging));
}

oriel_status
oriel_cuda_staging_begin(oriel_cuda_staging *staging, void **memory,
                         oriel_error *err)
{
    oriel_cuda_stage *stage = &staging->stages[staging->next];
    oriel_status status = ORIEL_OK;

    if (stage->was_used)
        status = oriel_cuda_check(
            cudaStreamWaitEvent(staging->stream, stage->used, 0),
            "cudaStreamWaitEvent", err);
    staging->in_use = !status;
    *memory = stage->memory;
    return status;
}

oriel_status
oriel_cuda_staging_end(oriel_cuda_staging *staging, cudaStream_t stream,
                       oriel_error *err)
{
    const oriel_cuda_stage *stage = &staging->stages[staging->next];
    oriel_status status;

    if (!staging->in_use)
        return ORIEL_OK;
    status = oriel_cuda_check(cudaEventRecord(stage->filled, staging->stream),
                              "cudaEventRecord", err);

    return status
               ? status
               : oriel_cuda_check(cudaStreamWaitEvent(stream, stage->filled, 0),
                                  "cudaStreamWaitEvent", err);
}

oriel_status
oriel_cuda_staging_release(oriel_cuda_staging *staging, cudaStream_t stream,
                           oriel_error *err)
{
    oriel_cuda_stage *stage = &staging->stages[staging->next];
    oriel_status status;

    if (!staging->in_use)
        return ORIEL_OK;
    staging->in_use = false;
    status = oriel_cuda_check(cudaEventRecord(stage->used, stream),
                              "cudaEventRecord", err);
    if (status) /* nothing says when it was read */
        (void)cudaStreamSynchronize(stream);
    stage->was_used = !status;
    staging->next = (staging->next + 1) % ORIEL_CUDA_STAGES;
    return status;
}
