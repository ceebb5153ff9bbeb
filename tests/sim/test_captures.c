/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What CUDA refuses during a capture the stand-in runtime refuses too, with the
 * same error, and the capture is spoilt; what CUDA allows works.
 */
#include "sim/control.h"
#include "support/suite.h"

#include <cuda_runtime.h>
#include <pthread.h>
#include <stdbool.h>

#define MUST(call) ck_assert_int_eq(call, cudaSuccess)

/* Two streams, an event recorded before any capture, memory. */
static struct scene {
    cudaStream_t stream, other;
    cudaEvent_t before, event;
    float *device, *pinned, pageable[4];
} s;

static cudaStream_t
make_stream(unsigned flags)
{
    cudaStream_t stream;

    MUST(cudaStreamCreateWithFlags(&stream, flags));
    return stream;
}

static void
make_scene(void)
{
    s.stream = make_stream(cudaStreamNonBlocking);
    s.other = make_stream(cudaStreamNonBlocking);
    MUST(cudaEventCreateWithFlags(&s.before, cudaEventDisableTiming));
    MUST(cudaEventCreateWithFlags(&s.event, cudaEventDisableTiming));
    MUST(cudaEventRecord(s.before, s.other));
    MUST(cudaDeviceSynchronize());
    MUST(cudaMalloc((void **)&s.device, 16));
    MUST(cudaMallocHost((void **)&s.pinned, 16));
}

static void
free_scene(void)
{
    MUST(cudaStreamDestroy(s.stream)); /* and what they still capture */
    MUST(cudaStreamDestroy(s.other));
    MUST(cudaEventDestroy(s.before));
    MUST(cudaEventDestroy(s.event));
    MUST(cudaFree(s.device));
    MUST(cudaFreeHost(s.pinned));
}

static cudaError_t
end(cudaStream_t stream)
{
    cudaGraph_t graph;
    cudaError_t error = cudaStreamEndCapture(stream, &graph);

    ck_assert(!graph == (error != cudaSuccess));
    if (graph)
        MUST(cudaGraphDestroy(graph));
    return error;
}

/* Some work. */
static cudaError_t
copy_to(float *to, const float *from, cudaStream_t stream)
{
    return cudaMemcpyAsync(to, from, 4, cudaMemcpyHostToDevice, stream);
}

static cudaError_t
copy(cudaStream_t stream)
{
    return copy_to(s.device, s.pinned, stream);
}

/* The other stream joins. */
static void
fork_other(void)
{
    MUST(cudaEventRecord(s.event, s.stream));
    MUST(cudaStreamWaitEvent(s.other, s.event, 0));
}

/* ---- One wrong call each -------------------------------------------------- */

static cudaError_t
waits_for_what_was_before(void)
{
    return cudaStreamWaitEvent(s.stream, s.before, 0);
}

static cudaError_t
waits_for_what_never_was(void)
{
    return cudaStreamWaitEvent(s.stream, s.event, 0);
}

static cudaError_t
asks_for_a_captured_event(void)
{
    MUST(cudaEventRecord(s.event, s.stream));
    return cudaEventQuery(s.event);
}

static cudaError_t
awaits_a_captured_event(void)
{
    MUST(cudaEventRecord(s.event, s.stream));
    return cudaEventSynchronize(s.event);
}

static cudaError_t
default_stream_joins(void)
{
    MUST(cudaEventRecord(s.event, s.stream));
    return cudaStreamWaitEvent(NULL, s.event, 0);
}

static cudaError_t
captures_merge(void)
{
    MUST(cudaStreamBeginCapture(s.other, cudaStreamCaptureModeRelaxed));
    MUST(cudaEventRecord(s.event, s.other));
    return cudaStreamWaitEvent(s.stream, s.event, 0);
}

static cudaError_t
another_stream_ends(void)
{
    fork_other();
    return end(s.other);
}

static cudaError_t
joined_stream_is_awaited(void)
{
    fork_other();
    return cudaStreamSynchronize(s.other);
}

static cudaError_t
copies_from_pageable(void)
{
    return copy_to(s.device, s.pageable, s.stream);
}

static cudaError_t
copies_to_pageable(void)
{
    return cudaMemcpyAsync(s.pageable, s.device, 4, cudaMemcpyDeviceToHost,
                           s.stream);
}

