/* SPDX-License-Identifier: Apache-2.0 */
/* The stand-in runtime's streams, and the kernels that are enqueued on them. */
#include "runtime_state.hpp"

#include "grid.hpp"
#include "memory.hpp"
#include "report.hpp"

#include <cstring>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>

namespace
{

constexpr uint32_t CLUSTER_MOST =
    8; /* blocks; more need leave that none asks */
constexpr int FIRST_TO_OVERLAP = 90; /* of architectures */

/* The shared memory of each kernel in each context. */
std::map<std::pair<int, const void *>, size_t> prepared;
/* The file that it is of. */
std::map<const void *, std::string> op_of;
std::mt19937_64 interleaving(1);
uint64_t operations, faulting_operation;
cudaError_t fault;
uint64_t kernels_prepared, other_image;
int other_binary, other_ptx;

/* What a driver takes of machine code for 80, 86, 89, 90, 100 and 120 and PTX of
   80, which it compiles for what has none of its generation. */
void
take_image(int architecture, cudaFuncAttributes *attributes)
{
    attributes->binaryVersion = architecture;
    attributes->ptxVersion = 80;
    for (int with_code : {80, 86, 89, 90, 100, 120})
        if (with_code <= architecture && with_code / 10 == architecture / 10)
            attributes->binaryVersion = attributes->ptxVersion = with_code;
}

/* The next piece of a stream's work: it has some.  Kernels that overlap the one
   before run with it, unless one of them is to fault. */
void
run_next(CUstream_st &stream)
{
    std::vector<std::shared_ptr<sim::Launch>> kernels;
    std::vector<sim::Launch *> launches;
    sim::Operation operation = std::move(stream.queue.front());

    stream.queue.pop_front();
    if (sim::runtime().sticky != cudaSuccess)
        return;
    if (faulting_operation && ++operations == faulting_operation) {
        sim::runtime().sticky = fault;
        return;
    }
    if (!operation.kernel)
        return operation.run();
    kernels.push_back(operation.kernel);
    while (!faulting_operation && !stream.queue.empty() &&
           stream.queue.front().kernel &&
           stream.queue.front().kernel->overlaps) {
        kernels.push_back(stream.queue.front().kernel);
        stream.queue.pop_front();
    }
    for (const auto &kernel : kernels)
        launches.push_back(kernel.get());
    if (!sim::run(launches))
        sim::runtime().sticky = cudaErrorLaunchFailure;
}

} // namespace

