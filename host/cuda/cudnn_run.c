/* SPDX-License-Identifier: Apache-2.0 */
/* cudnn_run.c - a handle on a device, and plans that run on streams */
#include "cuda/cudnn.h"

#include "cuda/device.h"

oriel_status
oriel_cudnn_open(oriel_cudnn *cudnn, int32_t device_index, oriel_error *err)
{
    oriel_status status;

    *cudnn = (oriel_cudnn){.device_index = device_index};
    status = oriel_cudnn_load(&cudnn->calls, &cudnn->version, err);
    if (!status)
        status = oriel_cuda_capability(device_index, &cudnn->capability, err);
    if (!status)
        status = oriel_cudnn_check(&cudnn->calls,
                                   cudnn->calls.Create(&cudnn->handle),
                                   "the handle", err);
    return status;
}

void
oriel_cudnn_close(oriel_cudnn *cudnn)
{
    if (cudnn->handle)
        (void)cudnn->calls.Destroy(cudnn->handle);
    cudnn->handle = NULL;
}

oriel_status
oriel_cudnn_make(const oriel_cudnn *cudnn, oriel_cudnn_plan *plan,
                 const oriel_cudnn_shape *shape, oriel_error *err)
{
    const oriel_cudnn_target target = {.handle = cudnn->handle,
                                       .capability = cudnn->capability};

    return oriel_cudnn_plan_make(plan, &cudnn->calls, cudnn->version, &target,
                                 shape, err);
}

oriel_status
oriel_cudnn_run(const oriel_cudnn *cudnn, const oriel_cudnn_plan *plan,
                const oriel_cudnn_args *args, struct CUstream_st *stream,
                oriel_error *err)
{
    const oriel_cudnn_library *l = &cudnn->calls;
    oriel_cudnn_descriptor pack;
    oriel_status status = oriel_cudnn_check(
        l, l->SetStream(cudnn->handle, stream), "the stream", err);

    if (!status)
        status = oriel_cudnn_pack_make(&pack, plan, args, err);
    if (status)
        return status;
    status =
        oriel_cudnn_check(l, l->BackendExecute(cudnn->handle, plan->plan, pack),
                          "attention", err);
    (void)l->BackendDestroyDescriptor(pack);
    return status;
}
