/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime.hpp"

#include "grid.hpp"
#include "memory.hpp"
#include "report.hpp"

#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

struct CUevent_st {
    uint64_t recorded = 0; /* the last record that was enqueued ... */
    uint64_t reached = 0;  /* ... and the last that was run */
};

namespace
{

/* One piece of enqueued work; false while it must wait for an event. */
struct Operation {
    std::function<bool()> ready;
    std::function<void()> run;
};

} // namespace

struct CUstream_st {
    int device = 0;
    std::deque<Operation> queue;
    cudaStreamCaptureStatus capture = cudaStreamCaptureStatusNone;
    std::vector<Operation> captured;
};
struct CUgraph_st {
    std::vector<Operation> operations;
};
struct CUgraphExec_st {
    std::vector<Operation> operations;
};

namespace
{

int device_count = 1, driver = 13000;
thread_local int current_device;
thread_local cudaError_t last_error;
cudaError_t sticky = cudaSuccess;

CUstream_st default_stream;
std::set<CUstream_st *> streams = {&default_stream};
std::map<uintptr_t, size_t> pinned; /* by first byte */
std::map<const void *, size_t> prepared;
std::mt19937_64 interleaving(1);
uint64_t calls, failing_call;
cudaError_t failing_error;

cudaError_t
result(cudaError_t error)
{
    if (error != cudaSuccess)
        last_error = error;
    return error;
}

/* Every entry passes here: injected failures, absent devices, old faults. */
cudaError_t
enter()
{
    calls++;
    if (failing_call && calls == failing_call)
        return result(failing_error);
    if (driver < 13000)
        return result(cudaErrorInsufficientDriver);
    if (device_count == 0)
        return result(cudaErrorNoDevice);
    return result(sticky);
}

/* The calls that give something back do so all the same: their failure may be
   an earlier one. */
#define ENTER() \
    do { \
        cudaError_t entered = enter(); \
        if (entered != cudaSuccess) \
            return entered; \
    } while (0)

CUstream_st *
resolve(cudaStream_t stream)
{
    CUstream_st *s = stream ? stream : &default_stream;

    return streams.count(s) ? s : nullptr;
}

bool
any_capture()
{
    for (CUstream_st *s : streams)
        if (s->capture == cudaStreamCaptureStatusActive)
            return true;
    return false;
}

/* What a capture forbids also spoils it. */
cudaError_t
forbidden_in_capture()
{
    if (!any_capture())
        return cudaSuccess;
    for (CUstream_st *s : streams)
        if (s->capture == cudaStreamCaptureStatusActive)
            s->capture = cudaStreamCaptureStatusInvalidated;
    return result(cudaErrorStreamCaptureUnsupported);
}

#define NOT_IN_CAPTURE() \
    do { \
        cudaError_t forbidden = forbidden_in_capture(); \
        if (forbidden != cudaSuccess) \
            return forbidden; \
    } while (0)

cudaError_t
enqueue(cudaStream_t stream, Operation operation)
{
    CUstream_st *s = resolve(stream);

    if (!s)
        return result(cudaErrorInvalidResourceHandle);
    if (s->capture == cudaStreamCaptureStatusInvalidated)
        return result(cudaErrorStreamCaptureInvalidated);
    if (s->capture == cudaStreamCaptureStatusActive)
        s->captured.push_back(std::move(operation));
    else
        s->queue.push_back(std::move(operation));
    return cudaSuccess;
}

/* Run enqueued work until 'done', or until nothing is left. */
void
drain(const std::function<bool()> &done)
{
    for (;;) {
        std::vector<CUstream_st *> able;

        if (done())
            return;
        for (CUstream_st *s : streams)
            if (!s->queue.empty() &&
                (!s->queue.front().ready || s->queue.front().ready()))
                able.push_back(s);
        if (able.empty())
            return;
        CUstream_st *next = able[interleaving() % able.size()];
        Operation operation = std::move(next->queue.front());
        next->queue.pop_front();
        if (sticky == cudaSuccess)
            operation.run();
    }
}

void
drain_all()
{
    drain([] { return false; });
}

bool
is_pinned(const void *memory)
{
    auto it = pinned.upper_bound(reinterpret_cast<uintptr_t>(memory));

    if (it == pinned.begin())
        return false;
    --it;
    return reinterpret_cast<uintptr_t>(memory) < it->first + it->second;
}

bool
is_device(const void *memory)
{
    return sim::is_device_range(memory, 1);
}

/* The side of a copy that is said to be the device's must be, the other not. */
bool
kind_fits(const void *to, const void *from, cudaMemcpyKind kind)
{
    switch (kind) {
    case cudaMemcpyHostToHost:
        return !is_device(to) && !is_device(from);
    case cudaMemcpyHostToDevice:
        return is_device(to) && !is_device(from);
    case cudaMemcpyDeviceToHost:
        return !is_device(to) && is_device(from);
    case cudaMemcpyDeviceToDevice:
        return is_device(to) && is_device(from);
    default:
        return true;
    }
}

void
copy_rows(char *to, size_t to_pitch, const char *from, size_t from_pitch,
          size_t width, size_t height)
{
    sim::DeviceMemoryAccess access;

    for (size_t y = 0; y < height; y++)
        memcpy(to + y * to_pitch, from + y * from_pitch, width);
}

cudaError_t
copy(void *to, size_t to_pitch, const void *from, size_t from_pitch,
     size_t width, size_t height, cudaMemcpyKind kind, cudaStream_t stream)
{
    char *out = static_cast<char *>(to);
    const char *in = static_cast<const char *>(from);
    size_t to_bytes = height ? (height - 1) * to_pitch + width : 0;
    size_t from_bytes = height ? (height - 1) * from_pitch + width : 0;

    if (width == 0 || height == 0)
        return cudaSuccess;
    if (!kind_fits(to, from, kind))
        return result(cudaErrorInvalidValue);
    if ((is_device(to) && !sim::is_device_range(to, to_bytes)) ||
        (is_device(from) && !sim::is_device_range(from, from_bytes)))
        return result(cudaErrorInvalidValue);
    bool pageable_in = !is_device(from) && !is_pinned(from);
    bool pageable_out = !is_device(to) && !is_pinned(to);
    if ((pageable_in || pageable_out) && any_capture())
        return forbidden_in_capture();
    if (pageable_out) {
        /* Staged: the call returns when the bytes are there. */
        cudaError_t error = cudaStreamSynchronize(stream);
        if (error == cudaSuccess)
            copy_rows(out, to_pitch, in, from_pitch, width, height);
        return error;
    }
    if (pageable_in) {
        /* Staged: the source is read before the call returns. */
        std::vector<char> staged(width * height);
        copy_rows(staged.data(), width, in, from_pitch, width, height);
        return enqueue(stream, {nullptr, [=, staged = std::move(staged)] {
                                    copy_rows(out, to_pitch, staged.data(),
                                              width, width, height);
                                }});
    }
    return enqueue(stream, {nullptr, [=] {
                                copy_rows(out, to_pitch, in, from_pitch, width,
                                          height);
                            }});
}

} // namespace

