/* SPDX-License-Identifier: Apache-2.0 */
/* The stand-in runtime's captures and graphs. */
#include "runtime_state.hpp"

#include "report.hpp"

#include <utility>

struct CUgraph_st {
    std::vector<sim::Operation> operations;
};
struct CUgraphExec_st {
    std::vector<sim::Operation> operations;
    uint64_t launched = 0, finished = 0;
};

namespace sim
{

/* Spoil the captures that 'concerns' names; whether there were any. */
static bool
spoil_captures(bool (*concerns)(const CUstream_st &))
{
    bool any = false;

    for (CUstream_st *s : runtime().streams)
        if (s->capture == cudaStreamCaptureStatusActive && concerns(*s)) {
            s->capture = cudaStreamCaptureStatusInvalidated;
            any = true;
        }
    return any;
}

static bool
forbids_this_thread(const CUstream_st &s)
{
    if (s.mode == cudaStreamCaptureModeRelaxed)
        return false;
    if (s.capturer == std::this_thread::get_id())
        return true;
    return s.mode == cudaStreamCaptureModeGlobal &&
           capture_mode() == cudaStreamCaptureModeGlobal;
}

cudaError_t
forbidden_in_capture()
{
    bool spoilt = capture_mode() != cudaStreamCaptureModeRelaxed &&
                  spoil_captures(forbids_this_thread);

    return spoilt ? result(cudaErrorStreamCaptureUnsupported) : cudaSuccess;
}

cudaError_t
implicit_in_capture()
{
    bool spoilt = spoil_captures([](const CUstream_st &s) {
        return !(s.flags & cudaStreamNonBlocking);
    });

    return spoilt ? result(cudaErrorStreamCaptureImplicit) : cudaSuccess;
}

} // namespace sim

using namespace sim;

extern "C" {

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
cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode)
{
    ENTER();
    /* The default stream cannot be captured. */
    if (!stream || !runtime().streams.count(stream) ||
        stream->capture != cudaStreamCaptureStatusNone)
        return result(cudaErrorStreamCaptureUnsupported);
    stream->capture = cudaStreamCaptureStatusActive;
    stream->mode = mode;
    stream->capturer = std::this_thread::get_id();
    stream->captured.clear();
    return cudaSuccess;
}

cudaError_t
cudaThreadExchangeStreamCaptureMode(enum cudaStreamCaptureMode *mode)
{
    ENTER();
    std::swap(*mode, capture_mode());
    return cudaSuccess;
}

cudaError_t
cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    *graph = nullptr;
    ENTER();
    if (!stream || !runtime().streams.count(stream) ||
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
cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph,
                     unsigned long long)
{
    ENTER();
    NOT_IN_CAPTURE();
    *exec = new CUgraphExec_st;
    (*exec)->operations = graph->operations;
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
    /* It runs once at a time, whatever the streams. */
    const uint64_t before = exec->launched++;
    runtime().tally.graph_launches++;
    s->queue.push_back(
        {[exec, before] { return exec->finished == before; }, [] {}});
    for (const Operation &operation : exec->operations)
        s->queue.push_back(operation);
    s->queue.push_back({nullptr, [exec] { exec->finished++; }});
    return cudaSuccess;
}

/* CUDA would wait with it until the last run is over; Oriel is not to rely on
   that. */
cudaError_t
cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    const Entrance entered;
    if (exec->finished != exec->launched && runtime().sticky == cudaSuccess) {
        host_violation("a graph is destroyed while it runs");
        drain_all();
    }
    delete exec;
    return entered.error;
}

cudaError_t
cudaGraphDestroy(cudaGraph_t graph)
{
    const Entrance entered;
    delete graph;
    return entered.error;
}
}
