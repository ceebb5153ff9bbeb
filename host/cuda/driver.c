/* SPDX-License-Identifier: Apache-2.0 */
/* driver.c - the driver's functions, by name and version */
#include "cuda/driver.h"

#include "base/fail.h"
#include "cuda/errors.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

/* They take the arguments that they have in this version. */
enum { VERSION = 13000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static oriel_cuda_driver found;
static bool has_found;

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
find_all(oriel_cuda_driver *d, oriel_error *err)
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
    if (!status)
        status =
            find(&d->get_pointer_attributes, "cuPointerGetAttributes", err);
    if (!status)
        status = find(&d->encode_tensor_map, "cuTensorMapEncodeTiled", err);
    return status;
}

oriel_status
oriel_cuda_find_driver(const oriel_cuda_driver **driver, oriel_error *err)
{
    oriel_status status = ORIEL_OK;

    pthread_mutex_lock(&lock);
    if (!has_found)
        status = find_all(&found, err);
    has_found = has_found || !status;
    pthread_mutex_unlock(&lock);
    *driver = &found;
    return status;
}
