/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_streams.c - streams, captures and devices around an encode
 *
 * The stand-in runtime runs nothing when it is enqueued and interleaves streams
 * by a seed, so what is overwritten, freed or reused too early shows.
 */
#include "cuda/rig.h"
#include "cuda/steer.h"
#include "support/suite.h"

#include "ops.h"

#include <stdlib.h>
#include <string.h>

#define MUST(call) ck_assert_int_eq(call, cudaSuccess)

static void
encode(oriel_encoder *encoder, const rig *r, const oriel_input *input,
       const oriel_output *output, cudaStream_t stream)
{
    oriel_error err;

    ck_assert_msg(oriel_encode(encoder, r->plan, input, output, stream, &err) ==
                      ORIEL_OK,
                  "%s", err.message);
}

static cudaStream_t
make_stream(void)
{
    cudaStream_t stream;

    MUST(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    return stream;
}

/* ---- Streams -------------------------------------------------------------- */

START_TEST(encoders_on_streams_do_not_meet)
{
    enum { ENCODERS = 3 };
    rig r = rig_make(&fixture_tiny);
    oriel_encoder *encoders[ENCODERS];
    cudaStream_t streams[ENCODERS];
    device_buffer out[ENCODERS];

    steer_interleave((uint64_t)_i + 1);
    for (int i = 0; i < ENCODERS; i++) {
        encoders[i] = rig_encoder(&r);
        streams[i] = make_stream();
        out[i] = device_output(r.embeddings_bytes);
    }
    for (int turn = 0; turn < 2; turn++)
        for (int i = 0; i < ENCODERS; i++) {
            oriel_input input =
                (i + turn) % 2 ? rig_host_input(&r) : rig_device_input(&r);
            oriel_output output =
                rig_output(&r, out[i].data, ORIEL_MEMORY_DEVICE);

            encode(encoders[i], &r, &input, &output, streams[i]);
        }
    for (int i = 0; i < ENCODERS; i++) {
        rig_expect(&r, out[i]);
        oriel_encoder_destroy(encoders[i]);
        MUST(cudaStreamDestroy(streams[i]));
        device_release(out[i]);
    }
    rig_free(&r);
}
END_TEST

/* More calls than the ring has slots, and nobody waits for the device between
   them; each has pixels of its own, changed as soon as the call returns. */
START_TEST(calls_may_pile_up)
{
    enum { CALLS = 12 };
    rig r = rig_make(&fixture_tiny);
    oriel_encoder *encoder = rig_encoder(&r);
    cudaStream_t stream = make_stream();
    device_buffer out[CALLS];
    float *pixels = oracle_alloc(1, r.pixels_bytes);
    oriel_input input = fixture_input(r.plan, pixels);

    for (int i = 0; i < CALLS; i++) {
        oriel_output output;

        out[i] = device_output(r.embeddings_bytes);
        output = rig_output(&r, out[i].data, ORIEL_MEMORY_DEVICE);
        memcpy(pixels, r.pixels, r.pixels_bytes);
        if (i % 2)
            pixels[0] += 1;
        encode(encoder, &r, &input, &output, stream);
        memset(pixels, 0, r.pixels_bytes);
    }
    for (int i = 0; i < CALLS; i += 2)
        rig_expect(&r, out[i]);
    float *odd = oracle_alloc(1, r.embeddings_bytes);
    device_download(odd, out[1]);
    ck_assert(memcmp(odd, r.expected, r.embeddings_bytes) != 0);
    free(odd);
    for (int i = 0; i < CALLS; i++)
        device_release(out[i]);
    oriel_encoder_destroy(encoder);
    MUST(cudaStreamDestroy(stream));
    free(pixels);
    rig_free(&r);
}
END_TEST

/* destroy waits for what its encoder enqueued; workspace and weights go. */
START_TEST(destroying_waits)
{
    rig r = rig_make(&fixture_tiny);
    oriel_encoder *encoder = rig_encoder(&r);
    cudaStream_t stream = make_stream();
    device_buffer out = device_output(r.embeddings_bytes);
    oriel_input input = rig_device_input(&r);
    oriel_output output = rig_output(&r, out.data, ORIEL_MEMORY_DEVICE);

    encode(encoder, &r, &input, &output, stream);
    oriel_encoder_destroy(encoder);
    rig_expect(&r, out);
    MUST(cudaStreamDestroy(stream));
    device_release(out);
    rig_free(&r);
}
END_TEST

/* ---- Captures ------------------------------------------------------------- */

static cudaGraphExec_t
capture(oriel_encoder *encoder, const rig *r, const oriel_input *input,
        const oriel_output *output, cudaStream_t stream)
{
    cudaGraphExec_t exec;
    cudaGraph_t graph;

    MUST(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    encode(encoder, r, input, output, stream);
    MUST(cudaStreamEndCapture(stream, &graph));
    MUST(cudaGraphInstantiate(&exec, graph, 0));
    MUST(cudaGraphDestroy(graph));
    return exec;
}

/* The first encode may be captured, and replays read the pixels anew. */
START_TEST(a_replay_reads_new_pixels)
{
    rig r = rig_make(&fixture_tiny);
    oriel_encoder *encoder = rig_encoder(&r);
    cudaStream_t stream = make_stream();
    device_buffer out = device_output(r.embeddings_bytes);
    oriel_input input = rig_device_input(&r);
    oriel_output output = rig_output(&r, out.data, ORIEL_MEMORY_DEVICE);
    cudaGraphExec_t exec = capture(encoder, &r, &input, &output, stream);
    float *other = oracle_alloc(1, r.pixels_bytes);
    float *found = oracle_alloc(1, r.embeddings_bytes);

    MUST(cudaGraphLaunch(exec, stream));
    rig_expect(&r, out);
    MUST(cudaMemcpy(r.d_pixels.data, other, r.pixels_bytes,
                    cudaMemcpyHostToDevice));
    MUST(cudaGraphLaunch(exec, stream));
    rig_expect_silence();
    device_download(found, out);
    ck_assert(memcmp(found, r.expected, r.embeddings_bytes) != 0);
    MUST(cudaMemcpy(r.d_pixels.data, r.pixels, r.pixels_bytes,
                    cudaMemcpyHostToDevice));
    /* A direct call between replays uses the same workspace and ring. */
    encode(encoder, &r, &input, &output, stream);
    MUST(cudaGraphLaunch(exec, stream));
    rig_expect(&r, out);
    MUST(cudaGraphExecDestroy(exec));
    oriel_encoder_destroy(encoder);
    MUST(cudaStreamDestroy(stream));
    device_release(out);
    free(other);
    free(found);
    rig_free(&r);
}
END_TEST

START_TEST(a_replay_reads_new_frames)
{
    static const oriel_item item = {20, 14, 1, 24, 16, 0};
    enum { BYTES = 20 * 14 * 3 };
    rig r = rig_make(&fixture_tiny);
    oriel_encoder *encoder;
    cudaStream_t stream = make_stream();
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
    encoder = rig_encoder(&r);
    input.frames = frames;
    for (int i = 0; i < 2; i++) {
        for (int b = 0; b < BYTES; b++)
            pixels[i][b] = (unsigned char)random_u64(&random);
        frames[0] = pixels[i];
        results[i] = oracle_alloc(1, r.embeddings_bytes);
        output = rig_output(&r, results[i], ORIEL_MEMORY_HOST);
        encode(encoder, &r, &input, &output, stream);
    }
    ck_assert(memcmp(results[0], results[1], r.embeddings_bytes) != 0);
    frame = device_upload(pixels[0], BYTES);
    out = device_output(r.embeddings_bytes);
    found = oracle_alloc(1, r.embeddings_bytes);
    frames[0] = frame.data;
    input.memory = ORIEL_MEMORY_DEVICE;
    output = rig_output(&r, out.data, ORIEL_MEMORY_DEVICE);
    exec = capture(encoder, &r, &input, &output, stream);
    for (int i = 0; i < 2; i++) {
        MUST(cudaMemcpy(frame.data, pixels[i], BYTES, cudaMemcpyHostToDevice));
        MUST(cudaGraphLaunch(exec, stream));
        rig_expect_silence();
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
    rig_free(&r);
}
END_TEST

static void
expect_refusal(oriel_encoder *encoder, const rig *r, const oriel_input *input,
               const oriel_output *output, cudaStream_t stream,
               oriel_status status, const char *words)
{
    oriel_error err;

    ck_assert_int_eq(
        oriel_encode(encoder, r->plan, input, output, stream, &err), status);
    ck_assert_msg(strstr(err.message, words), "%s", err.message);
}

/* A refusal spoils neither the capture nor the encoder. */
START_TEST(host_memory_is_refused_in_a_capture)
{
    rig r = rig_make(&fixture_tiny);
    oriel_encoder *encoder = rig_encoder(&r);
    cudaStream_t stream = make_stream();
    device_buffer out = device_output(r.embeddings_bytes);
    float *host = oracle_alloc(1, r.embeddings_bytes);
    oriel_input from_host = rig_host_input(&r), input = rig_device_input(&r);
    oriel_output to_host = rig_output(&r, host, ORIEL_MEMORY_HOST);
    oriel_output output = rig_output(&r, out.data, ORIEL_MEMORY_DEVICE);
    cudaGraphExec_t exec;
    cudaGraph_t graph;

    MUST(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    expect_refusal(encoder, &r, &from_host, &output, stream, ORIEL_ERR_ARGUMENT,
                   "input.memory");
    expect_refusal(encoder, &r, &input, &to_host, stream, ORIEL_ERR_ARGUMENT,
                   "output.memory");
    encode(encoder, &r, &input, &output, stream);
    MUST(cudaStreamEndCapture(stream, &graph));
    MUST(cudaGraphInstantiate(&exec, graph, 0));
    MUST(cudaGraphDestroy(graph));
    MUST(cudaGraphLaunch(exec, stream));
    rig_expect(&r, out);
    MUST(cudaGraphExecDestroy(exec));
    oriel_encoder_destroy(encoder);
    MUST(cudaStreamDestroy(stream));
    device_release(out);
    free(host);
    rig_free(&r);
}
END_TEST

/* ---- Devices -------------------------------------------------------------- */

START_TEST(the_callers_device_stays_current)
{
    rig r = rig_make(&fixture_tiny);
    oriel_encoder *encoder;
    device_buffer out = device_output(r.embeddings_bytes);
    oriel_input input = rig_device_input(&r);
    oriel_output output = rig_output(&r, out.data, ORIEL_MEMORY_DEVICE);
    oriel_device_info info = ORIEL_DEVICE_INFO_INIT;
    cudaStream_t stranger;
    oriel_error err;
    int device;

    steer_devices(2, 13000);
    MUST(cudaSetDevice(1));
    stranger = make_stream();
    encoder = rig_encoder(&r);
    MUST(cudaGetDevice(&device));
    ck_assert_int_eq(device, 1);
    encode(encoder, &r, &input, &output, NULL);
    expect_refusal(encoder, &r, &input, &output, stranger, ORIEL_ERR_ARGUMENT,
                   "the stream is of device 1");
    ck_assert_int_eq(fixture_backend()->describe(0, &info, &err), ORIEL_OK);
    oriel_encoder_destroy(encoder);
    MUST(cudaGetDevice(&device));
    ck_assert_int_eq(device, 1);
    rig_expect(&r, out);
    MUST(cudaStreamDestroy(stranger));
    MUST(cudaSetDevice(0));
    device_release(out);
    rig_free(&r);
}
END_TEST

/* What one encode wants, on a device of its own. */
typedef struct site {
    oriel_encoder *encoder;
    cudaStream_t stream;
    device_buffer pixels, out;
} site;

static site
make_site(const rig *r, int32_t device)
{
    site s;

    MUST(cudaSetDevice(device));
    s.stream = make_stream();
    s.pixels = device_upload(r->pixels, r->pixels_bytes);
    s.out = device_output(r->embeddings_bytes);
    MUST(cudaSetDevice(0));
    s.encoder = rig_encoder_on(r, device);
    return s;
}

static void
free_site(site *s)
{
    oriel_encoder_destroy(s->encoder);
    MUST(cudaStreamDestroy(s->stream));
    device_release(s->pixels);
    device_release(s->out);
}

/* Two on one device and one on another, of another kind, all at once: a set of
   weights a device, and the same bytes from all. */
START_TEST(encoders_on_devices_do_not_meet)
{
    enum { SITES = 3 };
    static const int32_t devices[SITES] = {0, 1, 1};
    rig r = rig_make(&fixture_tiny);
    size_t before = steer_device_bytes(), rest;
    oriel_encoder_info info = ORIEL_ENCODER_INFO_INIT;
    site sites[SITES];
    int current;

    steer_interleave((uint64_t)_i + 1);
    steer_devices(2, 13000);
    steer_architecture(1, 86);
    for (int i = 0; i < SITES; i++)
        sites[i] = make_site(&r, devices[i]);
    ck_assert_int_eq(oriel_encoder_get_info(sites[2].encoder, &info, NULL),
                     ORIEL_OK);
    ck_assert_int_eq(info.device_index, 1);
    ck_assert_ptr_nonnull(strstr(info.description, "sm_86"));
    rest = SITES * (fixture_workspace(r.plan, ORIEL_PRECISION_BF16, 1) +
                    r.pixels_bytes + r.embeddings_bytes);
    ck_assert_uint_ge(steer_device_bytes() - before,
                      2 * info.weight_bytes + rest);
    ck_assert_uint_lt(steer_device_bytes() - before,
                      3 * info.weight_bytes + rest);
    for (int turn = 0; turn < 4; turn++) /* direct, recorded, replayed */
        for (int i = 0; i < SITES; i++) {
            oriel_input input = rig_host_input(&r);
            oriel_output output =
                rig_output(&r, sites[i].out.data, ORIEL_MEMORY_DEVICE);

            if (turn % 2) {
                input.memory = ORIEL_MEMORY_DEVICE;
                input.pixel_values = sites[i].pixels.data;
            }
            encode(sites[i].encoder, &r, &input, &output, sites[i].stream);
        }
    MUST(cudaGetDevice(&current));
    ck_assert_int_eq(current, 0);
    for (int i = 0; i < SITES; i++) {
        rig_expect(&r, sites[i].out);
        free_site(&sites[i]);
    }
    ck_assert_uint_eq(steer_device_bytes(), before);
    rig_free(&r);
}
END_TEST

/* Pointers and streams of another device are told by name. */
START_TEST(what_is_of_another_device_is_refused)
{
    rig r = rig_make(&fixture_tiny);
    site here, there;
    oriel_input input = rig_device_input(&r), bad_input = input;
    oriel_output output, bad_output;

    steer_devices(2, 13000);
    here = make_site(&r, 0);
    there = make_site(&r, 1);
    output = rig_output(&r, here.out.data, ORIEL_MEMORY_DEVICE);
    bad_output = rig_output(&r, there.out.data, ORIEL_MEMORY_DEVICE);
    bad_input.pixel_values = there.pixels.data;
    expect_refusal(here.encoder, &r, &bad_input, &output, here.stream,
                   ORIEL_ERR_ARGUMENT,
                   "input.pixel_values is in memory of device 1, expected 0");
    expect_refusal(here.encoder, &r, &input, &bad_output, here.stream,
                   ORIEL_ERR_ARGUMENT,
                   "output.embeddings is in memory of device 1, expected 0");
    expect_refusal(here.encoder, &r, &input, &output, there.stream,
                   ORIEL_ERR_ARGUMENT, "the stream is of device 1, expected 0");
    encode(here.encoder, &r, &input, &output, here.stream);
    rig_expect(&r, here.out);
    free_site(&here);
    free_site(&there);
    rig_free(&r);
}
END_TEST

static const int architectures[] = {80, 86, 89, 90, 100, 120};

/* Every kernel finds room on every kind of device, and gives the same there. */
START_TEST(every_kind_of_device_has_room)
{
    rig r = rig_make(&fixture_tiny);
    device_buffer out = device_output(r.embeddings_bytes);
    oriel_input input = rig_device_input(&r);
    oriel_output output = rig_output(&r, out.data, ORIEL_MEMORY_DEVICE);
    oriel_encoder *encoder;

    steer_architecture(0, architectures[_i]);
    encoder = rig_encoder(&r);
    encode(encoder, &r, &input, &output, NULL);
    rig_expect(&r, out);
    for (int32_t head_dim = 8; head_dim <= 128; head_dim += 8) {
        MUST(oriel_cuda_window_attention_prepare(head_dim));
        MUST(oriel_cuda_full_attention_prepare(head_dim));
    }
    oriel_encoder_destroy(encoder);
    device_release(out);
    rig_free(&r);
}
END_TEST

/* Memory that is not where the caller says it is. */
START_TEST(host_pointers_are_not_device_pointers)
{
    rig r = rig_make(&fixture_tiny);
    oriel_encoder *encoder = rig_encoder(&r);
    device_buffer out = device_output(r.embeddings_bytes);
    void *host = aligned_alloc(64, r.embeddings_bytes + 64);
    void *pixels = aligned_alloc(64, r.pixels_bytes / 64 * 64 + 64);
    oriel_input input = rig_device_input(&r), bad_input = input;
    oriel_output output = rig_output(&r, out.data, ORIEL_MEMORY_DEVICE);
    oriel_output bad_output = rig_output(&r, host, ORIEL_MEMORY_DEVICE);

    bad_input.pixel_values = pixels;
    expect_refusal(encoder, &r, &bad_input, &output, NULL, ORIEL_ERR_ARGUMENT,
                   "input.pixel_values is not in device memory");
    expect_refusal(encoder, &r, &input, &bad_output, NULL, ORIEL_ERR_ARGUMENT,
                   "output.embeddings is not in device memory");
    encode(encoder, &r, &input, &output, NULL);
    rig_expect(&r, out);
    oriel_encoder_destroy(encoder);
    device_release(out);
    free(host);
    free(pixels);
    rig_free(&r);
}
END_TEST

/* And the other way round; rows too far apart for CUDA's copies. */
START_TEST(results_of_the_host_are_looked_at)
{
    rig r = rig_make(&fixture_tiny);
    oriel_encoder *encoder = rig_encoder(&r);
    device_buffer out = device_output(r.embeddings_bytes);
    float *host = oracle_alloc(1, r.embeddings_bytes);
    oriel_input input = rig_device_input(&r);
    oriel_output output = rig_output(&r, out.data, ORIEL_MEMORY_DEVICE);
    oriel_output to_host = rig_output(&r, out.data, ORIEL_MEMORY_HOST);
    oriel_tap tap = {
        .hidden_state = 1, .data = r.d_pixels.data, .bytes = r.pixels_bytes};

    expect_refusal(encoder, &r, &input, &to_host, NULL, ORIEL_ERR_ARGUMENT,
                   "output.embeddings is in device memory, but output.memory");
    to_host.embeddings = host;
    to_host.taps = &tap;
    to_host.n_taps = 1;
    expect_refusal(encoder, &r, &input, &to_host, NULL, ORIEL_ERR_ARGUMENT,
                   "taps[].data is in device memory, but output.memory");
    to_host.n_taps = 0;
    to_host.row_bytes = (size_t)INT32_MAX + 1;
    to_host.embeddings_bytes = (size_t)r.info.tokens * to_host.row_bytes;
    expect_refusal(encoder, &r, &input, &to_host, NULL, ORIEL_ERR_ARGUMENT,
                   "output.row_bytes is 2147483648, expected at most");
    encode(encoder, &r, &input, &output, NULL);
    rig_expect(&r, out);
    oriel_encoder_destroy(encoder);
    device_release(out);
    free(host);
    rig_free(&r);
}
END_TEST

/* Pinned, so that CUDA itself would copy its one row. */
START_TEST(frames_are_not_too_far_apart)
{
    static const oriel_item item = {20, 1, 1, 24, 16, 0};
    const size_t pitch = (size_t)INT32_MAX + 1;
    rig r = rig_make(&fixture_tiny);
    oriel_plan *from_grids = r.plan;
    device_buffer out = device_output(6 * 24 * sizeof(float));
    oriel_input input = ORIEL_INPUT_INIT;
    oriel_encoder *encoder;
    oriel_output output;
    const void *frame;
    void *pinned;

    ck_assert_int_eq(
        oriel_plan_create(&r.plan, r.m.model, &item, 1, NULL, NULL), ORIEL_OK);
    MUST(cudaMallocHost(&pinned, 20 * 3));
    memset(pinned, 7, 20 * 3);
    encoder = rig_encoder(&r);
    frame = pinned;
    input.frames = &frame;
    input.pitches = &pitch;
    output = rig_output(&r, out.data, ORIEL_MEMORY_DEVICE);
    output.embeddings_bytes = out.bytes;
    expect_refusal(encoder, &r, &input, &output, NULL, ORIEL_ERR_ARGUMENT,
                   "input.pitches[] is 2147483648, expected at most");
    input.pitches = NULL;
    encode(encoder, &r, &input, &output, NULL);
    rig_expect_silence();
    oriel_encoder_destroy(encoder);
    MUST(cudaFreeHost(pinned));
    device_release(out);
    oriel_plan_destroy(r.plan);
    r.plan = from_grids;
    rig_free(&r);
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
    tcase_add_test(tc, the_callers_device_stays_current);
    tcase_add_loop_test(tc, encoders_on_devices_do_not_meet, 0, 3);
    tcase_add_test(tc, what_is_of_another_device_is_refused);
    tcase_add_loop_test(tc, every_kind_of_device_has_room, 0,
                        COUNT(architectures));
    tcase_add_test(tc, host_pointers_are_not_device_pointers);
    tcase_add_test(tc, results_of_the_host_are_looked_at);
    tcase_add_test(tc, frames_are_not_too_far_apart);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
