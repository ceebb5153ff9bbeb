/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_frames.c - pixels of the host on their way, and what a call costs
 *
 * The stand-in runtime copies pinned memory when the stream gets there, and
 * counts waits and allocations.
 */
#include "cuda/input_case.h"
#include "sim/control.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

#define MUST(call) ck_assert_int_eq(call, cudaSuccess)

/* What an encoder of its own makes of pixel_values on the device. */
static unsigned char *
expect_of(const input_case *random_frames)
{
    oriel_encoder *encoder =
        cuda_fixture_encoder_with(&random_frames->r, ORIEL_GRAPHS_OFF);
    unsigned char *bytes = oracle_alloc(1, random_frames->r.embeddings_bytes);
    oriel_input input = input_case_input(random_frames, INPUT_DEVICE_VALUES);
    oriel_output output =
        cuda_fixture_output(&random_frames->r, bytes, ORIEL_MEMORY_HOST);

    cuda_fixture_encode(encoder, random_frames->r.plan, &input, &output, NULL);
    oriel_encoder_destroy(encoder);
    return bytes;
}

static bool
holds(device_buffer out, const unsigned char *bytes)
{
    unsigned char *found = malloc(out.bytes);
    bool same;

    cuda_fixture_expect_silence();
    device_download(found, out);
    same = memcmp(found, bytes, out.bytes) == 0;
    free(found);
    return same;
}

/* ---- Pageable memory ------------------------------------------------------ */

static const int32_t flavours[] = {
    ORIEL_RESAMPLE_TORCHVISION, ORIEL_RESAMPLE_PILLOW, ORIEL_RESAMPLE_PILLOW12,
    ORIEL_RESAMPLE_FLOAT};

/* It has been read when the call returns: then it is overwritten, call after
   call, and no wait for the device between them. */
START_TEST(pageable_memory_is_free_at_once)
{
    enum { CALLS = 12 };
    input_case random_frames =
        input_case_make(cuda_fixture_shallow(), flavours[_i % 4]);
    input_kind kind = _i / 4 ? INPUT_HOST_VALUES : INPUT_HOST_FRAMES;
    oriel_encoder *encoder = cuda_fixture_encoder(&random_frames.r);
    unsigned char *expected[2];
    device_buffer out[CALLS];
    oriel_input input = input_case_input(&random_frames, kind);

    for (int i = 0; i < 2; i++) {
        input_case_fill(&random_frames, (uint64_t)i);
        expected[i] = expect_of(&random_frames);
    }
    for (int i = 0; i < CALLS; i++)
        out[i] = device_output(random_frames.r.embeddings_bytes);
    for (int i = 0; i < CALLS; i++) {
        oriel_output output = cuda_fixture_output(&random_frames.r, out[i].data,
                                                  ORIEL_MEMORY_DEVICE);
        random_stream random = {(uint64_t)i % 2};
        size_t bytes = (size_t)((unsigned char *)random_frames.host[1] -
                                random_frames.memory);

        /* As input_case_fill, but that waits. */
        for (size_t b = 0; b < bytes * INPUT_CASE_FRAMES; b++)
            random_frames.memory[b] = (unsigned char)random_u64(&random);
        input.pixels_memory = ORIEL_MEMORY_HOST;
        if (kind == INPUT_HOST_VALUES) {
            oriel_input frames =
                input_case_input(&random_frames, INPUT_HOST_FRAMES);

            MUST(oriel_preprocess(random_frames.r.plan, &frames,
                                  random_frames.values,
                                  random_frames.values_bytes, NULL));
        }
        cuda_fixture_encode(encoder, random_frames.r.plan, &input, &output,
                            NULL);
        memset(random_frames.memory, 0x55, bytes * INPUT_CASE_FRAMES);
        memset(random_frames.values, 0x55, random_frames.values_bytes);
    }
    for (int i = 0; i < CALLS; i++) {
        ck_assert_msg(holds(out[i], expected[i % 2]), "call %d differs", i);
        device_release(out[i]);
    }
    free(expected[0]);
    free(expected[1]);
    oriel_encoder_destroy(encoder);
    input_case_free(&random_frames);
}
END_TEST

/* ---- Pinned memory -------------------------------------------------------- */