namespace sim
{

void
set_interleaving(uint64_t seed)
{
    interleaving.seed(seed);
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

void
set_devices(int count, int driver_version)
{
    device_count = count;
    driver = driver_version;
}

cudaError_t
prepare_kernel(const void *kernel, size_t shared_bytes)
{
    ENTER();
    NOT_IN_CAPTURE();
    if (shared_bytes > device_limits().shared_bytes)
        return result(cudaErrorInvalidValue);
    prepared[kernel] = shared_bytes;
    return cudaSuccess;
}

cudaError_t
enqueue_kernel(const void *kernel, int64_t blocks, uint32_t threads,
               size_t shared_bytes, cudaStream_t stream,
               void (*make)(const void *), const void *call, size_t call_bytes)
{
    ENTER();
    auto it = prepared.find(kernel);

    /* Loading lazily inside a capture may allocate or synchronise. */
    if (it == prepared.end()) {
        host_violation("a kernel is launched that was never prepared");
        return result(cudaErrorInvalidDeviceFunction);
    }
    if (shared_bytes > it->second)
        return result(cudaErrorInvalidValue);
    Launch launch;
    const char *bytes = static_cast<const char *>(call);
    launch.name = "kernel";
    launch.make = make;
    launch.call.assign(bytes, bytes + call_bytes);
    launch.blocks = static_cast<uint32_t>(blocks);
    launch.threads = threads;
    launch.shared_bytes = static_cast<uint32_t>(shared_bytes);
    return enqueue(stream, {nullptr, [launch]() mutable {
                                if (!run(launch))
                                    sticky = cudaErrorLaunchFailure;
                            }});
}

} // namespace sim

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
    cudaError_t error = last_error;

    last_error = sticky;
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
    *version = driver;
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
    *count = device_count;
    return cudaSuccess;
}

