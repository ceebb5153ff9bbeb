/* SPDX-License-Identifier: Apache-2.0 */
/* The stand-in runtime's captures and graphs. */
#include "runtime_state.hpp"

struct CUgraph_st {
    std::vector<sim::Operation> operations;
};
struct CUgraphExec_st {
    std::vector<sim::Operation> operations;
};

namespace sim
{

bool
any_capture()
{
    for (CUstream_st *s : runtime().streams)
        if (s->capture == cudaStreamCaptureStatusActive)
            return true;
    return false;
}

cudaError_t
forbidden_in_capture()
{
    if (!any_capture())
        return cudaSuccess;
    for (CUstream_st *s : runtime().streams)
        if (s->capture == cudaStreamCaptureStatusActive)
            s->capture = cudaStreamCaptureStatusInvalidated;
    return result(cudaErrorStreamCaptureUnsupported);
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
cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode)
{
    ENTER();
    /* The default stream cannot be captured. */
    if (!stream || !runtime().streams.count(stream) ||
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