/* Copied from where it lies, in stream order: what is there by then counts. */
START_TEST(pinned_memory_is_read_in_stream_order)
{
    input_case random_frames =
        input_case_make(cuda_fixture_shallow(), ORIEL_RESAMPLE_TORCHVISION);
    oriel_encoder *encoder = cuda_fixture_encoder(&random_frames.r);
    size_t frames_bytes = random_frames.d_memory.bytes;
    unsigned char *pinned, *expected[2];
    const void *frames[INPUT_CASE_FRAMES];
    float *values;
    void *memory[2];
    device_buffer out = device_output(random_frames.r.embeddings_bytes);
    oriel_output output =
        cuda_fixture_output(&random_frames.r, out.data, ORIEL_MEMORY_DEVICE);

    MUST(cudaMallocHost(&memory[0], frames_bytes));
    MUST(cudaMallocHost(&memory[1], random_frames.values_bytes));
    pinned = memory[0];
    values = memory[1];
    for (int f = 0; f < INPUT_CASE_FRAMES; f++)
        frames[f] = pinned + ((const unsigned char *)random_frames.host[f] -
                              random_frames.memory);
    for (int i = 0; i < 2; i++) {
        input_case_fill(&random_frames, (uint64_t)i);
        expected[i] = expect_of(&random_frames);
    }
    for (int change = 0; change < 2; change++)
        for (int kind = 0; kind < 2; kind++) {
            oriel_input input = input_case_input(
                &random_frames, kind ? INPUT_HOST_VALUES : INPUT_HOST_FRAMES);

            if (kind)
                input.pixel_values = values;
            else
                input.frames = frames;
            input_case_fill(&random_frames, 0);
            memcpy(pinned, random_frames.memory, frames_bytes);
            memcpy(values, random_frames.values, random_frames.values_bytes);
            cuda_fixture_encode(encoder, random_frames.r.plan, &input, &output,
                                NULL);
            if (change) {
                unsigned char *other = malloc(frames_bytes);

                random_stream random = {1};
                for (size_t b = 0; b < frames_bytes; b++)
                    other[b] = (unsigned char)random_u64(&random);
                memcpy(pinned, other, frames_bytes);
                free(other);
                memset(values, 0, random_frames.values_bytes);
            }
            ck_assert(holds(out, expected[0]) == !change);
            if (change && !kind)
                ck_assert(holds(out, expected[1]));
        }
    MUST(cudaFreeHost(pinned));
    MUST(cudaFreeHost(values));
    free(expected[0]);
    free(expected[1]);
    oriel_encoder_destroy(encoder);
    device_release(out);
    input_case_free(&random_frames);
}
END_TEST

/* Some frames pinned, some pageable, and one that is pinned only where it
   begins: that one is copied at the call. */
START_TEST(frames_of_both_kinds)
{
    input_case random_frames =
        input_case_make(cuda_fixture_shallow(), ORIEL_RESAMPLE_TORCHVISION);
    oriel_encoder *encoder = cuda_fixture_encoder(&random_frames.r);
    unsigned char *expected = expect_of(&random_frames);
    size_t each = random_frames.d_memory.bytes / INPUT_CASE_FRAMES;
    void *pinned[2];
    const void *frames[INPUT_CASE_FRAMES];
    device_buffer out = device_output(random_frames.r.embeddings_bytes);
    oriel_input input = input_case_input(&random_frames, INPUT_HOST_FRAMES);
    oriel_output output =
        cuda_fixture_output(&random_frames.r, out.data, ORIEL_MEMORY_DEVICE);

    MUST(cudaMallocHost(&pinned[0], each));
    /* The stand-in hands out whole pages, of which so much is pinned. */
    MUST(cudaMallocHost(&pinned[1], 100));
    memcpy(frames, random_frames.host, sizeof(frames));
    for (int i = 0; i < 2; i++) {
        int f = _i ? 1 + 2 * i : 2 * i;

        memcpy(pinned[i], random_frames.host[f], each);
        frames[f] = pinned[i];
    }
    input.frames = frames;
    cuda_fixture_encode(encoder, random_frames.r.plan, &input, &output, NULL);
    memset(pinned[1], 0, each);
    memset(random_frames.memory, 0, random_frames.d_memory.bytes);
    ck_assert(holds(out, expected));
    MUST(cudaFreeHost(pinned[0]));
    MUST(cudaFreeHost(pinned[1]));
    free(expected);
    oriel_encoder_destroy(encoder);
    device_release(out);
    input_case_free(&random_frames);
}
END_TEST

/* ---- Limits and refusals -------------------------------------------------- */

/* More pixels than all slots hold: the call waits for its own copies. */
START_TEST(frames_larger_than_the_ring)
{
    enum { WIDTH = 2400, HEIGHT = 1300, FRAMES = 2 };
    static const oriel_item item = {WIDTH, HEIGHT, FRAMES, 16, 8, 0};
    cuda_fixture r = cuda_fixture_make(cuda_fixture_shallow());
    oriel_plan *own = r.plan;
    size_t each = (size_t)WIDTH * HEIGHT * 3;
    unsigned char *memory = oracle_alloc(FRAMES, each);
    const void *frames[FRAMES] = {memory, memory + each};
    random_stream random = {8};
    oriel_input input = ORIEL_INPUT_INIT, values = ORIEL_INPUT_INIT;
    oriel_output output;
    float *pixels = oracle_alloc(8, 96 * sizeof(float));
    unsigned char *expected, *found;
    oriel_encoder *encoder;

    for (size_t i = 0; i < FRAMES * each; i++)
        memory[i] = (unsigned char)random_u64(&random);
    ck_assert_int_eq(
        oriel_plan_create(&r.plan, r.m.model, &item, 1, NULL, NULL), ORIEL_OK);
    r.embeddings_bytes = 2 * 24 * sizeof(float);
    expected = oracle_alloc(1, r.embeddings_bytes);
    found = oracle_alloc(1, r.embeddings_bytes);
    input.frames = frames;
    values.pixel_values = pixels;
    values.pixel_values_bytes = 8 * 96 * sizeof(float);
    ck_assert_int_eq(oriel_preprocess(r.plan, &input, pixels,
                                      values.pixel_values_bytes, NULL),
                     ORIEL_OK);
    encoder = cuda_fixture_encoder(&r);
    output = cuda_fixture_output(&r, expected, ORIEL_MEMORY_HOST);
    cuda_fixture_encode(encoder, r.plan, &values, &output, NULL);
    output = cuda_fixture_output(&r, found, ORIEL_MEMORY_HOST);
    cuda_fixture_encode(encoder, r.plan, &input, &output, NULL);
    cuda_fixture_expect_silence();
    ck_assert_mem_eq(found, expected, r.embeddings_bytes);
    oriel_encoder_destroy(encoder);
    free(memory);
    free(pixels);
    free(expected);
    free(found);
    oriel_plan_destroy(r.plan);
    r.plan = own;
    cuda_fixture_free(&r);
}
END_TEST

