/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_graph_turns.c - graphs beside other streams and captures, and when
 * the runtime fails
 */
#include "cuda/cuda_fixture.h"
#include "sim/control.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

#define MUST(call) ck_assert_int_eq(call, cudaSuccess)

/* ---- Streams and captures ------------------------------------------------- */

/* One encoder on two streams in turn; the caller orders them. */
START_TEST(streams_in_turn)
{
    enum { CALLS = 6 };
    cuda_fixture r = cuda_fixture_make(cuda_fixture_shallow());
    oriel_encoder *encoder = cuda_fixture_encoder(&r);
    cudaStream_t streams[2] = {cuda_fixture_stream(), cuda_fixture_stream()};
    device_buffer out[CALLS];
    oriel_input input = cuda_fixture_host_input(&r);
    uint64_t before = sim_graph_launches();
    cudaEvent_t done;

    sim_interleave((uint64_t)_i + 1);
    MUST(cudaEventCreateWithFlags(&done, cudaEventDisableTiming));
    for (int i = 0; i < CALLS; i++) {
        oriel_output output;

        out[i] = device_output(r.embeddings_bytes);
        output = cuda_fixture_output(&r, out[i].data, ORIEL_MEMORY_DEVICE);
        if (i)
            MUST(cudaStreamWaitEvent(streams[i % 2], done, 0));
        cuda_fixture_encode(encoder, r.plan, &input, &output, streams[i % 2]);
        MUST(cudaEventRecord(done, streams[i % 2]));
    }
    ck_assert_uint_eq(sim_graph_launches() - before, CALLS - DIRECT_CALLS);
    oriel_encoder_destroy(encoder);
    for (int i = 0; i < CALLS; i++) {
        cuda_fixture_expect(&r, out[i]);
        device_release(out[i]);
    }
    MUST(cudaEventDestroy(done));
    MUST(cudaStreamDestroy(streams[0]));
    MUST(cudaStreamDestroy(streams[1]));
    cuda_fixture_free(&r);
}
END_TEST

