/* SPDX-License-Identifier: Apache-2.0 */
/* device.h - a CUDA device: what it is, being on it, and its memory */
#ifndef ORIEL_CUDA_DEVICE_H
#define ORIEL_CUDA_DEVICE_H

#include "encode/backend.h"

#include <cuda_runtime.h>
#include <stdbool.h>

/* ORIEL_ERR_DEVICE with one clear line where there is none that we can use. */
oriel_status oriel_cuda_describe(int32_t device_index, oriel_device_info *info,
                                 oriel_error *err);

/* Its compute capability: 90 for 9.0. */
oriel_status oriel_cuda_capability(int32_t device_index, int32_t *capability,
                                   oriel_error *err);

/*
 * process.c: CUDA does not work after fork() in the child of a process that had
 * used it: ORIEL_ERR_DEVICE.  The first call says which process uses it, so ask
 * before the first call of CUDA that needs a device.
 */
oriel_status oriel_cuda_check_process(oriel_error *err);
/* Whether this is such a child: what CUDA holds must be left alone. */
bool oriel_cuda_was_forked(void);

struct CUctx_st; /* the driver's context */

/* current.c: while our device and mode of captures are current. */
typedef struct oriel_cuda_scope {
    int (*pop)(struct CUctx_st **context); /* NULL: the caller is there too */
    bool over_other; /* what was current is of the same device */
    enum cudaStreamCaptureMode mode;
    bool relaxed;
} oriel_cuda_scope;

oriel_status oriel_cuda_select(oriel_cuda_scope *scope, int32_t device_index,
                               oriel_error *err);
/*
 * Once selected.  What we wait for, allocate or free from now on concerns no
 * capture: else it would fail while any thread captures a stream, and spoil
 * that capture.
 */
oriel_status oriel_cuda_relax(oriel_cuda_scope *scope, oriel_error *err);
/* Both. */
oriel_status oriel_cuda_enter(oriel_cuda_scope *scope, int32_t device_index,
                              oriel_error *err);
/* Once selected.  ORIEL_ERR_ARGUMENT for a stream of another context than the
   device's primary one: nothing of ours can be enqueued there. */
oriel_status oriel_cuda_check_stream_context(const oriel_cuda_scope *scope,
                                             cudaStream_t stream,
                                             int32_t device_index,
                                             oriel_error *err);
/* Also after a failed one of those. */
void oriel_cuda_leave(oriel_cuda_scope *scope);

/* An event without times; who waits for it leaves the core to others. */
oriel_status oriel_cuda_event_create(cudaEvent_t *event, oriel_error *err);

/* On the current device, lent by the hooks or by cudaMalloc; aligned to 256. */
oriel_status oriel_cuda_alloc(void **out, size_t bytes,
                              const oriel_hooks *hooks, int32_t device_index,
                              const char *what, oriel_error *err);
void oriel_cuda_free(void *memory, const oriel_hooks *hooks,
                     int32_t device_index); /* NULL is fine */

#endif /* ORIEL_CUDA_DEVICE_H */
