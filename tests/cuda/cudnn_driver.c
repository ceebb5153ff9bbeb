/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cudnn_driver.c - a libcuda.so.1 of no device, so that cuDNN makes its plans
 *
 * A plan compiles its kernels and asks the driver to load them: that succeeds here
 * and loads nothing.  The rest is only looked up; cuInit fails, so nothing is ever
 * launched.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>

enum { SUCCESS = 0, NO_DEVICE = 100, VERSION = 13000 };

static char module, kernel, function; /* what handles point to */

#define API __attribute__((visibility("default")))
#define LOOKED_UP(N) \
    N(cuGetErrorName) \
    N(cuCtxGetCurrent) \
    N(cuCtxGetLimit) \
    N(cuCtxPushCurrent) \
    N(cuCtxPopCurrent) \
    N(cuStreamGetCtx) \
    N(cuLinkCreate) \
    N(cuLinkAddData) \
    N(cuLinkComplete) \
    N(cuLinkDestroy) \
    N(cuLaunchKernel) \
    N(cuLaunchKernelEx) \
    N(cuLaunchCooperativeKernel) \
    N(cuDeviceGet) \
    N(cuDeviceGetCount) \
    N(cuLibraryLoadFromFile) \
    N(cuLibraryUnload) \
    N(cuKernelGetAttribute) \
    N(cuKernelSetAttribute) \
    N(cuOccupancyMaxPotentialClusterSize)

#define ANSWER(name) \
    API int32_t name(void); \
    int32_t name(void) \
    { \
        return SUCCESS; \
    }
LOOKED_UP(ANSWER)

API int32_t cuInit(uint32_t flags);
int32_t
cuInit(uint32_t flags)
{
    (void)flags;
    return NO_DEVICE;
}

API int32_t cuDriverGetVersion(int32_t *version);
int32_t
cuDriverGetVersion(int32_t *version)
{
    *version = VERSION;
    return SUCCESS;
}

API int32_t cuGetErrorString(int32_t error, const char **text);
int32_t
cuGetErrorString(int32_t error, const char **text)
{
    (void)error;
    *text = "there is no device";
    return SUCCESS;
}

API int32_t cuLibraryLoadData(void **library, const void *code);
int32_t
cuLibraryLoadData(void **library, const void *code)
{
    (void)code;
    *library = &module;
    return SUCCESS;
}

API int32_t cuLibraryGetKernel(void **found, void *library, const char *name);
int32_t
cuLibraryGetKernel(void **found, void *library, const char *name)
{
    (void)library;
    (void)name;
    *found = &kernel;
    return SUCCESS;
}

API int32_t cuKernelGetFunction(void **found, void *of);
int32_t
cuKernelGetFunction(void **found, void *of)
{
    (void)of;
    *found = &function;
    return SUCCESS;
}

API int32_t cuGetProcAddress_v2(const char *name, void **found, int32_t version,
                                uint64_t flags, int32_t *status);
int32_t
cuGetProcAddress_v2(const char *name, void **found, int32_t version,
                    uint64_t flags, int32_t *status)
{
    (void)version;
    (void)flags;
    *found = dlsym(RTLD_DEFAULT, name);
    if (!*found)
        *found = dlsym(RTLD_DEFAULT, "cuGetErrorName");
    if (status)
        *status = 0;
    return SUCCESS;
}