START_TEST(device_pointers_are_not_host_pointers)
{
    input_case random_frames =
        input_case_make(cuda_fixture_shallow(), flavours[_i]);
    oriel_encoder *encoder = cuda_fixture_encoder(&random_frames.r);
    device_buffer out = device_output(random_frames.r.embeddings_bytes);
    oriel_output output =
        cuda_fixture_output(&random_frames.r, out.data, ORIEL_MEMORY_DEVICE);
    static const input_kind kinds[] = {INPUT_DEVICE_FRAMES,
                                       INPUT_DEVICE_VALUES};
    static const char *const names[] = {"input.frames[]", "input.pixel_values"};

    for (size_t i = 0; i < COUNT(kinds); i++) {
        oriel_input input = input_case_input(&random_frames, kinds[i]);
        oriel_error err;

        input.pixels_memory = ORIEL_MEMORY_HOST;
        ck_assert_int_eq(oriel_encode(encoder, random_frames.r.plan, &input,
                                      &output, NULL, &err),
                         ORIEL_ERR_ARGUMENT);
        ck_assert_msg(strstr(err.message, names[i]) == err.message, "%s",
                      err.message);
        ck_assert_msg(strstr(err.message, "is in device memory"), "%s",
                      err.message);
    }
    oriel_encoder_destroy(encoder);
    device_release(out);
    input_case_free(&random_frames);
}
END_TEST

/* ---- What a call costs ---------------------------------------------------- */

static int64_t lent;

static void *
lend(void *user, size_t bytes, size_t alignment)
{
    (void)user;
    lent++;
    return aligned_alloc(alignment,
                         (bytes + alignment) / alignment * alignment);
}

static void
take_back(void *user, void *memory)
{
    (void)user;
    free(memory);
}

/* Once a shape is known, no kind of input allocates or waits, directly or by a
   graph; nor does the first call but for host memory to resample frames. */
START_TEST(calls_neither_allocate_nor_wait)
{
    input_case random_frames =
        input_case_make(cuda_fixture_shallow(), flavours[_i % 4]);
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_encoder *encoder;
    device_buffer out = device_output(random_frames.r.embeddings_bytes);
    oriel_output output =
        cuda_fixture_output(&random_frames.r, out.data, ORIEL_MEMORY_DEVICE);
    uint64_t allocations, waits;
    oriel_error err;

    hooks.alloc = lend;
    hooks.free = take_back;
    encoder = cuda_fixture_try_encoder(&random_frames.r, &hooks, &err);
    ck_assert_ptr_nonnull(encoder);
    allocations = sim_allocations();
    waits = sim_waits();
    lent = 0;
    for (int i = 0; i < 4 * INPUT_KINDS; i++) {
        input_kind kind = (input_kind)(i % INPUT_KINDS);
        oriel_input input = input_case_input(&random_frames, kind);

        if (kind == INPUT_DEVICE_FRAMES &&
            flavours[_i % 4] == ORIEL_RESAMPLE_FLOAT)
            continue; /* not taken */
        cuda_fixture_encode(encoder, random_frames.r.plan, &input, &output,
                            NULL);
        /* The first frames ask for host memory, which is kept. */
        ck_assert_int_eq(lent, 1);
        ck_assert_uint_eq(sim_allocations(), allocations);
        ck_assert_uint_eq(sim_waits(), waits);
        cuda_fixture_expect_silence();
        waits = sim_waits(); /* that was us */
    }
    oriel_encoder_destroy(encoder);
    device_release(out);
    input_case_free(&random_frames);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_frames");
    TCase *tc = tcase_create("pixels");

    tcase_set_timeout(tc, 240);
    tcase_add_loop_test(tc, pageable_memory_is_free_at_once, 0, 5);
    tcase_add_test(tc, pinned_memory_is_read_in_stream_order);
    tcase_add_loop_test(tc, frames_of_both_kinds, 0, 2);
    tcase_add_test(tc, frames_larger_than_the_ring);
    tcase_add_loop_test(tc, device_pointers_are_not_host_pointers, 0, 4);
    tcase_add_loop_test(tc, calls_neither_allocate_nor_wait, 0, 4);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
