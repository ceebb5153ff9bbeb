/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_pointers.c - what CUDA is asked of the caller's memory, and how often
 */
#include "cuda/cuda_fixture.h"
#include "sim/control.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

#define MUST(call) ck_assert_int_eq(call, cudaSuccess)

enum { PAGE = 4096 };

/* Queries of one encode that succeeds. */
static uint64_t
queries_of(oriel_encoder *encoder, const oriel_plan *plan,
           const oriel_input *input, const oriel_output *output)
{
    uint64_t before = sim_pointer_queries();

    cuda_fixture_encode(encoder, plan, input, output, NULL);
    return sim_pointer_queries() - before;
}

/* Once for each allocation, however many pointers of a call lie in it; and anew in
   the next call, since its owner may have freed it. */
START_TEST(an_allocation_is_asked_for_once)
{
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    oriel_encoder *encoder = cuda_fixture_encoder(&r);
    size_t state_bytes =
        (size_t)r.info.patches * (size_t)fixture_tiny.hidden_size * 4;
    size_t at = (r.embeddings_bytes + 255) / 256 * 256;
    device_buffer out = device_output(at + state_bytes);
    oriel_input input = cuda_fixture_device_input(&r);
    oriel_result results[2] = {embeddings_result(out.data, r.embeddings_bytes),
                               {.kind = ORIEL_RESULT_HIDDEN_STATE,
                                .index = 1,
                                .dtype = ORIEL_DTYPE_F32,
                                .data = (char *)out.data + at,
                                .bytes = state_bytes}};
    oriel_output output = output_of(results, 2, ORIEL_MEMORY_DEVICE);

    /* Pixels, both results, the workspace. */
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(queries_of(encoder, r.plan, &input, &output), 3);
    oriel_encoder_destroy(encoder);
    device_release(out);
    cuda_fixture_free(&r);
}
END_TEST

/* Six frames: in one pinned block they are asked for once, in pageable memory each
   of them once. */
START_TEST(frames_are_asked_for_once)
{
    enum { FRAMES = 6, SIDE = 60, BYTES = SIDE * SIDE * 3 };
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    oriel_encoder *encoder = cuda_fixture_encoder(&r);
    oriel_item item = {SIDE, SIDE, FRAMES, 0, 0, 0};
    oriel_plan *plan;
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    const void *frames[FRAMES];
    oriel_input input = ORIEL_INPUT_INIT;
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
    size_t scratch;
    void *pinned;
    char *pageable = calloc(FRAMES, BYTES);

    ck_assert_int_eq(oriel_plan_create(&plan, r.m.model, &item, 1, NULL, NULL),
                     ORIEL_OK);
    ck_assert_int_eq(oriel_plan_get_info(plan, &info, NULL), ORIEL_OK);
    options.device = ORIEL_DEVICE_CUDA;
    ck_assert_int_eq(oriel_plan_workspace_bytes(plan, &options, &scratch, NULL),
                     ORIEL_OK);
    ck_assert_int_eq(oriel_encoder_reserve(encoder, scratch, NULL), ORIEL_OK);
    size_t bytes = (size_t)info.tokens * (size_t)fixture_tiny.out_hidden_size *
                   sizeof(float);
    device_buffer out = device_output(bytes);
    oriel_result result = embeddings_result(out.data, bytes);
    oriel_output output = output_of(&result, 1, ORIEL_MEMORY_DEVICE);

    MUST(cudaMallocHost(&pinned, (size_t)FRAMES * BYTES));
    memset(pinned, 0, (size_t)FRAMES * BYTES);
    input.frames = frames;
    for (int f = 0; f < FRAMES; f++)
        frames[f] = (char *)pinned + (size_t)f * BYTES;
    ck_assert_uint_eq(queries_of(encoder, plan, &input, &output), 3);
    for (int f = 0; f < FRAMES; f++)
        frames[f] = pageable + (size_t)f * BYTES;
    ck_assert_uint_eq(queries_of(encoder, plan, &input, &output), FRAMES + 2);
    /* Some of either: the pinned ones together, the others each. */
    for (int f = 0; f < FRAMES; f += 2)
        frames[f] = (char *)pinned + (size_t)f * BYTES;
    ck_assert_uint_eq(queries_of(encoder, plan, &input, &output),
                      1 + FRAMES / 2 + 2);
    cuda_fixture_expect_silence();
    MUST(cudaFreeHost(pinned));
    free(pageable);
    oriel_plan_destroy(plan);
    oriel_encoder_destroy(encoder);
    device_release(out);
    cuda_fixture_free(&r);
}
END_TEST

/* Both ends are pinned and what lies between is not: the device may not read it
   in its own time. */
START_TEST(pinned_is_one_registration)
{
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    oriel_encoder *encoder = cuda_fixture_encoder(&r);
    size_t pages = (r.pixels_bytes + PAGE - 1) / PAGE;
    char *memory = aligned_alloc(PAGE, pages * PAGE);
    device_buffer out = device_output(r.embeddings_bytes);
    oriel_input input = cuda_fixture_host_input(&r);
    oriel_output output =
        cuda_fixture_output(&r, out.data, ORIEL_MEMORY_DEVICE);

    ck_assert_uint_gt(pages, 2);
    memcpy(memory, r.pixels, r.pixels_bytes);
    MUST(cudaHostRegister(memory, PAGE, 0));
    MUST(cudaHostRegister(memory + (pages - 1) * PAGE, PAGE, 0));
    input.pixel_values = memory;

    input.no_wait = 1;
    cuda_fixture_expect_refusal(encoder, &r, &input, &output, NULL,
                                ORIEL_ERR_ARGUMENT,
                                "input.pixel_values is in pageable memory");
    input.no_wait = 0;
    cuda_fixture_encode(encoder, r.plan, &input, &output, NULL);
    memset(memory, 0x7f, pages * PAGE); /* it is ours again */
    cuda_fixture_expect(&r, out);

    /* All of it in one: it may. */
    MUST(cudaHostUnregister(memory));
    MUST(cudaHostUnregister(memory + (pages - 1) * PAGE));
    MUST(cudaHostRegister(memory, pages * PAGE, 0));
    memcpy(memory, r.pixels, r.pixels_bytes);
    input.no_wait = 1;
    cuda_fixture_encode(encoder, r.plan, &input, &output, NULL);
    cuda_fixture_expect(&r, out);
    MUST(cudaHostUnregister(memory));
    oriel_encoder_destroy(encoder);
    device_release(out);
    free(memory);
    cuda_fixture_free(&r);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_pointers");
    TCase *tc = tcase_create("memory");

    tcase_set_timeout(tc, 240);
    tcase_add_test(tc, an_allocation_is_asked_for_once);
    tcase_add_test(tc, frames_are_asked_for_once);
    tcase_add_test(tc, pinned_is_one_registration);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