/* In the caller's capture kernels are launched, though there is a graph. */
START_TEST(a_capture_has_kernels)
{
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    oriel_encoder *encoder = cuda_fixture_encoder(&r);
    cudaStream_t stream = cuda_fixture_stream();
    oriel_input input = cuda_fixture_device_input(&r);
    device_buffer out = device_output(r.embeddings_bytes);
    oriel_output output =
        cuda_fixture_output(&r, out.data, ORIEL_MEMORY_DEVICE);
    cudaGraphExec_t exec;
    cudaGraph_t graph;

    for (int i = 0; i < 3; i++)
        cuda_fixture_encode(encoder, r.plan, &input, &output, stream);
    MUST(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    cuda_fixture_encode(encoder, r.plan, &input, &output, stream);
    MUST(cudaStreamEndCapture(stream, &graph));
    MUST(cudaGraphInstantiate(&exec, graph, 0));
    MUST(cudaGraphDestroy(graph));
    MUST(cudaMemsetAsync(out.data, 0xff, out.bytes, stream));
    MUST(cudaGraphLaunch(exec, stream));
    cuda_fixture_expect(&r, out);
    MUST(cudaGraphExecDestroy(exec));
    oriel_encoder_destroy(encoder);
    MUST(cudaStreamDestroy(stream));
    device_release(out);
    cuda_fixture_free(&r);
}
END_TEST

/* While the caller captures another stream, calls wait, record and replay as
   ever, and that capture stays whole. */
START_TEST(a_capture_elsewhere_stays_whole)
{
    enum { CALLS = 12 };
    cuda_fixture r = cuda_fixture_make(cuda_fixture_shallow());
    oriel_encoder *encoder = cuda_fixture_encoder(&r);
    cudaStream_t captured = cuda_fixture_stream(),
                 stream = cuda_fixture_stream();
    oriel_input input = cuda_fixture_host_input(&r);
    device_buffer out = device_output(r.embeddings_bytes);
    oriel_output output =
        cuda_fixture_output(&r, out.data, ORIEL_MEMORY_DEVICE);
    cudaGraph_t graph;

    MUST(cudaStreamBeginCapture(captured, cudaStreamCaptureModeGlobal));
    for (int i = 0; i < CALLS; i++) /* more than the ring has slots */
        cuda_fixture_encode(encoder, r.plan, &input, &output, stream);
    MUST(cudaStreamEndCapture(captured, &graph));
    cuda_fixture_expect(&r, out);
    MUST(cudaGraphDestroy(graph));
    oriel_encoder_destroy(encoder);
    MUST(cudaStreamDestroy(captured));
    MUST(cudaStreamDestroy(stream));
    device_release(out);
    cuda_fixture_free(&r);
}
END_TEST

/* Nor is it spoilt by an encoder that is made meanwhile, with its weights, and
   destroyed again. */
START_TEST(a_capture_elsewhere_outlives_an_encoder)
{
    cuda_fixture r = cuda_fixture_make(cuda_fixture_shallow());
    cudaStream_t captured = cuda_fixture_stream(),
                 stream = cuda_fixture_stream();
    oriel_input input = cuda_fixture_host_input(&r);
    device_buffer out = device_output(r.embeddings_bytes);
    oriel_output output =
        cuda_fixture_output(&r, out.data, ORIEL_MEMORY_DEVICE);
    enum cudaStreamCaptureMode mode = cudaStreamCaptureModeThreadLocal;
    oriel_encoder *encoder;
    cudaGraph_t graph;

    MUST(cudaThreadExchangeStreamCaptureMode(&mode));
    MUST(cudaStreamBeginCapture(captured, cudaStreamCaptureModeGlobal));
    encoder = cuda_fixture_encoder(&r);
    cuda_fixture_encode(encoder, r.plan, &input, &output, stream);
    oriel_encoder_destroy(encoder);
    MUST(cudaStreamEndCapture(captured, &graph));
    MUST(cudaThreadExchangeStreamCaptureMode(&mode));
    ck_assert_int_eq(mode, cudaStreamCaptureModeThreadLocal);
    cuda_fixture_expect(&r, out);
    MUST(cudaGraphDestroy(graph));
    MUST(cudaStreamDestroy(captured));
    MUST(cudaStreamDestroy(stream));
    device_release(out);
    cuda_fixture_free(&r);
}
END_TEST

/* ---- Failures ------------------------------------------------------------- */

static int warnings;

static void
count_warnings(void *user, int32_t level, const char *line)
{
    (void)user;
    if (level != ORIEL_LOG_WARNING)
        return;
    ck_assert_msg(strstr(line, "cuda graphs: ") == line, "%s", line);
    ck_assert_msg(strstr(line, "one by one"), "%s", line);
    warnings++;
}

/* Calls 0 .. which + 1 of a shape by an encoder of their own; of call 'which' the
   nth call of the runtime fails.  How many of those there are. */
static uint64_t
try_calls(const cuda_fixture *r, int which, uint64_t n, cudaError_t error,
          float *found)
{
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_input input = cuda_fixture_host_input(r);
    oriel_output output = cuda_fixture_output(r, found, ORIEL_MEMORY_HOST);
    oriel_status status = ORIEL_OK;
    oriel_encoder *encoder;
    uint64_t calls = 0;
    oriel_error err;

    hooks.log = count_warnings;
    encoder = cuda_fixture_try_encoder(r, &hooks, &err);
    ck_assert_ptr_nonnull(encoder);
    for (int i = 0; i < which + 2 && status != ORIEL_ERR_FAULT; i++) {
        memset(found, 0xff, r->embeddings_bytes);
        sim_fail_call(i == which ? n : 0, error);
        status = oriel_encode(encoder, r->plan, &input, &output, NULL, &err);
        calls = i == which ? sim_calls() : calls;
        sim_fail_call(0, cudaSuccess);
        if (status == ORIEL_OK)
            ck_assert_mem_eq(found, r->expected, r->embeddings_bytes);
        else
            ck_assert_msg(i == which && err.cause == (int32_t)error,
                          "call %d: %s", i, err.message);
    }
    oriel_encoder_destroy(encoder);
    return calls;
}

/* Recording and replaying, with each call of the runtime failing in turn: the
   encode says so, or its bytes are right and the log tells of graphs. */
START_TEST(each_call_fails_in_turn)
{
    static const cudaError_t errors[] = {cudaErrorMemoryAllocation,
                                         cudaErrorIllegalAddress};
    int which = 1 + _i / 2;
    cuda_fixture r = cuda_fixture_make(cuda_fixture_shallow());
    float *found = oracle_alloc(1, r.embeddings_bytes);
    uint64_t calls = try_calls(&r, which, 0, cudaSuccess, found);

    warnings = 0;
    for (uint64_t n = 1; n <= calls; n++)
        try_calls(&r, which, n, errors[_i % 2], found);
    /* To begin, seven kernels of a block, to end, to instantiate; or to launch. */
    if (which == 1)
        ck_assert_int_eq(warnings, 10);
    else
        ck_assert_int_eq(warnings, 1);
    cuda_fixture_expect_silence();
    free(found);
    cuda_fixture_free(&r);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_graph_turns");
    TCase *tc = tcase_create("turns");

    tcase_set_timeout(tc, 240);
    tcase_add_loop_test(tc, streams_in_turn, 0, 4);
    tcase_add_test(tc, a_capture_has_kernels);
    tcase_add_test(tc, a_capture_elsewhere_stays_whole);
    tcase_add_test(tc, a_capture_elsewhere_outlives_an_encoder);
    tcase_add_loop_test(tc, each_call_fails_in_turn, 0, 3);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
