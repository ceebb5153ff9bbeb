/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_staging.c - pageable pixels of a call go beside the kernels of others
 */
#include "cuda/cuda_fixture.h"
#include "cuda/staging.h"
#include "sim/control.h"
#include "support/random.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

#define MUST(call) ck_assert_int_eq(call, cudaSuccess)

/* 8.9 MiB, more than all slots of the ring, that become 8 patches. */
enum { WIDTH = 2400, HEIGHT = 1300, BYTES = WIDTH * HEIGHT * 3, PATCHES = 8 };
enum { CALLS = 3, EMBEDDINGS_BYTES = 2 * 24 * sizeof(float) };

typedef struct case_of_frames {
    cuda_fixture r;
    oriel_plan *plan;
    unsigned char *frame; /* pageable */
    cudaStream_t stream;
    oriel_encoder *encoder;
} case_of_frames;

static case_of_frames
make_case(void)
{
    static const oriel_item item = {WIDTH, HEIGHT, 1, 16, 8, 0};
    case_of_frames c = {.r = cuda_fixture_make(cuda_fixture_shallow()),
                        .frame = malloc(BYTES),
                        .stream = cuda_fixture_stream()};
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
    size_t scratch;

    ck_assert_ptr_nonnull(c.frame);
    ck_assert_int_eq(
        oriel_plan_create(&c.plan, c.r.m.model, &item, 1, NULL, NULL),
        ORIEL_OK);
    options.device = ORIEL_DEVICE_CUDA;
    ck_assert_int_eq(
        oriel_plan_workspace_bytes(c.plan, &options, &scratch, NULL), ORIEL_OK);
    c.encoder = cuda_fixture_encoder(&c.r);
    ck_assert_int_eq(oriel_encoder_reserve(c.encoder, scratch, NULL), ORIEL_OK);
    return c;
}

static void
free_case(case_of_frames *c)
{
    oriel_encoder_destroy(c->encoder);
    MUST(cudaStreamDestroy(c->stream));
    oriel_plan_destroy(c->plan);
    free(c->frame);
    cuda_fixture_free(&c->r);
}

/* Pixels of the nth call. */
static void
draw(case_of_frames *c, int call)
{
    random_stream random = {(uint64_t)call + 1};

    for (size_t i = 0; i < BYTES; i++)
        c->frame[i] = (unsigned char)random_u64(&random);
}

static void
encode(case_of_frames *c, device_buffer out)
{
    const void *frames[1] = {c->frame};
    oriel_input input = ORIEL_INPUT_INIT;
    oriel_result result = embeddings_result(out.data, EMBEDDINGS_BYTES);
    oriel_output output = output_of(&result, 1, ORIEL_MEMORY_DEVICE);

    input.frames = frames;
    cuda_fixture_encode(c->encoder, c->plan, &input, &output, c->stream);
}

/* What the reference's pixels give: by the host's preprocessing, as values. */
static void
expect(case_of_frames *c, int call, device_buffer out)
{
    const void *frames[1] = {c->frame};
    size_t bytes = (size_t)PATCHES * 96 * sizeof(float);
    float *pixels = malloc(bytes), *found = malloc(EMBEDDINGS_BYTES);
    float *wanted = malloc(EMBEDDINGS_BYTES);
    oriel_input input = ORIEL_INPUT_INIT;
    oriel_result result = embeddings_result(wanted, EMBEDDINGS_BYTES);
    oriel_output output = output_of(&result, 1, ORIEL_MEMORY_HOST);

    draw(c, call);
    input.frames = frames;
    ck_assert_int_eq(oriel_preprocess(c->plan, &input, pixels, bytes, NULL),
                     ORIEL_OK);
    input.frames = NULL;
    input.pixel_values = pixels;
    input.pixel_values_bytes = bytes;
    cuda_fixture_encode(c->encoder, c->plan, &input, &output, c->stream);
    device_download(found, out);
    ck_assert_mem_eq(found, wanted, EMBEDDINGS_BYTES);
    free(pixels);
    free(found);
    free(wanted);
}

/* The caller's stream stands still, and two calls take all their pixels. */
START_TEST(pixels_do_not_wait_for_kernels)
{
    case_of_frames c = make_case();
    device_buffer out[2];

    sim_interleave((uint64_t)_i + 1);
    for (int i = 0; i < 2; i++)
        out[i] = device_output(EMBEDDINGS_BYTES);
    sim_hold(c.stream, 0);
    for (int i = 0; i < 2; i++) {
        draw(&c, i);
        encode(&c, out[i]);
        memset(c.frame, 0, BYTES); /* it is ours again */
    }
    sim_release(c.stream);
    for (int i = 0; i < 2; i++) {
        expect(&c, i, out[i]);
        device_release(out[i]);
    }
    free_case(&c);
}
END_TEST

/* A buffer is not filled again before its pixels were read, whichever stream goes
   first. */
START_TEST(a_buffer_is_read_before_it_is_filled)
{
    case_of_frames c = make_case();
    device_buffer out[CALLS + 1];

    sim_interleave((uint64_t)_i + 1);
    for (int i = 0; i <= CALLS; i++) {
        out[i] = device_output(EMBEDDINGS_BYTES);
        draw(&c, i);
        encode(&c, out[i]);
    }
    for (int i = 0; i <= CALLS; i++) {
        expect(&c, i, out[i]);
        device_release(out[i]);
    }
    free_case(&c);
}
END_TEST

/* More than a buffer holds goes by the caller's stream, as it did before. */
START_TEST(what_does_not_fit_goes_in_stream_order)
{
    enum { TALL = 2 * HEIGHT, FRAMES = 1 };
    static const oriel_item item = {WIDTH, TALL, FRAMES, 8, 16, 0};
    case_of_frames c = make_case();
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
    device_buffer out = device_output(EMBEDDINGS_BYTES);
    size_t scratch;

    ck_assert_int_gt(WIDTH * TALL * 3, ORIEL_CUDA_STAGE_BYTES);
    oriel_plan_destroy(c.plan);
    free(c.frame);
    c.frame = malloc((size_t)WIDTH * TALL * 3);
    memset(c.frame, 7, (size_t)WIDTH * TALL * 3);
    ck_assert_int_eq(
        oriel_plan_create(&c.plan, c.r.m.model, &item, 1, NULL, NULL),
        ORIEL_OK);
    options.device = ORIEL_DEVICE_CUDA;
    ck_assert_int_eq(
        oriel_plan_workspace_bytes(c.plan, &options, &scratch, NULL), ORIEL_OK);
    ck_assert_int_eq(oriel_encoder_reserve(c.encoder, scratch, NULL), ORIEL_OK);
    draw(&c, 0); /* its first half */
    encode(&c, out);
    expect(&c, 0, out);
    device_release(out);
    free_case(&c);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_staging");
    TCase *tc = tcase_create("pageable pixels");

    tcase_set_timeout(tc, 240);
    tcase_add_loop_test(tc, pixels_do_not_wait_for_kernels, 0, 2);
    tcase_add_loop_test(tc, a_buffer_is_read_before_it_is_filled, 0, 3);
    tcase_add_test(tc, what_does_not_fit_goes_in_stream_order);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