static cudaError_t
graph_is_launched(void)
{
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    cudaStream_t stream = make_stream(cudaStreamNonBlocking);
    cudaError_t error;

    MUST(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed));
    MUST(copy(stream));
    MUST(cudaStreamEndCapture(stream, &graph));
    MUST(cudaGraphInstantiate(&exec, graph, 0));
    error = cudaGraphLaunch(exec, s.stream);
    MUST(cudaGraphExecDestroy(exec));
    MUST(cudaGraphDestroy(graph));
    MUST(cudaStreamDestroy(stream));
    return error;
}

/* A relaxed capture forbids these too. */
static const struct {
    cudaError_t (*wrong)(void);
    cudaError_t error;
} conflicts[] = {
    {waits_for_what_was_before, cudaErrorStreamCaptureIsolation},
    {waits_for_what_never_was, cudaErrorStreamCaptureIsolation},
    {asks_for_a_captured_event, cudaErrorCapturedEvent},
    {awaits_a_captured_event, cudaErrorCapturedEvent},
    {default_stream_joins, cudaErrorStreamCaptureImplicit},
    {captures_merge, cudaErrorStreamCaptureMerge},
    {another_stream_ends, cudaErrorStreamCaptureUnmatched},
    {joined_stream_is_awaited, cudaErrorStreamCaptureUnsupported},
    {cudaDeviceSynchronize, cudaErrorStreamCaptureUnsupported},
    {copies_from_pageable, cudaErrorStreamCaptureUnsupported},
    {copies_to_pageable, cudaErrorStreamCaptureUnsupported},
    {graph_is_launched, cudaErrorStreamCaptureUnsupported},
};

START_TEST(conflicts_are_refused)
{
    enum cudaStreamCaptureStatus status;

    MUST(cudaStreamBeginCapture(s.stream, cudaStreamCaptureModeRelaxed));
    MUST(copy(s.stream));
    ck_assert_int_eq(conflicts[_i].wrong(), conflicts[_i].error);
    /* And it is spoilt, whatever comes. */
    MUST(cudaStreamIsCapturing(s.stream, &status));
    ck_assert_int_eq(status, cudaStreamCaptureStatusInvalidated);
    ck_assert_int_eq(copy(s.stream), cudaErrorStreamCaptureInvalidated);
    ck_assert_int_eq(cudaEventRecord(s.event, s.stream),
                     cudaErrorStreamCaptureInvalidated);
    ck_assert_int_eq(end(s.stream), cudaErrorStreamCaptureInvalidated);
    MUST(cudaStreamIsCapturing(s.stream, &status));
    ck_assert_int_eq(status, cudaStreamCaptureStatusNone);
}
END_TEST

/* ---- The default stream --------------------------------------------------- */

enum { DEFAULT_USES = 5 };

static cudaError_t
use_default(int which)
{
    switch (which) {
    case 0:
        return copy(NULL);
    case 1:
        return cudaEventRecord(s.event, NULL);
    case 2:
        return cudaStreamWaitEvent(NULL, s.before, 0);
    case 3:
        return cudaStreamSynchronize(NULL);
    default:
        return cudaMemcpy(s.device, s.pageable, 4, cudaMemcpyHostToDevice);
    }
}

/* It would wait for a blocking stream, but not for another. */
START_TEST(default_stream_is_out_of_use)
{
    cudaStream_t blocking = make_stream(cudaStreamDefault);
    enum cudaStreamCaptureStatus status;

    MUST(cudaStreamBeginCapture(s.stream, cudaStreamCaptureModeRelaxed));
    MUST(use_default(_i));
    MUST(cudaStreamIsCapturing(NULL, &status));
    MUST(end(s.stream));

    MUST(cudaStreamBeginCapture(blocking, cudaStreamCaptureModeRelaxed));
    ck_assert_int_eq(cudaStreamIsCapturing(NULL, &status),
                     cudaErrorStreamCaptureImplicit);
    MUST(copy(blocking)); /* to have asked spoils nothing */
    ck_assert_int_eq(use_default(_i), cudaErrorStreamCaptureImplicit);
    ck_assert_int_eq(end(blocking), cudaErrorStreamCaptureInvalidated);
    MUST(use_default(_i));
    MUST(cudaStreamDestroy(blocking));
}
END_TEST

/* ---- Modes and threads ----------------------------------------------------- */

enum { UNSAFE = 7 };

