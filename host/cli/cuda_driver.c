/* SPDX-License-Identifier: Apache-2.0 */
/* cuda_driver.c - streams and pinned memory, from NVIDIA's driver */
#include "cli/cuda_driver.h"

#include "base/fail.h"
#include "cli/flags.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

#define LIBRARY "libcuda.so.1"

/* As cuda.h has them. */
enum { SUCCESS = 0, OUT_OF_MEMORY = 2 };
enum { STREAM_NON_BLOCKING = 1 };
enum { HOST_PORTABLE = 1 };
typedef struct CUctx_st *context;
typedef struct CUstream_st *cu_stream;

#define FUNCTIONS(X) \
    X(cuInit, (unsigned int flags)) \
    X(cuGetErrorName, (int error, const char **name)) \
    X(cuDeviceGetCount, (int *count)) \
    X(cuDeviceGet, (int *device, int ordinal)) \
    X(cuDevicePrimaryCtxRetain, (context * out, int device)) \
    X(cuCtxPushCurrent_v2, (context pushed)) \
    X(cuCtxPopCurrent_v2, (context * popped)) \
    X(cuMemHostAlloc, (void **out, size_t bytes, unsigned int flags)) \
    X(cuMemFreeHost, (void *memory)) \
    X(cuStreamCreate, (cu_stream * out, unsigned int flags)) \
    X(cuStreamSynchronize, (cu_stream stream)) \
    X(cuStreamDestroy_v2, (cu_stream stream))

/* 'contexts' are the primary ones, retained for as long as the process lives. */
static struct {
#define X(name, parameters) int(*name) parameters;
    FUNCTIONS(X)
#undef X
    context contexts[CLI_DEVICES_MOST];
    bool is_open;
} driver;

static oriel_status
check(int error, const char *call, oriel_status otherwise, oriel_error *err)
{
    const char *name = NULL;

    if (error == SUCCESS)
        return ORIEL_OK;
    if (driver.cuGetErrorName(error, &name) != SUCCESS || !name)
        name = "an unknown error";
    return oriel_fail_cause(
        err, error == OUT_OF_MEMORY ? ORIEL_ERR_MEMORY : otherwise, error,
        "cuda: %s of " LIBRARY " failed: %s (%d)", call, name, error);
}

/* ---- The library ------------------------------------------------------------ */

static oriel_status
load(oriel_error *err)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

    if (!library) {
        const char *why = dlerror();

        return oriel_fail(
            err, oriel_load_status(why ? why : "", ORIEL_ERR_DEVICE),
            "cuda: NVIDIA's driver, " LIBRARY ", cannot be loaded: %s",
            ORIEL_QUOTE(why ? why : "unknown"));
    }
    /* A function pointer from the data pointer that dlsym gives, as POSIX has
       it. */
#define X(name, parameters) \
    { \
        void *symbol = dlsym(library, #name); \
        if (!symbol) \
            return oriel_fail(err, ORIEL_ERR_DEVICE, \
                              "cuda: " LIBRARY " lacks %s", #name); \
        memcpy(&driver.name, &symbol, sizeof(symbol)); \
    }
    FUNCTIONS(X)
#undef X
    return ORIEL_OK;
}

oriel_status
cli_cuda_open(int32_t *n_devices, oriel_error *err)
{
    int count = 0;
    oriel_status status = driver.is_open ? ORIEL_OK : load(err);

    *n_devices = 0;
    if (!status)
        status = check(driver.cuInit(0), "cuInit", ORIEL_ERR_DEVICE, err);
    if (!status)
        status = check(driver.cuDeviceGetCount(&count), "cuDeviceGetCount",
                       ORIEL_ERR_DEVICE, err);
    if (status)
        return status;
    driver.is_open = true;
    *n_devices = count < CLI_DEVICES_MOST ? count : CLI_DEVICES_MOST;
    return oriel_ok(err);
}

/* ---- Contexts --------------------------------------------------------------- */

static oriel_status
enter(int32_t device_index, oriel_error *err)
{
    context *at = &driver.contexts[device_index];
    int device;
    oriel_status status = ORIEL_OK;

    if (!*at) {
        status = check(driver.cuDeviceGet(&device, device_index), "cuDeviceGet",
                       ORIEL_ERR_DEVICE, err);
        if (!status)
            status = check(driver.cuDevicePrimaryCtxRetain(at, device),
                           "cuDevicePrimaryCtxRetain", ORIEL_ERR_DEVICE, err);
    }
    if (!status)
        status = check(driver.cuCtxPushCurrent_v2(*at), "cuCtxPushCurrent",
                       ORIEL_ERR_DEVICE, err);
    return status;
}

static void
leave(void)
{
    context popped;

    (void)driver.cuCtxPopCurrent_v2(&popped);
}

/* ---- Streams and memory ----------------------------------------------------- */

oriel_status
cli_cuda_create_stream(struct CUstream_st **out, int32_t device_index,
                       oriel_error *err)
{
    oriel_status status = enter(device_index, err);

    *out = NULL;
    if (status)
        return status;
    status = check(driver.cuStreamCreate(out, STREAM_NON_BLOCKING),
                   "cuStreamCreate", ORIEL_ERR_DEVICE, err);
    leave();
    return status ? status : oriel_ok(err);
}

oriel_status
cli_cuda_wait(struct CUstream_st *stream, int32_t device_index,
              oriel_error *err)
{
    oriel_status status = enter(device_index, err);

    if (status)
        return status;
    status = check(driver.cuStreamSynchronize(stream), "cuStreamSynchronize",
                   ORIEL_ERR_FAULT, err);
    leave();
    return status ? status : oriel_ok(err);
}

/* What is given back is given back on a device that failed, too. */
void
cli_cuda_destroy_stream(struct CUstream_st *stream, int32_t device_index)
{
    oriel_error ignored;
    bool entered;

    if (!stream)
        return;
    entered = enter(device_index, &ignored) == ORIEL_OK;
    (void)driver.cuStreamDestroy_v2(stream);
    if (entered)
        leave();
}

oriel_status
cli_cuda_alloc_pinned(void **out, size_t bytes, int32_t device_index,
                      oriel_error *err)
{
    int error;
    oriel_status status = enter(device_index, err);

    *out = NULL;
    if (status)
        return status;
    error = driver.cuMemHostAlloc(out, bytes, HOST_PORTABLE);
    if (error == OUT_OF_MEMORY)
        status = oriel_fail_cause(err, ORIEL_ERR_MEMORY, error,
                                  "out of memory: wanted %zu pinned bytes for "
                                  "a batch's rows",
                                  bytes);
    else
        status = check(error, "cuMemHostAlloc", ORIEL_ERR_DEVICE, err);
    leave();
    return status ? status : oriel_ok(err);
}

void
cli_cuda_free_pinned(void *memory, int32_t device_index)
{
    oriel_error ignored;
    const bool entered = enter(device_index, &ignored) == ORIEL_OK;

    (void)driver.cuMemFreeHost(memory);
    if (entered)
        leave();
}
