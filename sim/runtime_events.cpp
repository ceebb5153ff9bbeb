/* SPDX-License-Identifier: Apache-2.0 */
/* The stand-in runtime's events. */
#include "runtime_state.hpp"

#include "report.hpp"

#include <algorithm>
#include <chrono>

using namespace sim;

namespace
{

/* What is recorded in a capture never happens, so it cannot be asked for. */
cudaError_t
captured_event(const CUevent_st &event)
{
    return event.capture ? spoil(*event.capture, cudaErrorCapturedEvent)
                         : cudaSuccess;
}

double
now()
{
    using namespace std::chrono;

    return duration<double, std::milli>(steady_clock::now().time_since_epoch())
        .count();
}

/* A captured event takes the stream into its capture, if it is in none. */
cudaError_t
join(CUstream_st &stream, const CUevent_st &event)
{
    Capture &capture = *event.capture;

    if (capture.over) /* nothing of it will ever be run here */
        return stream.capture ? spoil(*stream.capture, cudaErrorCapturedEvent)
                              : result(cudaErrorCapturedEvent);
    if (capture.spoilt)
        return result(cudaErrorStreamCaptureInvalidated);
    if (stream.capture && stream.capture != event.capture) {
        (void)spoil(capture, cudaErrorStreamCaptureMerge);
        return spoil(*stream.capture, cudaErrorStreamCaptureMerge);
    }
    if (&stream == &runtime().default_stream)
        return spoil(capture, cudaErrorStreamCaptureImplicit);
    if (!stream.capture)
        stream.last.clear();
    stream.capture = event.capture;
    for (size_t node : event.last)
        if (std::count(stream.last.begin(), stream.last.end(), node) == 0)
            stream.last.push_back(node);
    return cudaSuccess;
}

} // namespace

extern "C" {

cudaError_t
cudaEventCreateWithFlags(cudaEvent_t *event, unsigned int flags)
{
    ENTER();
    *event = new CUevent_st;
    (*event)->timed = !(flags & cudaEventDisableTiming);
    (*event)->context = current_context();
    return cudaSuccess;
}

cudaError_t
cudaEventDestroy(cudaEvent_t event)
{
    const Entrance entered;
    drain_all();
    delete event;
    return entered.error;
}

cudaError_t
cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    ENTER();
    CUstream_st *s = resolve(stream);
    if (s && context_of(stream) != event->context)
        return result(cudaErrorInvalidResourceHandle);
    if (s && s->capture && !s->capture->spoilt) {
        event->capture = s->capture;
        event->last = s->last;
        return cudaSuccess;
    }
    uint64_t number = event->recorded + 1;
    cudaError_t error = enqueue(stream, {nullptr, [=] {
                                             if (event->reached < number)
                                                 event->reached = number;
                                             event->reached_at = now();
                                         }});
    if (error == cudaSuccess) {
        event->recorded = number;
        event->stream = s;
        event->capture = nullptr;
    }
    return error;
}

cudaError_t
cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int)
{
    ENTER();
    CUstream_st *s = resolve(stream);
    if (!s)
        return result(cudaErrorInvalidResourceHandle);
    if (s->capture && s->capture->spoilt)
        return result(cudaErrorStreamCaptureInvalidated);
    if (event->capture)
        return join(*s, *event);
    if (s->capture)
        return spoil(*s->capture, cudaErrorStreamCaptureIsolation);
    uint64_t wanted = event->recorded;
    return enqueue(stream, {[=] { return event->reached >= wanted; }, [] {}});
}

cudaError_t
cudaEventSynchronize(cudaEvent_t event)
{
    ENTER();
    if (captured_event(*event) != cudaSuccess)
        return cudaErrorCapturedEvent;
    NOT_IN_CAPTURE();
    uint64_t wanted = event->recorded;
    if (event->reached < wanted)
        log_work("wait", runtime().streams.count(event->stream) ? event->stream
                                                                : nullptr);
    runtime().tally.waits += event->reached < wanted;
    drain([=] { return event->reached >= wanted; });
    if (event->reached < wanted && runtime().sticky == cudaSuccess)
        host_violation("a wait for an event that never comes");
    return result(runtime().sticky);
}

cudaError_t
cudaEventQuery(cudaEvent_t event)
{
    ENTER();
    if (captured_event(*event) != cudaSuccess)
        return cudaErrorCapturedEvent;
    NOT_IN_CAPTURE();
    return event->reached >= event->recorded ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t
cudaEventElapsedTime(float *milliseconds, cudaEvent_t begin, cudaEvent_t end)
{
    ENTER();
    NOT_IN_CAPTURE();
    if (captured_event(*begin) != cudaSuccess ||
        captured_event(*end) != cudaSuccess)
        return cudaErrorCapturedEvent;
    if (!begin->timed || !end->timed || !begin->recorded || !end->recorded)
        return result(cudaErrorInvalidResourceHandle);
    if (begin->reached < begin->recorded || end->reached < end->recorded)
        return cudaErrorNotReady;
    *milliseconds = (float)(end->reached_at - begin->reached_at);
    return cudaSuccess;
}
}
