/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runtime_captures.cpp - the stand-in runtime's captures
 *
 * The rules are from CUDA's programming guide: nothing that is captured may
 * be waited for or asked about, by itself, by its stream, by its device or by
 * the default stream that waits for it; no dependency may lead into a capture or
 * from one to another; a fork is joined before the end.  Whoever breaks one
 * spoils the capture, and its end says so.
 */
#include "runtime_state.hpp"

#include <algorithm>
#include <utility>

using namespace sim;

namespace
{

/* Spoil the captures of streams that 'concerned' names; whether there were any. */
template <class Concerned>
bool
spoil_captures(Concerned concerned)
{
    bool any = false;

    for (CUstream_st *s : runtime().streams)
        if (s->capture && !s->capture->spoilt && concerned(s))
            any = s->capture->spoilt = true;
    return any;
}

/* The default stream waits for every blocking stream. */
bool
blocks_default(const CUstream_st *s)
{
    return s->capture && !(s->flags & cudaStreamNonBlocking);
}

/* Whether all that was captured comes before what its first stream does next. */
bool
joined(const Capture &capture)
{
    std::vector<bool> before(capture.nodes.size(), false);
    Nodes open = capture.origin->last;

    while (!open.empty()) {
        size_t node = open.back();

        open.pop_back();
        if (before[node])
            continue;
        before[node] = true;
        for (size_t other : capture.nodes[node].after)
            open.push_back(other);
    }
    for (bool b : before)
        if (!b)
            return false;
    return true;
}

/* Its streams are as others again. */
void
end(std::shared_ptr<Capture> capture)
{
    capture->over = true;
    for (CUstream_st *s : runtime().streams)
        if (s->capture == capture) {
            s->capture = nullptr;
            s->last.clear();
        }
}

} // namespace

namespace sim
{

cudaError_t
forbidden_in_capture()
{
    auto concerned = [](const CUstream_st *s) {
        bool ours = s->capture->thread == std::this_thread::get_id();

        if (s->capture->mode == cudaStreamCaptureModeRelaxed)
            return false;
        return ours || (s->capture->mode == cudaStreamCaptureModeGlobal &&
                        capture_mode() == cudaStreamCaptureModeGlobal);
    };

    return capture_mode() != cudaStreamCaptureModeRelaxed &&
                   spoil_captures(concerned)
               ? result(cudaErrorStreamCaptureUnsupported)
               : cudaSuccess;
}

cudaError_t
implicit_in_capture()
{
    return spoil_captures(blocks_default)
               ? result(cudaErrorStreamCaptureImplicit)
               : cudaSuccess;
}

cudaError_t
device_in_capture(int device)
{
    return spoil_captures([=](const CUstream_st *s) {
        return s->context && s->context->device == device;
    })
               ? result(cudaErrorStreamCaptureUnsupported)
               : cudaSuccess;
}

cudaError_t
spoil(Capture &capture, cudaError_t error)
{
    capture.spoilt = true;
    return result(error);
}

void
capture_operation(CUstream_st &stream, Operation operation)
{
    std::vector<Node> &nodes = stream.capture->nodes;

    nodes.push_back({std::move(operation), stream.last});
    stream.last = {nodes.size() - 1};
}

std::vector<Operation>
captured_order(const std::vector<Node> &nodes)
{
    std::vector<Operation> order;
    std::vector<bool> placed(nodes.size(), false);

    while (order.size() < nodes.size()) {
        Nodes able;

        for (size_t n = 0; n < nodes.size(); n++) {
            bool ready = !placed[n];
            for (size_t other : nodes[n].after)
                ready = ready && placed[other];
            if (ready)
                able.push_back(n);
        }
        size_t next = able.size() > 1 ? able[draw_interleaving() % able.size()]
                                      : able.front();
        placed[next] = true;
        order.push_back(nodes[next].operation);
    }
    return order;
}

} // namespace sim

extern "C" {

cudaError_t
cudaStreamIsCapturing(cudaStream_t stream, enum cudaStreamCaptureStatus *status)
{
    ENTER();
    CUstream_st *s = resolve(stream);
    if (!s)
        return result(cudaErrorInvalidResourceHandle);
    /* The one question that spoils nothing. */
    if (is_default(stream) &&
        std::any_of(runtime().streams.begin(), runtime().streams.end(),
                    blocks_default))
        return result(cudaErrorStreamCaptureImplicit);
    *status = !s->capture          ? cudaStreamCaptureStatusNone
              : s->capture->spoilt ? cudaStreamCaptureStatusInvalidated
                                   : cudaStreamCaptureStatusActive;
    return cudaSuccess;
}

cudaError_t
cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode)
{
    ENTER();
    /* The default stream cannot be captured. */
    if (is_default(stream) || !runtime().streams.count(stream) ||
        stream->capture)
        return result(cudaErrorStreamCaptureUnsupported);
    stream->capture = std::make_shared<Capture>(
        Capture{stream, mode, std::this_thread::get_id()});
    stream->last.clear();
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
    if (is_default(stream) || !runtime().streams.count(stream) ||
        !stream->capture)
        return result(cudaErrorStreamCaptureUnmatched);
    std::shared_ptr<Capture> capture = stream->capture;
    if (capture->origin != stream)
        return spoil(*capture, cudaErrorStreamCaptureUnmatched);
    if (capture->mode != cudaStreamCaptureModeRelaxed &&
        capture->thread != std::this_thread::get_id())
        return result(cudaErrorStreamCaptureWrongThread);
    bool whole = joined(*capture);
    end(capture);
    if (capture->spoilt)
        return result(cudaErrorStreamCaptureInvalidated);
    if (!whole)
        return result(cudaErrorStreamCaptureUnjoined);
    *graph = new CUgraph_st{std::move(capture->nodes)};
    return cudaSuccess;
}
}