/* What might wait for the device, or for work that is captured. */
static cudaError_t
make_unsafe_call(int which)
{
    void *memory;

    switch (which) {
    case 0:
        return cudaMalloc(&memory, 4);
    case 1:
        return cudaFree(NULL);
    case 2:
        if (cudaMallocHost(&memory, 4) != cudaSuccess)
            return cudaErrorStreamCaptureUnsupported;
        return cudaFreeHost(memory);
    case 3:
        return cudaFreeHost(NULL);
    case 4:
        return cudaEventQuery(s.before);
    case 5:
        return cudaEventSynchronize(s.before);
    default:
        return cudaStreamSynchronize(s.other);
    }
}

struct call {
    cudaError_t (*make)(int which);
    int which;
    enum cudaStreamCaptureMode mode; /* of the thread that makes it */
    cudaError_t error;
};

static void *
call_here(void *context)
{
    struct call *call = context;
    enum cudaStreamCaptureMode mode = call->mode;

    MUST(cudaThreadExchangeStreamCaptureMode(&mode));
    call->error = call->make(call->which);
    MUST(cudaThreadExchangeStreamCaptureMode(&mode));
    return NULL;
}

static void
call_elsewhere(struct call *call)
{
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, call_here, call), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

/* Forbidden where neither the capture nor the thread is relaxed, to other threads
   where both are global. */
START_TEST(unsafe_calls_depend_on_modes)
{
    struct call call = {make_unsafe_call, _i / 18,
                        (enum cudaStreamCaptureMode)(_i / 3 % 3), cudaSuccess};
    enum cudaStreamCaptureMode mode = (enum cudaStreamCaptureMode)(_i % 3);
    bool elsewhere = _i / 9 % 2;
    bool relaxed = mode == cudaStreamCaptureModeRelaxed ||
                   call.mode == cudaStreamCaptureModeRelaxed;
    bool global = mode == cudaStreamCaptureModeGlobal &&
                  call.mode == cudaStreamCaptureModeGlobal;
    bool forbidden = !relaxed && (!elsewhere || global);

    MUST(cudaStreamBeginCapture(s.stream, mode));
    if (elsewhere)
        call_elsewhere(&call);
    else
        call_here(&call);
    ck_assert_int_eq(call.error, forbidden ? cudaErrorStreamCaptureUnsupported
                                           : cudaSuccess);
    ck_assert_int_eq(end(s.stream), forbidden
                                        ? cudaErrorStreamCaptureInvalidated
                                        : cudaSuccess);
}
END_TEST

static cudaError_t
end_it(int which)
{
    (void)which;
    return end(s.stream);
}

/* A thread ends what it began; only a relaxed capture may be ended by others. */
START_TEST(threads_end_their_own)
{
    enum cudaStreamCaptureMode mode = (enum cudaStreamCaptureMode)_i;
    bool relaxed = mode == cudaStreamCaptureModeRelaxed;
    struct call call = {end_it, 0, cudaStreamCaptureModeGlobal, cudaSuccess};

    MUST(cudaStreamBeginCapture(s.stream, mode));
    MUST(copy(s.stream));
    call_elsewhere(&call);
    ck_assert_int_eq(call.error,
                     relaxed ? cudaSuccess : cudaErrorStreamCaptureWrongThread);
    ck_assert_int_eq(end(s.stream),
                     relaxed ? cudaErrorStreamCaptureUnmatched : cudaSuccess);
}
END_TEST

/* Only of its own device may a capture forbid the synchronisation. */
START_TEST(another_device_may_be_awaited)
{
    sim_devices(2, 13000);
    MUST(cudaStreamBeginCapture(s.stream, cudaStreamCaptureModeRelaxed));
    MUST(cudaSetDevice(1));
    MUST(cudaDeviceSynchronize());
    MUST(cudaSetDevice(0));
    MUST(end(s.stream));
}
END_TEST

START_TEST(beginnings_are_checked)
{
    ck_assert_int_eq(cudaStreamBeginCapture(NULL, cudaStreamCaptureModeGlobal),
                     cudaErrorStreamCaptureUnsupported);
    MUST(cudaStreamBeginCapture(s.stream, cudaStreamCaptureModeGlobal));
    ck_assert_int_eq(
        cudaStreamBeginCapture(s.stream, cudaStreamCaptureModeGlobal),
        cudaErrorStreamCaptureUnsupported);
    MUST(end(s.stream));
    ck_assert_int_eq(end(s.stream), cudaErrorStreamCaptureUnmatched);
}
END_TEST

/* ---- Forks ------------------------------------------------------------------ */