cudaError_t
cudaGetDevice(int *device)
{
    ENTER();
    *device = current_device;
    return cudaSuccess;
}

cudaError_t
cudaSetDevice(int device)
{
    ENTER();
    if (device < 0 || device >= device_count)
        return result(cudaErrorInvalidDevice);
    current_device = device;
    return cudaSuccess;
}

cudaError_t
cudaGetDeviceProperties(struct cudaDeviceProp *properties, int device)
{
    ENTER();
    if (device < 0 || device >= device_count)
        return result(cudaErrorInvalidDevice);
    *properties = {};
    strcpy(properties->name, "Simulated GPU");
    properties->totalGlobalMem = static_cast<size_t>(80) << 30;
    properties->major = sim::device_limits().architecture / 10;
    properties->minor = sim::device_limits().architecture % 10;
    return cudaSuccess;
}

cudaError_t
cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int device)
{
    const sim::DeviceLimits &limits = sim::device_limits();

    ENTER();
    if (device < 0 || device >= device_count)
        return result(cudaErrorInvalidDevice);
    switch (attribute) {
    case cudaDevAttrMultiProcessorCount:
        *value = static_cast<int>(limits.multiprocessors);
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
    NOT_IN_CAPTURE();
    drain_all();
    return result(sticky);
}

cudaError_t
cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes)
{
    ENTER();
    *total_bytes = static_cast<size_t>(80) << 30;
    *free_bytes = *total_bytes - sim::device_bytes_in_use();
    return cudaSuccess;
}

cudaError_t
cudaMalloc(void **memory, size_t bytes)
{
    ENTER();
    NOT_IN_CAPTURE();
    *memory = sim::device_alloc(bytes);
    return *memory ? cudaSuccess : result(cudaErrorMemoryAllocation);
}

/* Waits for the device, as the real one does. */
cudaError_t
cudaFree(void *memory)
{
    cudaError_t entered = enter();
    NOT_IN_CAPTURE();
    drain_all();
    sim::device_free(memory);
    return entered != cudaSuccess ? entered : result(sticky);
}

cudaError_t
cudaMallocHost(void **memory, size_t bytes)
{
    ENTER();
    NOT_IN_CAPTURE();
    *memory = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    if (!*memory)
        return result(cudaErrorMemoryAllocation);
    memset(*memory, sim::poison_byte(), bytes);
    pinned[reinterpret_cast<uintptr_t>(*memory)] = bytes;
    return cudaSuccess;
}

cudaError_t
cudaFreeHost(void *memory)
{
    cudaError_t entered = enter();
    NOT_IN_CAPTURE();
    if (!memory)
        return entered;
    if (!pinned.erase(reinterpret_cast<uintptr_t>(memory)))
        return result(cudaErrorInvalidValue);
    drain_all();
    free(memory);
    return entered;
}

cudaError_t
cudaPointerGetAttributes(struct cudaPointerAttributes *attributes,
                         const void *pointer)
{
    ENTER();
    attributes->type = is_device(pointer)   ? cudaMemoryTypeDevice
                       : is_pinned(pointer) ? cudaMemoryTypeHost
                                            : cudaMemoryTypeUnregistered;
    attributes->device = 0;
    attributes->devicePointer = const_cast<void *>(pointer);
    attributes->hostPointer = const_cast<void *>(pointer);
    return cudaSuccess;
}

cudaError_t
cudaMemcpy(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind)
{
    ENTER();
    NOT_IN_CAPTURE();
    cudaError_t error = copy(to, bytes, from, bytes, bytes, 1, kind, nullptr);
    drain_all();
    return error != cudaSuccess ? error : result(sticky);
}

cudaError_t
cudaMemcpyAsync(void *to, const void *from, size_t bytes,
                enum cudaMemcpyKind kind, cudaStream_t stream)
{
    ENTER();
    return copy(to, bytes, from, bytes, bytes, 1, kind, stream);
}

cudaError_t
cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from,
                  size_t from_pitch, size_t width, size_t height,
                  enum cudaMemcpyKind kind, cudaStream_t stream)
{
    ENTER();
    if (to_pitch < width || from_pitch < width)
        return result(cudaErrorInvalidValue);
    return copy(to, to_pitch, from, from_pitch, width, height, kind, stream);
}

cudaError_t
cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream)
{
    ENTER();
    if (!sim::is_device_range(memory, bytes))
        return result(cudaErrorInvalidValue);
    return enqueue(stream, {nullptr, [=] {
                                sim::DeviceMemoryAccess access;
                                memset(memory, value, bytes);
                            }});
}

