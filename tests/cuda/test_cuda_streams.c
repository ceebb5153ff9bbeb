/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_streams.c - streams and captures around an encode
 *
 * The stand-in runtime runs nothing when it is enqueued and interleaves streams
 * by a seed, so what is overwritten, freed or reused too early shows.
 */
#include "cuda/cuda_fixture.h"
#include "sim/control.h"
#include "support/suite.h"

#include "ops.h"

#include <stdlib.h>
#include <string.h>

#define MUST(call) ck_assert_int_eq(call, cudaSuccess)

/* ---- Streams -------------------------------------------------------------- */

START_TEST(encoders_on_streams_do_not_meet)
{
    enum { ENCODERS = 3 };
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    oriel_encoder *encoders[ENCODERS];
    cudaStream_t streams[ENCODERS];
    device_buffer out[ENCODERS];

    sim_interleave((uint64_t)_i + 1);
    for (int i = 0; i < ENCODERS; i++) {
        encoders[i] = cuda_fixture_encoder(&r);
        streams[i] = cuda_fixture_stream();
        out[i] = device_output(r.embeddings_bytes);
    }
    for (int turn = 0; turn < 2; turn++)
        for (int i = 0; i < ENCODERS; i++) {
            oriel_input input = (i + turn) % 2 ? cuda_fixture_host_input(&r)
                                               : cuda_fixture_device_input(&r);
            oriel_output output =
                cuda_fixture_output(&r, out[i].data, ORIEL_MEMORY_DEVICE);

            cuda_fixture_encode(encoders[i], r.plan, &input, &output,
                                streams[i]);
        }
    for (int i = 0; i < ENCODERS; i++) {
        cuda_fixture_expect(&r, out[i]);
        oriel_encoder_destroy(encoders[i]);
        MUST(cudaStreamDestroy(streams[i]));
        device_release(out[i]);
    }
    cuda_fixture_free(&r);
}
END_TEST

/* More calls than the ring has slots, and no wait for the device between
   them; each has pixels of its own, changed as soon as the call returns. */
START_TEST(calls_may_pile_up)
{
    enum { CALLS = 12 };
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    oriel_encoder *encoder = cuda_fixture_encoder(&r);
    cudaStream_t stream = cuda_fixture_stream();
    device_buffer out[CALLS];
    float *pixels = oracle_alloc(1, r.pixels_bytes);
    oriel_input input = fixture_input(r.plan, pixels);

    for (int i = 0; i < CALLS; i++) {
        oriel_output output;

        out[i] = device_output(r.embeddings_bytes);
        output = cuda_fixture_output(&r, out[i].data, ORIEL_MEMORY_DEVICE);
        memcpy(pixels, r.pixels, r.pixels_bytes);
        if (i % 2)
            pixels[0] += 1;
        cuda_fixture_encode(encoder, r.plan, &input, &output, stream);
        memset(pixels, 0, r.pixels_bytes);
    }
    for (int i = 0; i < CALLS; i += 2)
        cuda_fixture_expect(&r, out[i]);
    float *odd = oracle_alloc(1, r.embeddings_bytes);
    device_download(odd, out[1]);
    ck_assert(memcmp(odd, r.expected, r.embeddings_bytes) != 0);
    free(odd);
    for (int i = 0; i < CALLS; i++)
        device_release(out[i]);
    oriel_encoder_destroy(encoder);
    MUST(cudaStreamDestroy(stream));
    free(pixels);
    cuda_fixture_free(&r);
}
END_TEST

/* destroy waits for what its encoder enqueued; workspace and weights go. */
START_TEST(destroying_waits)
{
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    oriel_encoder *encoder = cuda_fixture_encoder(&r);
    cudaStream_t stream = cuda_fixture_stream();
    device_buffer out = device_output(r.embeddings_bytes);
    oriel_input input = cuda_fixture_device_input(&r);
    oriel_output output =
        cuda_fixture_output(&r, out.data, ORIEL_MEMORY_DEVICE);

    cuda_fixture_encode(encoder, r.plan, &input, &output, stream);
    oriel_encoder_destroy(encoder);
    cuda_fixture_expect(&r, out);
    MUST(cudaStreamDestroy(stream));
    device_release(out);
    cuda_fixture_free(&r);
}
END_TEST

/* ---- Captures ------------------------------------------------------------- */

