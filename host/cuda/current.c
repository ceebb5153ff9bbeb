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
#include "cuda/errors.h"

#include <pthread.h>
#include <string.h>

/* The functions below take the arguments that they have in this version. */
enum { DEVICES_MOST = 64, VERSION = 13000 };

typedef struct CUctx_st *driver_context;
struct CUgreenCtx_st;

/* The driver's functions, by the runtime: nothing is linked with libcuda.so. */
typedef struct driver {
    int (*get_device)(int *device, int ordinal);
    int (*retain)(driver_context *context, int device);
    int (*get_current)(driver_context *context);
    int (*push)(driver_context context);
    int (*pop)(driver_context *context);
    /* For a stream of a green context, the primary context that it shares. */
    int (*get_stream_context)(cudaStream_t stream, driver_context *context,
                              struct CUgreenCtx_st **green);
} driver;

static oriel_status
find(void *function, const char *name, oriel_error *err)
{
    enum cudaDriverEntryPointQueryResult result;
    void *symbol = NULL;
    oriel_status status = oriel_cuda_check(
        cudaGetDriverEntryPointByVersion(name, &symbol, VERSION,
                                         cudaEnableDefault, &result),
        "cudaGetDriverEntryPointByVersion", err);

    if (!status && !symbol)
        return oriel_fail(err, ORIEL_ERR_DEVICE,
                          "cuda: the driver has no %s, expected one of CUDA "
                          "13.0 or later",
                          name);
    memcpy(function, &symbol, sizeof(symbol));
    return status;
}

static oriel_status
find_all(driver *d, oriel_error *err)
{
    oriel_status status = find(&d->get_device, "cuDeviceGet", err);

    if (!status)
        status = find(&d->retain, "cuDevicePrimaryCtxRetain", err);
    if (!status)
        status = find(&d->get_current, "cuCtxGetCurrent", err);
    if (!status)
        status = find(&d->push, "cuCtxPushCurrent", err);
    if (!status)
        status = find(&d->pop, "cuCtxPopCurrent", err);
    if (!status)
        status = find(&d->get_stream_context, "cuStreamGetCtx", err);
    return status;
}

/* The runtime's errors have the driver's numbers. */
static oriel_status
check(int result, const char *call, oriel_error *err)
{
    return oriel_cuda_check((cudaError_t)result, call, err);
}

/* Found and retained once. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static driver found;
static bool has_found;
static driver_context primary[DEVICES_MOST];

static oriel_status
find_and_retain(int32_t device_index, oriel_error *err)
{
    int device = 0;
    oriel_status status = has_found ? ORIEL_OK : find_all(&found, err);

    has_found = !status;
    if (status || primary[device_index])
        return status;
    status = check(found.get_device(&device, device_index), "cuDeviceGet", err);
    return status ? status
                  : check(found.retain(&primary[device_index], device),
                          "cuDevicePrimaryCtxRetain", err);
}

/* From here on 'found' and the device's 'primary' may be used. */
static oriel_status
retain(int32_t device_index, oriel_error *err)
{
    oriel_status status;

    if (device_index < 0 || device_index >= DEVICES_MOST)
        return oriel_fail(err, ORIEL_ERR_DEVICE,
                          "cuda: device_index is %d, expected below %d",
                          device_index, DEVICES_MOST);
    pthread_mutex_lock(&lock);
    status = find_and_retain(device_index, err);
    pthread_mutex_unlock(&lock);
    return status;
}

oriel_status
oriel_cuda_select(oriel_cuda_scope *scope, int32_t device_index,
                  oriel_error *err)
{
    driver_context current = NULL;
    int device = -1;
    oriel_status status = oriel_cuda_check_process(err);

    *scope = (oriel_cuda_scope){0};
    if (!status)
        status = retain(device_index, err);
    if (!status)
        status = check(found.get_current(&current), "cuCtxGetCurrent", err);
    if (status || current == primary[device_index])
        return status;
    if (current)
        status = oriel_cuda_check(cudaGetDevice(&device), "cudaGetDevice", err);
    if (!status)
        status =
            check(found.push(primary[device_index]), "cuCtxPushCurrent", err);
    if (status)
        return status;
    scope->pop = found.pop;
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
    oriel_status status = ORIEL_OK;

    if (stream && stream != cudaStreamLegacy && stream != cudaStreamPerThread)
        status = check(found.get_stream_context(stream, &context, &green),
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
