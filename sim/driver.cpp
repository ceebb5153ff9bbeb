/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver.cpp - the driver's functions, for programs that have no CUDA runtime
 *
 * It is a part of modules that are loaded, and not of oriel_sim.  A link to such a
 * module with the name libcuda.so.1 is the driver.  These variables are read when
 * it is loaded:
 *
 *   ORIEL_SIM_DEVICES     what the GPUs are: "90,90" are two of 9.0
 *   ORIEL_SIM_MULTIPROCESSORS  how many each has, instead of its kind's
 *   ORIEL_SIM_LOG         a file for the log of control.h
 *   ORIEL_SIM_FAULT       the operation that faults, from 1 on
 *   ORIEL_SIM_NO_MEMORY   the call, from 1 on, that finds no memory
 *   ORIEL_SIM_PLANT       what is broken, by a name of plants.hpp
 */
#include "runtime_state.hpp"

#include "grid.hpp"
#include "plants.hpp"

#include <cstdio>
#include <cstdlib>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace
{

/* By what the runtime gives by name: that call may be the one that is to fail. */
template <class... Arguments>
int
call(const char *name, Arguments... arguments)
{
    void *function = nullptr;
    cudaDriverEntryPointQueryResult found;
    const cudaError_t error =
        cudaGetDriverEntryPointByVersion(name, &function, 12080, 0, &found);

    return error != cudaSuccess ? error
                                : reinterpret_cast<int (*)(Arguments...)>(
                                      function)(arguments...);
}

__attribute__((constructor)) void
read_environment()
{
    const char *devices = getenv("ORIEL_SIM_DEVICES");
    const char *multiprocessors = getenv("ORIEL_SIM_MULTIPROCESSORS");
    const char *log = getenv("ORIEL_SIM_LOG");
    const char *fault = getenv("ORIEL_SIM_FAULT");
    const char *no_memory = getenv("ORIEL_SIM_NO_MEMORY");
    const char *planted = getenv("ORIEL_SIM_PLANT");
    int count = 0;

    for (char *end; devices && *devices; devices = *end ? end + 1 : end)
        sim::set_architecture(count++,
                              static_cast<int>(strtol(devices, &end, 10)));
    if (count > 0)
        sim::set_devices(count, 13000);
    if (multiprocessors)
        sim::set_multiprocessors(
            static_cast<uint32_t>(strtoul(multiprocessors, nullptr, 10)));
    if (log)
        sim::set_log(fopen(log, "w"));
    if (fault)
        sim::fault_operation(strtoull(fault, nullptr, 10),
                             cudaErrorLaunchFailure);
    if (!sim::plant(planted)) {
        fprintf(stderr, "ORIEL_SIM_PLANT: there is no %s\n", planted);
        abort();
    }
    if (no_memory)
        sim::fail_call(strtoull(no_memory, nullptr, 10),
                       cudaErrorMemoryAllocation);
}

} // namespace

/* ---- As cuda.h has them ----------------------------------------------------- */

EXPORT int
cuInit(unsigned int)
{
    int count;

    return cudaGetDeviceCount(&count);
}

EXPORT int
cuGetErrorName(int error, const char **name)
{
    *name = cudaGetErrorName(static_cast<cudaError_t>(error));
    return cudaSuccess;
}

EXPORT int
cuDeviceGetCount(int *count)
{
    return cudaGetDeviceCount(count);
}

EXPORT int
cuDeviceGet(int *device, int ordinal)
{
    return call("cuDeviceGet", device, ordinal);
}

EXPORT int
cuDevicePrimaryCtxRetain(CUctx_st **context, int device)
{
    return call("cuDevicePrimaryCtxRetain", context, device);
}

EXPORT int
cuCtxPushCurrent_v2(CUctx_st *context)
{
    return call("cuCtxPushCurrent", context);
}

EXPORT int
cuCtxPopCurrent_v2(CUctx_st **context)
{
    return call("cuCtxPopCurrent", context);
}

EXPORT int
cuMemHostAlloc(void **memory, size_t bytes, unsigned int)
{
    return cudaMallocHost(memory, bytes);
}

EXPORT int
cuMemFreeHost(void *memory)
{
    return cudaFreeHost(memory);
}

EXPORT int
cuStreamCreate(cudaStream_t *stream, unsigned int flags)
{
    return cudaStreamCreateWithFlags(stream, flags);
}

EXPORT int
cuStreamSynchronize(cudaStream_t stream)
{
    return cudaStreamSynchronize(stream);
}

EXPORT int
cuStreamDestroy_v2(cudaStream_t stream)
{
    return cudaStreamDestroy(stream);
}
