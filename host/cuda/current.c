/* SPDX-License-Identifier: Apache-2.0 */
/*
 * current.c - being on a device for a while, on a thread that is the caller's
 *
 * The runtime works on the driver's context that is current to the thread, so a
 * device's primary context is pushed and popped again: what was current before,
 * the caller's own context or none at all, is so afterwards.  cudaSetDevice
 * cannot go back like that: it makes a context on the device that it is given,
 * hundreds of MiB on one that the caller may never have used.
 *
 * A caller may have made another context of the same device.  It has memory,
 * streams and events of its own, and ours all lie in the primary one; so contexts
 * are compared, not devices.
 *
 * A primary context is retained once and kept, as the runtime keeps those that
 * it makes.
 */
#include "cuda/device.h"

#include "base/fail.h"
#include "cuda/driver.h"
#include "cuda/errors.h"

#include <pthread.h>
#include <string.h>

enum { DEVICES_MOST = 64 };

typedef struct CUctx_st *driver_context;

/* The runtime's errors have the driver's numbers. */
static oriel_status
check(int result, const char *call, oriel_error *err)
{
    return oriel_cuda_check((cudaError_t)result, call, err);
}

/* Retained once. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static driver_context primary[DEVICES_MOST];

static oriel_status
retain_once(const oriel_cuda_driver *driver, int32_t device_index,
            oriel_error *err)
{
    int device = 0;
    oriel_status status;

    if (primary[device_index])
        return ORIEL_OK;
    status =
        check(driver->get_device(&device, device_index), "cuDeviceGet", err);
    return status ? status
                  : check(driver->retain(&primary[device_index], device),
                          "cuDevicePrimaryCtxRetain", err);
}

/* From here on the device's 'primary' may be used. */
static oriel_status
retain(const oriel_cuda_driver *driver, int32_t device_index, oriel_error *err)
{
    oriel_status status;

    if (device_index < 0 || device_index >= DEVICES_MOST)
        return oriel_fail(err, ORIEL_ERR_DEVICE,
                          "cuda: device_index is %d, expected below %d",
                          device_index, DEVICES_MOST);
    pthread_mutex_lock(&lock);
    status = retain_once(driver, device_index, err);
    pthread_mutex_unlock(&lock);
    return status;
}

oriel_status
oriel_cuda_select(oriel_cuda_scope *scope, int32_t device_index,
                  oriel_error *err)
{
    const oriel_cuda_driver *driver;
    driver_context current = NULL;
    int device = -1;
    oriel_status status = oriel_cuda_check_process(err);

    *scope = (oriel_cuda_scope){0};
    if (!status)
        status = oriel_cuda_find_driver(&driver, err);
    if (!status)
        status = retain(driver, device_index, err);
    if (!status)
        status = check(driver->get_current(&current), "cuCtxGetCurrent", err);
    if (status || current == primary[device_index])
        return status;
    if (current)
        status = oriel_cuda_check(cudaGetDevice(&device), "cudaGetDevice", err);
    if (!status)
        status =
            check(driver->push(primary[device_index]), "cuCtxPushCurrent", err);
    if (status)
        return status;
    scope->pop = driver->pop;
    scope->over_other = device == device_index;
    return ORIEL_OK;
}

oriel_status
oriel_cuda_check_stream_context(const oriel_cuda_scope *scope,
                                cudaStream_t stream, int32_t device_index,
                                oriel_error *err)
{
    driver_context context = primary[device_index];
    struct CUgreenCtx_st *green;
    const oriel_cuda_driver *driver;
    oriel_status status = oriel_cuda_find_driver(&driver, err);

    if (status)
        return status;
    if (stream && stream != cudaStreamLegacy && stream != cudaStreamPerThread)
        status = check(driver->get_stream_context(stream, &context, &green),
                       "cuStreamGetCtx", err);
    else if (scope->over_other)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "the stream is a default one, and the current CUDA "
                          "context is not the primary one of device %d: "
                          "expected a stream of that",
                          device_index);
    if (!status && context != primary[device_index])
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "the stream is of a CUDA context of the caller's, "
                          "expected the primary context of device %d",
                          device_index);
    return status;
}

oriel_status
oriel_cuda_relax(oriel_cuda_scope *scope, oriel_error *err)
{
    oriel_status status;

    scope->mode = cudaStreamCaptureModeRelaxed;
    status = oriel_cuda_check(cudaThreadExchangeStreamCaptureMode(&scope->mode),
                              "cudaThreadExchangeStreamCaptureMode", err);
    scope->relaxed = !status;
    return status;
}

oriel_status
oriel_cuda_enter(oriel_cuda_scope *scope, int32_t device_index,
                 oriel_error *err)
{
    oriel_status status = oriel_cuda_select(scope, device_index, err);

    return status ? status : oriel_cuda_relax(scope, err);
}

void
oriel_cuda_leave(oriel_cuda_scope *scope)
{
    driver_context ours;

    if (scope->relaxed)
        (void)cudaThreadExchangeStreamCaptureMode(&scope->mode);
    if (scope->pop)
        (void)scope->pop(&ours);
    *scope = (oriel_cuda_scope){0};
}
