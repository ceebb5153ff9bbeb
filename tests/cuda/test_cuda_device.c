/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_device.c - several devices, and memory that is where it should be
 *
 * The stand-in has devices of every architecture, each with memory, prepared
 * kernels and limits of its own.
 */
#include "cuda/cuda_fixture.h"
#include "cuda/staging.h"
#include "sim/control.h"
#include "support/suite.h"

#include "ops.h"

#include <stdlib.h>
#include <string.h>

#define MUST(call) ck_assert_int_eq(call, cudaSuccess)

/* ---- Devices -------------------------------------------------------------- */

START_TEST(the_callers_device_stays_current)
{
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    oriel_encoder *encoder;
    device_buffer out = device_output(r.embeddings_bytes);
    oriel_input input = cuda_fixture_device_input(&r);
    oriel_output output =
        cuda_fixture_output(&r, out.data, ORIEL_MEMORY_DEVICE);
    oriel_device_info info = ORIEL_DEVICE_INFO_INIT;
    cudaStream_t stranger;
    oriel_error err;
    int device;

    sim_devices(2, 13000);
    MUST(cudaSetDevice(1));
    stranger = cuda_fixture_stream();
    encoder = cuda_fixture_encoder(&r);
    MUST(cudaGetDevice(&device));
    ck_assert_int_eq(device, 1);
    cuda_fixture_encode(encoder, r.plan, &input, &output, NULL);
    cuda_fixture_expect_refusal(encoder, &r, &input, &output, stranger,
                                ORIEL_ERR_ARGUMENT,
                                "the stream is of device 1");
    ck_assert_int_eq(fixture_backend()->describe(0, &info, &err), ORIEL_OK);
    oriel_encoder_destroy(encoder);
    MUST(cudaGetDevice(&device));
    ck_assert_int_eq(device, 1);
    cuda_fixture_expect(&r, out);
    MUST(cudaStreamDestroy(stranger));
    MUST(cudaSetDevice(0));
    device_release(out);
    cuda_fixture_free(&r);
}
END_TEST

/* A device that the caller never used gets no context, and his own stays. */
START_TEST(other_devices_are_left_alone)
{
    cuda_fixture r = cuda_fixture_make(cuda_fixture_shallow());
    float *found = oracle_alloc(1, r.embeddings_bytes);
    oriel_input input = cuda_fixture_host_input(&r);
    oriel_output output = cuda_fixture_output(&r, found, ORIEL_MEMORY_HOST);
    oriel_encoder *encoder;
    int device = -1;

    sim_devices(3, 13000);
    MUST(cudaSetDevice(_i));
    sim_forget_contexts();
    encoder = cuda_fixture_encoder_on(&r, 1);
    for (int i = 0; i < 3; i++)
        cuda_fixture_encode(encoder, r.plan, &input, &output, NULL);
    oriel_encoder_destroy(encoder);
    MUST(cudaGetDevice(&device));
    ck_assert_int_eq(device, _i);
    for (int d = 0; d < 3; d++)
        ck_assert_int_eq(sim_has_context(d), d == 1);
    MUST(cudaSetDevice(0));
    cuda_fixture_expect_silence();
    ck_assert_mem_eq(found, r.expected, r.embeddings_bytes);
    free(found);
    cuda_fixture_free(&r);
}
END_TEST

/* The default stream by its names, by graph too; it is of whatever device is
   current. */
START_TEST(the_default_streams_are_streams)
{
    static const cudaStream_t names[] = {NULL, cudaStreamLegacy,
                                         cudaStreamPerThread};
    cuda_fixture r = cuda_fixture_make(cuda_fixture_shallow());
    oriel_encoder *encoder = cuda_fixture_encoder(&r);
    device_buffer out = device_output(r.embeddings_bytes);
    oriel_input input = cuda_fixture_device_input(&r);
    oriel_output output =
        cuda_fixture_output(&r, out.data, ORIEL_MEMORY_DEVICE);

    sim_devices(2, 13000);
    for (int i = 0; i < DIRECT_CALLS + 2; i++) {
        MUST(cudaSetDevice(i % 2));
        MUST(cudaMemsetAsync(out.data, 0xff, out.bytes, names[_i]));
        cuda_fixture_encode(encoder, r.plan, &input, &output, names[_i]);
        cuda_fixture_expect(&r, out);
    }
    MUST(cudaSetDevice(0));
    oriel_encoder_destroy(encoder);
    device_release(out);
    cuda_fixture_free(&r);
}
END_TEST

/* What one encode wants, on a device of its own. */
typedef struct site {
    oriel_encoder *encoder;
    cudaStream_t stream;
    device_buffer pixels, out;
} site;

