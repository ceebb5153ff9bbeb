/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime_state.hpp"

#include "grid.hpp"
#include "report.hpp"

#include <cstring>
#include <unistd.h>

namespace
{

thread_local cudaError_t last_error;
pid_t process; /* that used a device first; 0: none did */
uint64_t calls, failing_call;
cudaError_t failing_error;

} // namespace

namespace sim
{

RuntimeState &
runtime()
{
    static RuntimeState state;

    return state;
}

cudaStreamCaptureMode &
capture_mode()
{
    static thread_local cudaStreamCaptureMode mode =
        cudaStreamCaptureModeGlobal;

    return mode;
}

cudaError_t
result(cudaError_t error)
{
    if (error != cudaSuccess)
        last_error = error;
    return error;
}

static cudaError_t
error_at_entrance()
{
    calls++;
    if (failing_call && calls == failing_call)
        return result(failing_error);
    if (runtime().driver < 13000)
        return result(cudaErrorInsufficientDriver);
    if (runtime().device_count == 0)
        return result(cudaErrorNoDevice);
    /* As CUDA says in the child of a process that had used it. */
    if (!process)
        process = getpid();
    if (process != getpid())
        return result(cudaErrorInitializationError);
    return result(runtime().sticky);
}

Entrance::Entrance() : alone(runtime().lock), error(error_at_entrance())
{
}

void
fail_call(uint64_t nth, cudaError_t error)
{
    calls = 0;
    failing_call = nth;
    failing_error = error;
}

uint64_t
calls_made()
{
    return calls;
}

Tally
tally()
{
    return runtime().tally;
}

void
recover()
{
    runtime().sticky = cudaSuccess;
    last_error = cudaSuccess;
}

void
set_devices(int count, int driver_version)
{
    runtime().device_count = count;
    runtime().driver = driver_version;
}

} // namespace sim

using namespace sim;

/* ---- The calls, in the header's order ---------------------------------- */

extern "C" {

const char *
cudaGetErrorName(cudaError_t error)
{
    switch (error) {
    case cudaSuccess:
        return "cudaSuccess";
    case cudaErrorMemoryAllocation:
        return "cudaErrorMemoryAllocation";
    case cudaErrorInsufficientDriver:
        return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice:
        return "cudaErrorNoDevice";
    case cudaErrorLaunchFailure:
        return "cudaErrorLaunchFailure";
    default:
        return "cudaError";
    }
}

const char *
cudaGetErrorString(cudaError_t error)
{
    return cudaGetErrorName(error);
}

cudaError_t
cudaGetLastError(void)
{
    const std::lock_guard<std::recursive_mutex> alone(runtime().lock);
    cudaError_t error = last_error;

    last_error = runtime().sticky;
    return error;
}

cudaError_t
cudaPeekAtLastError(void)
{
    return last_error;
}

cudaError_t
cudaDriverGetVersion(int *version)
{
    *version = runtime().driver;
    return cudaSuccess;
}

cudaError_t
cudaRuntimeGetVersion(int *version)
{
    *version = 13000;
    return cudaSuccess;
}

cudaError_t
cudaGetDeviceCount(int *count)
{
    *count = 0;
    ENTER();
    *count = runtime().device_count;
    return cudaSuccess;
}

cudaError_t
cudaGetDeviceProperties(struct cudaDeviceProp *properties, int device)
{
    ENTER();
    if (device < 0 || device >= runtime().device_count)
        return result(cudaErrorInvalidDevice);
    *properties = {};
    strcpy(properties->name, "Simulated GPU");
    properties->totalGlobalMem = static_cast<size_t>(80) << 30;
    properties->major = device_limits(device).architecture / 10;
    properties->minor = device_limits(device).architecture % 10;
    return cudaSuccess;
}

cudaError_t
cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int device)
{
    const DeviceLimits limits = device_limits(device);

    ENTER();
    if (device < 0 || device >= runtime().device_count)
        return result(cudaErrorInvalidDevice);
    switch (attribute) {
    case cudaDevAttrMultiProcessorCount:
        *value = static_cast<int>(limits.multiprocessors);
        return cudaSuccess;
    case cudaDevAttrClockRate: /* it has none */
    case cudaDevAttrMemoryClockRate:
    case cudaDevAttrL2CacheSize:
        *value = 0;
        return cudaSuccess;
    case cudaDevAttrComputeCapabilityMajor:
        *value = limits.architecture / 10;
        return cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
        *value = limits.architecture % 10;
        return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
        *value = static_cast<int>(limits.shared_bytes);
        return cudaSuccess;
    }
    return result(cudaErrorInvalidValue);
}

cudaError_t
cudaDeviceSynchronize(void)
{
    ENTER();
    if (device_in_capture(current_device()) != cudaSuccess)
        return cudaErrorStreamCaptureUnsupported;
    NOT_IN_CAPTURE();
    runtime().tally.waits++;
    drain_all();
    return result(runtime().sticky);
}
}