static cudaGraphExec_t
capture(oriel_encoder *encoder, const cuda_fixture *r, const oriel_input *input,
        const oriel_output *output, cudaStream_t stream)
{
    cudaGraphExec_t exec;
    cudaGraph_t graph;

    MUST(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    cuda_fixture_encode(encoder, r->plan, input, output, stream);
    MUST(cudaStreamEndCapture(stream, &graph));
    MUST(cudaGraphInstantiate(&exec, graph, 0));
    MUST(cudaGraphDestroy(graph));
    return exec;
}

/* The first encode may be captured, and replays read the pixels anew. */
START_TEST(a_replay_reads_new_pixels)
{
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    oriel_encoder *encoder = cuda_fixture_encoder(&r);
    cudaStream_t stream = cuda_fixture_stream();
    device_buffer out = device_output(r.embeddings_bytes);
    oriel_input input = cuda_fixture_device_input(&r);
    oriel_output output =
        cuda_fixture_output(&r, out.data, ORIEL_MEMORY_DEVICE);
    cudaGraphExec_t exec = capture(encoder, &r, &input, &output, stream);
    float *other = oracle_alloc(1, r.pixels_bytes);
    float *found = oracle_alloc(1, r.embeddings_bytes);

    MUST(cudaGraphLaunch(exec, stream));
    cuda_fixture_expect(&r, out);
    MUST(cudaMemcpy(r.d_pixels.data, other, r.pixels_bytes,
                    cudaMemcpyHostToDevice));
    MUST(cudaGraphLaunch(exec, stream));
    cuda_fixture_expect_silence();
    device_download(found, out);
    ck_assert(memcmp(found, r.expected, r.embeddings_bytes) != 0);
    MUST(cudaMemcpy(r.d_pixels.data, r.pixels, r.pixels_bytes,
                    cudaMemcpyHostToDevice));
    /* A direct call between replays uses the same workspace and ring. */
    cuda_fixture_encode(encoder, r.plan, &input, &output, stream);
    MUST(cudaGraphLaunch(exec, stream));
    cuda_fixture_expect(&r, out);
    MUST(cudaGraphExecDestroy(exec));
    oriel_encoder_destroy(encoder);
    MUST(cudaStreamDestroy(stream));
    device_release(out);
    free(other);
    free(found);
    cuda_fixture_free(&r);
}
END_TEST

START_TEST(a_replay_reads_new_frames)
{
    static const oriel_item item = {20, 14, 1, 24, 16, 0};
    enum { BYTES = 20 * 14 * 3 };
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    oriel_encoder *encoder;
    cudaStream_t stream = cuda_fixture_stream();
    unsigned char pixels[2][BYTES];
    float *results[2], *found;
    random_stream random = {3};
    oriel_input input = ORIEL_INPUT_INIT;
    device_buffer frame, out;
    const void *frames[1];
    cudaGraphExec_t exec;
    oriel_plan *from_grids = r.plan;
    oriel_output output;

    ck_assert_int_eq(
        oriel_plan_create(&r.plan, r.m.model, &item, 1, NULL, NULL), ORIEL_OK);
    r.embeddings_bytes = 6 * 24 * sizeof(float);
    encoder = cuda_fixture_encoder(&r);
    input.frames = frames;
    for (int i = 0; i < 2; i++) {
        for (int b = 0; b < BYTES; b++)
            pixels[i][b] = (unsigned char)random_u64(&random);
        frames[0] = pixels[i];
        results[i] = oracle_alloc(1, r.embeddings_bytes);
        output = cuda_fixture_output(&r, results[i], ORIEL_MEMORY_HOST);
        cuda_fixture_encode(encoder, r.plan, &input, &output, stream);
    }
    ck_assert(memcmp(results[0], results[1], r.embeddings_bytes) != 0);
    frame = device_upload(pixels[0], BYTES);
    out = device_output(r.embeddings_bytes);
    found = oracle_alloc(1, r.embeddings_bytes);
    frames[0] = frame.data;
    input.pixels_memory = ORIEL_MEMORY_DEVICE;
    output = cuda_fixture_output(&r, out.data, ORIEL_MEMORY_DEVICE);
    exec = capture(encoder, &r, &input, &output, stream);
    for (int i = 0; i < 2; i++) {
        MUST(cudaMemcpy(frame.data, pixels[i], BYTES, cudaMemcpyHostToDevice));
        MUST(cudaGraphLaunch(exec, stream));
        cuda_fixture_expect_silence();
        device_download(found, out);
        ck_assert_mem_eq(found, results[i], r.embeddings_bytes);
        free(results[i]);
    }
    MUST(cudaGraphExecDestroy(exec));
    oriel_encoder_destroy(encoder);
    MUST(cudaStreamDestroy(stream));
    device_release(frame);
    device_release(out);
    free(found);
    oriel_plan_destroy(r.plan);
    r.plan = from_grids;
    cuda_fixture_free(&r);
}
END_TEST

/* A refusal spoils neither the capture nor the encoder. */
START_TEST(host_memory_is_refused_in_a_capture)
{
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    oriel_encoder *encoder = cuda_fixture_encoder(&r);
    cudaStream_t stream = cuda_fixture_stream();
    device_buffer out = device_output(r.embeddings_bytes);
    float *host = oracle_alloc(1, r.embeddings_bytes);
    oriel_input from_host = cuda_fixture_host_input(&r),
                input = cuda_fixture_device_input(&r);
    oriel_output to_host = cuda_fixture_output(&r, host, ORIEL_MEMORY_HOST);
    oriel_output output =
        cuda_fixture_output(&r, out.data, ORIEL_MEMORY_DEVICE);
    cudaGraphExec_t exec;
    cudaGraph_t graph;

    MUST(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    cuda_fixture_expect_refusal(encoder, &r, &from_host, &output, stream,
                                ORIEL_ERR_ARGUMENT, "input.pixels_memory");
    cuda_fixture_expect_refusal(encoder, &r, &input, &to_host, stream,
                                ORIEL_ERR_ARGUMENT, "output.results_memory");
    cuda_fixture_encode(encoder, r.plan, &input, &output, stream);
    MUST(cudaStreamEndCapture(stream, &graph));
    MUST(cudaGraphInstantiate(&exec, graph, 0));
    MUST(cudaGraphDestroy(graph));
    MUST(cudaGraphLaunch(exec, stream));
    cuda_fixture_expect(&r, out);
    MUST(cudaGraphExecDestroy(exec));
    oriel_encoder_destroy(encoder);
    MUST(cudaStreamDestroy(stream));
    device_release(out);
    free(host);
    cuda_fixture_free(&r);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_streams");
    TCase *tc = tcase_create("streams");

    tcase_set_timeout(tc, 240);
    tcase_add_loop_test(tc, encoders_on_streams_do_not_meet, 0, 6);
    tcase_add_test(tc, calls_may_pile_up);
    tcase_add_test(tc, destroying_waits);
    tcase_add_test(tc, a_replay_reads_new_pixels);
    tcase_add_test(tc, a_replay_reads_new_frames);
    tcase_add_test(tc, host_memory_is_refused_in_a_capture);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