namespace sim
{

/* The default streams of all devices and threads are one here. */
bool
is_default(cudaStream_t stream)
{
    return !stream || stream == cudaStreamLegacy ||
           stream == cudaStreamPerThread;
}

CUstream_st *
resolve(cudaStream_t stream)
{
    CUstream_st *s = is_default(stream) ? &runtime().default_stream : stream;

    return runtime().streams.count(s) ? s : nullptr;
}

CUctx_st *
context_of(cudaStream_t stream)
{
    return is_default(stream) ? current_context() : stream->context;
}

cudaError_t
enqueue(cudaStream_t stream, Operation operation)
{
    CUstream_st *s = resolve(stream);

    if (!s)
        return result(cudaErrorInvalidResourceHandle);
    if (s->capture && s->capture->spoilt)
        return result(cudaErrorStreamCaptureInvalidated);
    if (s == &runtime().default_stream && implicit_in_capture() != cudaSuccess)
        return cudaErrorStreamCaptureImplicit;
    if (s->capture)
        capture_operation(*s, std::move(operation));
    else
        s->queue.push_back(std::move(operation));
    return cudaSuccess;
}

uint64_t
draw_interleaving()
{
    return interleaving();
}

void
drain(const std::function<bool()> &done)
{
    std::optional<DeviceMemoryAccess> access; /* once for all that runs */

    for (;;) {
        std::vector<CUstream_st *> able;

        if (done())
            return;
        for (CUstream_st *s : runtime().streams)
            if (!s->queue.empty() && !s->held &&
                (!s->queue.front().ready || s->queue.front().ready()))
                able.push_back(s);
        if (able.empty())
            return;
        CUstream_st *next = able[draw_interleaving() % able.size()];
        if (!access)
            access.emplace();
        run_next(*next);
    }
}

void
drain_all()
{
    drain([] { return false; });
}

void
hold_stream(cudaStream_t stream, int operations)
{
    for (; operations > 0 && !stream->queue.empty(); operations--)
        run_next(*stream);
    stream->held = true;
}

void
release_stream(cudaStream_t stream)
{
    stream->held = false;
}

void
fault_operation(uint64_t nth, cudaError_t error)
{
    operations = 0;
    faulting_operation = nth;
    fault = error;
}

void
set_interleaving(uint64_t seed)
{
    interleaving.seed(seed);
}

void
set_image(uint64_t nth, int binary, int ptx)
{
    kernels_prepared = 0;
    other_image = nth;
    other_binary = binary;
    other_ptx = ptx;
}

cudaError_t
prepare_kernel(const void *kernel, const char *op, size_t shared_bytes,
               cudaFuncAttributes *attributes)
{
    ENTER();
    NOT_IN_CAPTURE();
    if (shared_bytes > device_limits(current_device()).shared_bytes)
        return result(cudaErrorInvalidValue);
    use_context();
    if (op)
        op_of[kernel] = op;
    prepared[{current_context()->number, kernel}] = shared_bytes;
    take_image(device_limits(current_device()).architecture, attributes);
    if (other_image && ++kernels_prepared == other_image) {
        attributes->binaryVersion = other_binary;
        attributes->ptxVersion = other_ptx;
    }
    return cudaSuccess;
}

cudaError_t
enqueue_kernel(const void *kernel, int64_t blocks, const Shape &shape,
               uint32_t threads, size_t shared_bytes, cudaStream_t stream,
               void (*make)(const void *), const void *call, size_t call_bytes)
{
    ENTER();
    auto it = prepared.find({current_context()->number, kernel});

    /* A kernel goes to the current context, and so must its stream. */
    if (resolve(stream) && context_of(stream) != current_context())
        return result(cudaErrorInvalidResourceHandle);
    /* Loading lazily inside a capture may allocate or synchronise. */
    if (it == prepared.end()) {
        host_violation("a kernel is launched that was never prepared");
        return result(cudaErrorInvalidDeviceFunction);
    }
    if (shared_bytes > it->second)
        return result(cudaErrorInvalidValue);
    if (shape.cluster == 0 || shape.cluster > CLUSTER_MOST ||
        blocks % shape.cluster)
        return result(cudaErrorInvalidConfiguration);
    if (shape.overlaps &&
        device_limits(current_device()).architecture < FIRST_TO_OVERLAP)
        return result(cudaErrorInvalidConfiguration);
    /* kernels/resources.txt counts blocks by what is prepared. */
    if (shared_bytes < it->second)
        host_violation("a kernel is launched with %zu bytes of shared memory "
                       "and was prepared for %zu",
                       shared_bytes, it->second);
    auto made = std::make_shared<Launch>();
    Launch &launch = *made;
    launch.name = "kernel";
    launch.op = op_of[kernel].c_str(); /* a node of the map stays */
    launch.device = current_device();
    launch.context = current_context()->number;
    launch.make = make;
    launch.call.resize((call_bytes + sizeof(Launch::Words) - 1) /
                       sizeof(Launch::Words));
    memcpy(launch.call.data(), call, call_bytes);
    launch.blocks = static_cast<uint32_t>(blocks);
    launch.cluster = shape.cluster;
    launch.overlaps = shape.overlaps;
    launch.threads = threads;
    launch.shared_bytes = static_cast<uint32_t>(shared_bytes);
    log_work("kernel", resolve(stream));
    return enqueue(stream, {nullptr, nullptr, made});
}

} // namespace sim

using namespace sim;

extern "C" {

cudaError_t
cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned int flags)
{
    ENTER();
    NOT_IN_CAPTURE();
    use_context();
    *stream = new CUstream_st;
    (*stream)->context = current_context();
    (*stream)->number = ++runtime().streams_made;
    (*stream)->flags = flags;
    runtime().streams.insert(*stream);
    return cudaSuccess;
}

cudaError_t
cudaStreamDestroy(cudaStream_t stream)
{
    const Entrance entered;
    if (!stream || !runtime().streams.count(stream))
        return result(cudaErrorInvalidResourceHandle);
    if (stream->capture) /* whose end would now be missed */
        stream->capture->spoilt = true;
    drain_all();
    runtime().streams.erase(stream);
    delete stream;
    return entered.error;
}

cudaError_t
cudaStreamSynchronize(cudaStream_t stream)
{
    ENTER();
    CUstream_st *s = resolve(stream);
    if (!s)
        return result(cudaErrorInvalidResourceHandle);
    if (s->capture)
        return spoil(*s->capture, cudaErrorStreamCaptureUnsupported);
    if (is_default(stream) && implicit_in_capture() != cudaSuccess)
        return cudaErrorStreamCaptureImplicit;
    NOT_IN_CAPTURE();
    log_work("wait", s);
    runtime().tally.waits += !s->queue.empty();
    drain([s] { return s->queue.empty(); });
    return result(runtime().sticky);
}

cudaError_t
cudaStreamGetDevice(cudaStream_t stream, int *device)
{
    ENTER();
    CUstream_st *s = resolve(stream);
    if (!s)
        return result(cudaErrorInvalidResourceHandle);
    *device = context_of(stream)->device;
    return cudaSuccess;
}
}
