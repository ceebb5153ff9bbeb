/* SPDX-License-Identifier: Apache-2.0 */
/* The stand-in runtime's graphs. */
#include "runtime_state.hpp"

#include "report.hpp"

#include <utility>

struct CUgraphExec_st {
    std::vector<sim::Node> nodes;
    uint64_t launched = 0, finished = 0;
};

using namespace sim;

extern "C" {

cudaError_t
cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph,
                     unsigned long long)
{
    ENTER();
    NOT_IN_CAPTURE();
    *exec = new CUgraphExec_st;
    (*exec)->nodes = graph->nodes;
    runtime().tally.graphs_made++;
    return cudaSuccess;
}

/* In stream order, after the launches before it. */
cudaError_t
cudaGraphUpload(cudaGraphExec_t exec, cudaStream_t stream)
{
    ENTER();
    NOT_IN_CAPTURE();
    CUstream_st *s = resolve(stream);
    if (!s)
        return result(cudaErrorInvalidResourceHandle);
    if (s->capture)
        return spoil(*s->capture, cudaErrorStreamCaptureUnsupported);
    const uint64_t before = exec->launched++;
    runtime().tally.graph_uploads++;
    s->queue.push_back({[exec, before] { return exec->finished == before; },
                        [exec] { exec->finished++; }});
    return cudaSuccess;
}

cudaError_t
cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    ENTER();
    CUstream_st *s = resolve(stream);
    if (!s)
        return result(cudaErrorInvalidResourceHandle);
    /* CUDA would make it a part of what is captured; Oriel is not to. */
    if (s->capture)
        return spoil(*s->capture, cudaErrorStreamCaptureUnsupported);
    if (is_default(stream) && implicit_in_capture() != cudaSuccess)
        return cudaErrorStreamCaptureImplicit;
    /* It runs once at a time, whatever the streams. */
    const uint64_t before = exec->launched++;
    runtime().tally.graph_launches++;
    log_work("graph", s);
    s->queue.push_back(
        {[exec, before] { return exec->finished == before; }, [] {}});
    for (const Operation &operation : captured_order(exec->nodes))
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
