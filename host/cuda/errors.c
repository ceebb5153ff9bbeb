/* SPDX-License-Identifier: Apache-2.0 */
/* errors.c - from cudaError_t to a status */
#include "cuda/errors.h"

#include "base/fail.h"

static oriel_status
status_of(cudaError_t error)
{
    switch (error) {
    case cudaSuccess:
        return ORIEL_OK;
    case cudaErrorMemoryAllocation:
        return ORIEL_ERR_MEMORY;
    case cudaErrorInsufficientDriver:
    case cudaErrorInitializationError:
    case cudaErrorNoDevice:
    case cudaErrorInvalidDevice:
    case cudaErrorDevicesUnavailable:
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorStubLibrary:
        return ORIEL_ERR_DEVICE;
    case cudaErrorIncompatibleDriverContext:
    case cudaErrorInvalidResourceHandle:
    case cudaErrorStreamCaptureUnsupported:
    case cudaErrorStreamCaptureInvalidated:
    case cudaErrorStreamCaptureImplicit:
    case cudaErrorStreamCaptureWrongThread:
        return ORIEL_ERR_ARGUMENT;
    case cudaErrorInvalidValue:
    case cudaErrorInvalidConfiguration:
    case cudaErrorInvalidDeviceFunction:
        return ORIEL_ERR_INTERNAL;
    default:
        return ORIEL_ERR_FAULT;
    }
}

/* What the runtime's own words do not say: who is the cause. */
static const char *
words_of(cudaError_t error)
{
    if (error == cudaErrorStreamCaptureImplicit)
        return "another stream of this process is captured in global mode "
               "(cudaErrorStreamCaptureImplicit), expected thread-local or "
               "relaxed mode";
    return cudaGetErrorString(error);
}

oriel_status
oriel_cuda_check(cudaError_t error, const char *call, oriel_error *err)
{
    if (error == cudaSuccess)
        return ORIEL_OK;
    (void)cudaGetLastError(); /* not left for whoever asks next */
    return oriel_fail_cause(err, status_of(error), (int32_t)error, "%s: %s",
                            call, words_of(error));
}