static site
make_site(const cuda_fixture *r, int32_t device)
{
    site s;

    MUST(cudaSetDevice(device));
    s.stream = cuda_fixture_stream();
    s.pixels = device_upload(r->pixels, r->pixels_bytes);
    s.out = device_output(r->embeddings_bytes);
    MUST(cudaSetDevice(0));
    s.encoder = cuda_fixture_encoder_on(r, device);
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
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    size_t before = sim_device_bytes(), rest;
    oriel_encoder_info info = ORIEL_ENCODER_INFO_INIT;
    site sites[SITES];
    int current;

    sim_interleave((uint64_t)_i + 1);
    sim_devices(2, 13000);
    sim_architecture(1, 86);
    for (int i = 0; i < SITES; i++)
        sites[i] = make_site(&r, devices[i]);
    ck_assert_int_eq(oriel_encoder_get_info(sites[2].encoder, &info, NULL),
                     ORIEL_OK);
    ck_assert_int_eq(info.device_index, 1);
    ck_assert_ptr_nonnull(strstr(info.description, "sm_86"));
    rest = SITES * (ORIEL_CUDA_STAGES * (size_t)ORIEL_CUDA_STAGE_BYTES +
                    fixture_workspace(r.plan, ORIEL_PRECISION_BF16, 1) +
                    r.pixels_bytes + r.embeddings_bytes);
    ck_assert_uint_ge(sim_device_bytes() - before,
                      2 * info.weight_bytes + rest);
    ck_assert_uint_lt(sim_device_bytes() - before,
                      3 * info.weight_bytes + rest);
    for (int turn = 0; turn < 4; turn++) /* direct, recorded, replayed */
        for (int i = 0; i < SITES; i++) {
            oriel_input input = cuda_fixture_host_input(&r);
            oriel_output output =
                cuda_fixture_output(&r, sites[i].out.data, ORIEL_MEMORY_DEVICE);

            if (turn % 2) {
                input.pixels_memory = ORIEL_MEMORY_DEVICE;
                input.pixel_values = sites[i].pixels.data;
            }
            cuda_fixture_encode(sites[i].encoder, r.plan, &input, &output,
                                sites[i].stream);
        }
    MUST(cudaGetDevice(&current));
    ck_assert_int_eq(current, 0);
    for (int i = 0; i < SITES; i++) {
        cuda_fixture_expect(&r, sites[i].out);
        free_site(&sites[i]);
    }
    ck_assert_uint_eq(sim_device_bytes(), before);
    cuda_fixture_free(&r);
}
END_TEST

/* Pointers and streams of another device are told by name. */
START_TEST(what_is_of_another_device_is_refused)
{
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    site here, there;
    oriel_input input = cuda_fixture_device_input(&r), bad_input = input;
    oriel_output output, bad_output;

    sim_devices(2, 13000);
    here = make_site(&r, 0);
    there = make_site(&r, 1);
    output = cuda_fixture_output(&r, here.out.data, ORIEL_MEMORY_DEVICE);
    bad_output = cuda_fixture_output(&r, there.out.data, ORIEL_MEMORY_DEVICE);
    bad_input.pixel_values = there.pixels.data;
    cuda_fixture_expect_refusal(
        here.encoder, &r, &bad_input, &output, here.stream, ORIEL_ERR_ARGUMENT,
        "input.pixel_values is in memory of device 1, expected 0");
    cuda_fixture_expect_refusal(
        here.encoder, &r, &input, &bad_output, here.stream, ORIEL_ERR_ARGUMENT,
        "results[].data is in memory of device 1, expected 0");
    cuda_fixture_expect_refusal(here.encoder, &r, &input, &output, there.stream,
                                ORIEL_ERR_ARGUMENT,
                                "the stream is of device 1, expected 0");
    cuda_fixture_encode(here.encoder, r.plan, &input, &output, here.stream);
    cuda_fixture_expect(&r, here.out);
    free_site(&here);
    free_site(&there);
    cuda_fixture_free(&r);
}
END_TEST

static const int architectures[] = {80, 86, 89, 90, 100, 120};

/* Every kernel finds room on every kind of device, and gives the same there. */
START_TEST(every_kind_of_device_has_room)
{
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    device_buffer out = device_output(r.embeddings_bytes);
    oriel_input input = cuda_fixture_device_input(&r);
    oriel_output output =
        cuda_fixture_output(&r, out.data, ORIEL_MEMORY_DEVICE);
    oriel_encoder *encoder;

    sim_architecture(0, architectures[_i]);
    encoder = cuda_fixture_encoder(&r);
    cuda_fixture_encode(encoder, r.plan, &input, &output, NULL);
    cuda_fixture_expect(&r, out);
    for (int32_t head_dim = 8; head_dim <= 128; head_dim += 8) {
        MUST(oriel_cuda_window_attention_prepare(head_dim, NULL));
        MUST(oriel_cuda_full_attention_prepare(head_dim, NULL));
    }
    oriel_encoder_destroy(encoder);
    device_release(out);
    cuda_fixture_free(&r);
}
END_TEST