cudaError_t
cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned int)
{
    ENTER();
    NOT_IN_CAPTURE();
    *stream = new CUstream_st;
    (*stream)->device = current_device;
    streams.insert(*stream);
    return cudaSuccess;
}

cudaError_t
cudaStreamDestroy(cudaStream_t stream)
{
    cudaError_t entered = enter();
    if (!stream || !streams.count(stream))
        return result(cudaErrorInvalidResourceHandle);
    drain_all();
    streams.erase(stream);
    delete stream;
    return entered;
}

cudaError_t
cudaStreamSynchronize(cudaStream_t stream)
{
    ENTER();
    NOT_IN_CAPTURE();
    CUstream_st *s = resolve(stream);
    if (!s)
        return result(cudaErrorInvalidResourceHandle);
    drain([s] { return s->queue.empty(); });
    return result(sticky);
}

cudaError_t
cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int)
{
    ENTER();
    uint64_t wanted = event->recorded;
    return enqueue(stream, {[=] { return event->reached >= wanted; }, [] {}});
}

cudaError_t
cudaStreamGetDevice(cudaStream_t stream, int *device)
{
    ENTER();
    CUstream_st *s = resolve(stream);
    if (!s)
        return result(cudaErrorInvalidResourceHandle);
    *device = stream ? s->device : current_device;
    return cudaSuccess;
}

cudaError_t
cudaStreamIsCapturing(cudaStream_t stream, enum cudaStreamCaptureStatus *status)
{
    ENTER();
    CUstream_st *s = resolve(stream);
    if (!s)
        return result(cudaErrorInvalidResourceHandle);
    *status = s->capture;
    return cudaSuccess;
}

cudaError_t
cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode)
{
    ENTER();
    /* The default stream cannot be captured. */
    if (!stream || !streams.count(stream) ||
        stream->capture != cudaStreamCaptureStatusNone)
        return result(cudaErrorStreamCaptureUnsupported);
    stream->capture = cudaStreamCaptureStatusActive;
    stream->captured.clear();
    return cudaSuccess;
}

cudaError_t
cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    *graph = nullptr;
    ENTER();
    if (!stream || !streams.count(stream) ||
        stream->capture == cudaStreamCaptureStatusNone)
        return result(cudaErrorStreamCaptureUnmatched);
    bool whole = stream->capture == cudaStreamCaptureStatusActive;
    stream->capture = cudaStreamCaptureStatusNone;
    if (!whole)
        return result(cudaErrorStreamCaptureInvalidated);
    *graph = new CUgraph_st{std::move(stream->captured)};
    stream->captured.clear();
    return cudaSuccess;
}

cudaError_t
cudaEventCreateWithFlags(cudaEvent_t *event, unsigned int)
{
    ENTER();
    *event = new CUevent_st;
    return cudaSuccess;
}

cudaError_t
cudaEventDestroy(cudaEvent_t event)
{
    cudaError_t entered = enter();
    drain_all();
    delete event;
    return entered;
}

cudaError_t
cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    ENTER();
    uint64_t number = ++event->recorded;
    return enqueue(stream, {nullptr, [=] {
                                if (event->reached < number)
                                    event->reached = number;
                            }});
}

cudaError_t
cudaEventSynchronize(cudaEvent_t event)
{
    ENTER();
    NOT_IN_CAPTURE();
    uint64_t wanted = event->recorded;
    drain([=] { return event->reached >= wanted; });
    return result(sticky);
}

cudaError_t
cudaEventQuery(cudaEvent_t event)
{
    ENTER();
    NOT_IN_CAPTURE();
    return event->reached >= event->recorded ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t
cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph,
                     unsigned long long)
{
    ENTER();
    NOT_IN_CAPTURE();
    *exec = new CUgraphExec_st{graph->operations};
    return cudaSuccess;
}

cudaError_t
cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    ENTER();
    CUstream_st *s = resolve(stream);
    if (!s)
        return result(cudaErrorInvalidResourceHandle);
    if (s->capture != cudaStreamCaptureStatusNone)
        return forbidden_in_capture();
    for (const Operation &operation : exec->operations)
        s->queue.push_back(operation);
    return cudaSuccess;
}

cudaError_t
cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    cudaError_t entered = enter();
    delete exec;
    return entered;
}

cudaError_t
cudaGraphDestroy(cudaGraph_t graph)
{
    cudaError_t entered = enter();
    delete graph;
    return entered;
}
}
