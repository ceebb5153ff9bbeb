/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_graph_turns.c - graphs beside other streams and captures
 */
#include "cuda/cuda_fixture.h"
#include "sim/control.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

#define MUST(call) ck_assert_int_eq(call, cudaSuccess)

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
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
