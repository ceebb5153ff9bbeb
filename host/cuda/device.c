/* SPDX-License-Identifier: Apache-2.0 */
/* device.c - driver, description, memory */
#include "cuda/device.h"

#include "base/fail.h"
#include "cuda/errors.h"
#include "cuda/images.h"

#include <stdio.h>

enum {
    DRIVER = 13000, /* the least, as cudaDriverGetVersion says it: R580 */
    CAPABILITY = 8, /* the least: bf16 products, asynchronous copies */
    ALIGNMENT = 256
};

/* ---- Description --------------------------------------------------------- */

static oriel_status
check_driver(int *version, oriel_error *err)
{
    oriel_status status = oriel_cuda_check(cudaDriverGetVersion(version),
                                           "cudaDriverGetVersion", err);

    if (status)
        return status;
    if (*version == 0)
        return oriel_fail(
            err, ORIEL_ERR_DEVICE,
            "cuda: no NVIDIA driver is installed, expected R580 or "
            "later (CUDA 13.0)");
    if (*version < DRIVER)
        return oriel_fail(
            err, ORIEL_ERR_DEVICE,
            "cuda: the NVIDIA driver is of CUDA %d.%d, expected R580 "
            "or later (CUDA 13.0)",
            *version / 1000, *version % 1000 / 10);
    return ORIEL_OK;
}

static oriel_status
check_index(int32_t device_index, oriel_error *err)
{
    int count = 0;
    oriel_status status =
        oriel_cuda_check(cudaGetDeviceCount(&count), "cudaGetDeviceCount", err);

    if (status)
        return status;
    if (device_index < 0 || device_index >= count)
        return oriel_fail(err, ORIEL_ERR_DEVICE,
                          "cuda: device_index is %d, but there %s %d device%s",
                          device_index, count == 1 ? "is" : "are", count,
                          count == 1 ? "" : "s");
    return ORIEL_OK;
}

/* Which of ours the kernels will be; a device of none is no use. */
static oriel_status
choose_image(oriel_cuda_image *image, const struct cudaDeviceProp *properties,
             oriel_error *err)
{
    const int major = properties->major, minor = properties->minor;

    if (major < CAPABILITY)
        return oriel_fail(
            err, ORIEL_ERR_DEVICE,
            "cuda: %s has compute capability %d.%d, expected 8.0 or "
            "later",
            ORIEL_QUOTE(properties->name), major, minor);
    *image = oriel_cuda_image_of(major * 10 + minor);
    if (image->text[0] == '\0')
        return oriel_fail(
            err, ORIEL_ERR_DEVICE,
            "cuda: %s is of sm_%d%d, and liboriel-cuda was built without "
            "machine code or PTX for it",
            ORIEL_QUOTE(properties->name), major, minor);
    return ORIEL_OK;
}

oriel_status
oriel_cuda_describe(int32_t device_index, oriel_device_info *info,
                    oriel_error *err)
{
    struct cudaDeviceProp properties;
    oriel_cuda_image image;
    int driver = 0;
    oriel_status status = check_driver(&driver, err);

    if (!status)
        status = oriel_cuda_check_process(err);
    if (!status)
        status = check_index(device_index, err);
    if (!status)
        status =
            oriel_cuda_check(cudaGetDeviceProperties(&properties, device_index),
                             "cudaGetDeviceProperties", err);
    if (!status)
        status = choose_image(&image, &properties, err);
    if (status)
        return status;
    info->device_index = device_index;
    info->precision = ORIEL_PRECISION_BF16;
    info->threads = 0;
    info->memory_bytes = properties.totalGlobalMem;
    snprintf(info->description, sizeof(info->description),
             "cuda %.48s, sm_%d%d by %s, driver of CUDA %d.%d",
             ORIEL_QUOTE(properties.name), properties.major, properties.minor,
             image.text, driver / 1000, driver % 1000 / 10);
    return ORIEL_OK;
}

oriel_status
oriel_cuda_capability(int32_t device_index, int32_t *capability,
                      oriel_error *err)
{
    int major = 0, minor = 0;
    cudaError_t error = cudaDeviceGetAttribute(
        &major, cudaDevAttrComputeCapabilityMajor, device_index);

    if (error == cudaSuccess)
        error = cudaDeviceGetAttribute(
            &minor, cudaDevAttrComputeCapabilityMinor, device_index);
    *capability = 10 * major + minor;
    return oriel_cuda_check(error, "cudaDeviceGetAttribute", err);
}

/* ---- Memory -------------------------------------------------------------- */

oriel_status
oriel_cuda_event_create(cudaEvent_t *event, oriel_error *err)
{
    return oriel_cuda_check(
        cudaEventCreateWithFlags(event, cudaEventDisableTiming |
                                            cudaEventBlockingSync),
        "cudaEventCreateWithFlags", err);
}

oriel_status
oriel_cuda_alloc(void **out, size_t bytes, const oriel_hooks *hooks,
                 int32_t device_index, const char *what, oriel_error *err)
{
    cudaError_t error = cudaSuccess;

    *out = NULL;
    if (hooks->device_alloc)
        *out = hooks->device_alloc(hooks->user, bytes, device_index);
    else
        error = cudaMalloc(out, bytes);
    if (error != cudaSuccess && error != cudaErrorMemoryAllocation)
        return oriel_cuda_check(error, "cudaMalloc", err);
    if (error != cudaSuccess || !*out) {
        *out = NULL;
        (void)cudaGetLastError();
        return oriel_fail_cause(err, ORIEL_ERR_MEMORY, (int32_t)error,
                                "out of device memory: wanted %zu bytes for %s",
                                bytes, what);
    }
    if ((uintptr_t)*out % ALIGNMENT == 0)
        return ORIEL_OK;
    oriel_cuda_free(*out, hooks, device_index);
    *out = NULL;
    return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                      "hooks.device_alloc gave memory for %s that is not "
                      "aligned to %d bytes",
                      what, ALIGNMENT);
}

void
oriel_cuda_free(void *memory, const oriel_hooks *hooks, int32_t device_index)
{
    if (!memory)
        return;
    if (hooks->device_free)
        hooks->device_free(hooks->user, memory, device_index);
    else
        (void)cudaFree(memory);
}