/* Until it is recorded anew, outside. */
START_TEST(events_stay_captured)
{
    MUST(cudaStreamBeginCapture(s.stream, cudaStreamCaptureModeGlobal));
    MUST(copy(s.stream));
    MUST(cudaEventRecord(s.event, s.stream));
    MUST(end(s.stream));
    ck_assert_int_eq(cudaEventQuery(s.event), cudaErrorCapturedEvent);
    ck_assert_int_eq(cudaEventSynchronize(s.event), cudaErrorCapturedEvent);
    ck_assert_int_eq(cudaStreamWaitEvent(s.other, s.event, 0),
                     cudaErrorCapturedEvent);
    fork_other();
    MUST(cudaEventSynchronize(s.event));
    MUST(cudaEventQuery(s.event));
}
END_TEST

START_TEST(forks_are_joined)
{
    enum cudaStreamCaptureStatus status;

    MUST(cudaStreamBeginCapture(s.stream, cudaStreamCaptureModeGlobal));
    MUST(copy(s.stream));
    fork_other();
    MUST(cudaStreamIsCapturing(s.other, &status));
    ck_assert_int_eq(status, cudaStreamCaptureStatusActive);
    MUST(copy(s.other));
    if (_i) { /* what was recorded before the copy joins nothing */
        MUST(cudaStreamWaitEvent(s.stream, s.event, 0));
    } else {
        MUST(cudaEventRecord(s.event, s.other));
        MUST(cudaStreamWaitEvent(s.stream, s.event, 0));
    }
    ck_assert_int_eq(end(s.stream),
                     _i ? cudaErrorStreamCaptureUnjoined : cudaSuccess);
    MUST(cudaStreamIsCapturing(s.other, &status));
    ck_assert_int_eq(status, cudaStreamCaptureStatusNone);
    MUST(copy(s.other));
    MUST(cudaDeviceSynchronize());
}
END_TEST

/* Fork: 1 here, 2 there, to one place; joined: 3 to another.  Nothing orders the
   first two, and the third comes last: it is copied from what the others left. */
static cudaGraphExec_t
capture_fork(float *two)
{
    cudaGraph_t graph;
    cudaGraphExec_t exec;

    MUST(cudaStreamBeginCapture(s.stream, cudaStreamCaptureModeGlobal));
    fork_other();
    MUST(copy_to(s.device, s.pinned, s.stream));
    MUST(copy_to(s.device, two, s.other));
    MUST(cudaEventRecord(s.event, s.other));
    MUST(cudaStreamWaitEvent(s.stream, s.event, 0));
    MUST(cudaMemcpyAsync(s.device + 1, s.device, 4, cudaMemcpyDeviceToDevice,
                         s.stream));
    MUST(cudaStreamEndCapture(s.stream, &graph));
    MUST(cudaGraphInstantiate(&exec, graph, 0));
    MUST(cudaGraphDestroy(graph));
    return exec;
}

START_TEST(branches_have_no_order)
{
    float *two, back[2];
    int seen[3] = {0};
    cudaGraphExec_t exec;

    MUST(cudaMallocHost((void **)&two, 4));
    *s.pinned = 1, *two = 2;
    exec = capture_fork(two);
    for (int round = 0; round < 64; round++) {
        MUST(cudaGraphLaunch(exec, s.stream));
        MUST(cudaStreamSynchronize(s.stream));
        MUST(cudaMemcpy(back, s.device, sizeof(back), cudaMemcpyDeviceToHost));
        ck_assert(back[0] == 1 || back[0] == 2);
        ck_assert(back[1] == back[0]);
        seen[(int)back[0]]++;
    }
    ck_assert_int_gt(seen[1], 0);
    ck_assert_int_gt(seen[2], 0);
    MUST(cudaGraphExecDestroy(exec));
    MUST(cudaFreeHost(two));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("captures");
    TCase *tc = tcase_create("rules");

    tcase_add_checked_fixture(tc, make_scene, free_scene);
    tcase_add_loop_test(tc, conflicts_are_refused, 0, COUNT(conflicts));
    tcase_add_loop_test(tc, default_stream_is_out_of_use, 0, DEFAULT_USES);
    tcase_add_loop_test(tc, unsafe_calls_depend_on_modes, 0, 18 * UNSAFE);
    tcase_add_loop_test(tc, threads_end_their_own, 0, 3);
    tcase_add_test(tc, another_device_may_be_awaited);
    tcase_add_test(tc, beginnings_are_checked);
    tcase_add_test(tc, events_stay_captured);
    tcase_add_loop_test(tc, forks_are_joined, 0, 2);
    tcase_add_test(tc, branches_have_no_order);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