/* ---- Memory --------------------------------------------------------------- */

/* Memory that is not where the caller says it is. */
START_TEST(host_pointers_are_not_device_pointers)
{
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    oriel_encoder *encoder = cuda_fixture_encoder(&r);
    device_buffer out = device_output(r.embeddings_bytes);
    void *host = aligned_alloc(64, r.embeddings_bytes + 64);
    void *pixels = aligned_alloc(64, r.pixels_bytes / 64 * 64 + 64);
    oriel_input input = cuda_fixture_device_input(&r), bad_input = input;
    oriel_output output =
        cuda_fixture_output(&r, out.data, ORIEL_MEMORY_DEVICE);
    oriel_output bad_output =
        cuda_fixture_output(&r, host, ORIEL_MEMORY_DEVICE);

    bad_input.pixel_values = pixels;
    cuda_fixture_expect_refusal(encoder, &r, &bad_input, &output, NULL,
                                ORIEL_ERR_ARGUMENT,
                                "input.pixel_values is not in device memory");
    cuda_fixture_expect_refusal(encoder, &r, &input, &bad_output, NULL,
                                ORIEL_ERR_ARGUMENT,
                                "results[].data is not in device memory");
    cuda_fixture_encode(encoder, r.plan, &input, &output, NULL);
    cuda_fixture_expect(&r, out);
    oriel_encoder_destroy(encoder);
    device_release(out);
    free(host);
    free(pixels);
    cuda_fixture_free(&r);
}
END_TEST

/* And the other way round; rows too far apart for CUDA's copies. */
START_TEST(results_of_the_host_are_looked_at)
{
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    oriel_encoder *encoder = cuda_fixture_encoder(&r);
    device_buffer out = device_output(r.embeddings_bytes);
    float *host = oracle_alloc(1, r.embeddings_bytes);
    oriel_input input = cuda_fixture_device_input(&r);
    oriel_output output =
        cuda_fixture_output(&r, out.data, ORIEL_MEMORY_DEVICE);
    oriel_output to_host = cuda_fixture_output(&r, out.data, ORIEL_MEMORY_HOST);
    oriel_result results[2] = {
        embeddings_result(host, r.embeddings_bytes),
        hidden_state_result(1, r.d_pixels.data, r.pixels_bytes)};

    cuda_fixture_expect_refusal(
        encoder, &r, &input, &to_host, NULL, ORIEL_ERR_ARGUMENT,
        "results[].data is in device memory, but output.results_memory");
    to_host = output_of(results, 2, ORIEL_MEMORY_HOST);
    cuda_fixture_expect_refusal(
        encoder, &r, &input, &to_host, NULL, ORIEL_ERR_ARGUMENT,
        "results[].data is in device memory, but output.results_memory");
    to_host.n_results = 1;
    results[0].row_bytes = (size_t)INT32_MAX + 1;
    results[0].bytes = (size_t)r.info.tokens * results[0].row_bytes;
    cuda_fixture_expect_refusal(
        encoder, &r, &input, &to_host, NULL, ORIEL_ERR_ARGUMENT,
        "results[].row_bytes is 2147483648, expected at most");
    cuda_fixture_encode(encoder, r.plan, &input, &output, NULL);
    cuda_fixture_expect(&r, out);
    oriel_encoder_destroy(encoder);
    device_release(out);
    free(host);
    cuda_fixture_free(&r);
}
END_TEST

/* Pinned, so that CUDA itself would copy its one row. */
START_TEST(frames_are_not_too_far_apart)
{
    static const oriel_item item = {20, 1, 1, 24, 16, 0};
    const size_t pitch = (size_t)INT32_MAX + 1;
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
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
    encoder = cuda_fixture_encoder(&r);
    frame = pinned;
    input.frames = &frame;
    input.pitches = &pitch;
    output = cuda_fixture_output(&r, out.data, ORIEL_MEMORY_DEVICE);
    result_at(&output, 0)->bytes = out.bytes;
    cuda_fixture_expect_refusal(
        encoder, &r, &input, &output, NULL, ORIEL_ERR_ARGUMENT,
        "input.pitches[] is 2147483648, expected at most");
    input.pitches = NULL;
    cuda_fixture_encode(encoder, r.plan, &input, &output, NULL);
    cuda_fixture_expect_silence();
    oriel_encoder_destroy(encoder);
    MUST(cudaFreeHost(pinned));
    device_release(out);
    oriel_plan_destroy(r.plan);
    r.plan = from_grids;
    cuda_fixture_free(&r);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_device");
    TCase *tc = tcase_create("devices");

    tcase_set_timeout(tc, 240);
    tcase_add_test(tc, the_callers_device_stays_current);
    tcase_add_loop_test(tc, other_devices_are_left_alone, 0, 3);
    tcase_add_loop_test(tc, the_default_streams_are_streams, 0, 3);
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
