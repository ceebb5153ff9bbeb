/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_busy.c - input.no_wait: a call that would wait is refused instead
 *
 * The stream is held back, so that no slot of the ring becomes free.  A refusal
 * is right only if the same call without no_wait would wait; and one that is
 * accepted must not.
 */
#include "cuda/input_case.h"
#include "sim/control.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

#define MUST(call) ck_assert_int_eq(call, cudaSuccess)
enum { CALLS_MOST = 9 }; /* one more than there are slots */

static void
expect_of(const input_case *random_frames, unsigned char *expected)
{
    oriel_encoder *encoder = cuda_fixture_encoder(&random_frames->r);
    oriel_input input = input_case_input(random_frames, INPUT_DEVICE_VALUES);
    oriel_output output =
        cuda_fixture_output(&random_frames->r, expected, ORIEL_MEMORY_HOST);

    cuda_fixture_encode(encoder, random_frames->r.plan, &input, &output, NULL);
    cuda_fixture_expect_silence();
    oriel_encoder_destroy(encoder);
}

/* Call until it is refused; how often it was not. */
static int
fill(const input_case *random_frames, oriel_encoder *encoder,
     const oriel_input *input, device_buffer *out, cudaStream_t stream)
{
    uint64_t waits = sim_waits();
    oriel_status status = ORIEL_OK;
    oriel_error err;
    int n;

    for (n = 0; n < CALLS_MOST; n++) {
        oriel_output output = cuda_fixture_output(
            &random_frames->r, out[n].data, ORIEL_MEMORY_DEVICE);

        status = oriel_encode(encoder, random_frames->r.plan, input, &output,
                              stream, &err);
        if (status)
            break;
    }
    ck_assert_msg(status == ORIEL_ERR_BUSY, "call %d: %d: %s", n, status,
                  err.message);
    ck_assert_ptr_nonnull(strstr(err.message, "the device lags behind"));
    ck_assert_uint_eq(sim_waits(), waits);
    return n;
}

/* Slots: one for the plan, one for what resamples, one for pageable pixels. */
static const struct {
    int32_t resample;
    input_kind kind;
    int calls;
} ways[] = {
    {ORIEL_RESAMPLE_TORCHVISION, INPUT_DEVICE_VALUES, 8},
    {ORIEL_RESAMPLE_TORCHVISION, INPUT_HOST_VALUES, 4},
    {ORIEL_RESAMPLE_TORCHVISION, INPUT_DEVICE_FRAMES, 4},
    {ORIEL_RESAMPLE_TORCHVISION, INPUT_HOST_FRAMES, 2},
    {ORIEL_RESAMPLE_PILLOW, INPUT_HOST_FRAMES, 2},
    {ORIEL_RESAMPLE_FLOAT, INPUT_HOST_FRAMES, 0}, /* as its widths change */
};

START_TEST(a_call_that_would_wait_is_refused)
{
    input_case random_frames =
        input_case_make(cuda_fixture_shallow(), ways[_i].resample);
    oriel_encoder *encoder = cuda_fixture_encoder(&random_frames.r);
    oriel_input input = input_case_input(&random_frames, ways[_i].kind);
    unsigned char *expected = malloc(random_frames.r.embeddings_bytes);
    unsigned char *found = malloc(random_frames.r.embeddings_bytes);
    device_buffer out[CALLS_MOST];
    cudaStream_t stream = cuda_fixture_stream();
    oriel_output output;
    uint64_t waits;
    int n;

    input_case_fill(&random_frames, 3);
    expect_of(&random_frames, expected);
    for (int i = 0; i < CALLS_MOST; i++)
        out[i] = device_output(random_frames.r.embeddings_bytes);
    input.no_wait = 1;
    sim_hold(stream, 0);
    n = fill(&random_frames, encoder, &input, out, stream);
    ck_assert_int_ge(n, 1);
    if (ways[_i].calls)
        ck_assert_int_eq(n, ways[_i].calls);
    sim_release(stream);
    /* It would have waited: the very same call does. */
    input.no_wait = 0;
    waits = sim_waits();
    output =
        cuda_fixture_output(&random_frames.r, out[n].data, ORIEL_MEMORY_DEVICE);
    cuda_fixture_encode(encoder, random_frames.r.plan, &input, &output, stream);
    ck_assert_uint_gt(sim_waits(), waits);
    cuda_fixture_expect_silence();
    /* And now there is room. */
    input.no_wait = 1;
    cuda_fixture_encode(encoder, random_frames.r.plan, &input, &output, stream);
    cuda_fixture_expect_silence();
    for (int i = 0; i <= n; i++) {
        MUST(cudaMemcpy(found, out[i].data, random_frames.r.embeddings_bytes,
                        cudaMemcpyDeviceToHost));
        ck_assert_mem_eq(found, expected, random_frames.r.embeddings_bytes);
    }
    for (int i = 0; i < CALLS_MOST; i++)
        device_release(out[i]);
    oriel_encoder_destroy(encoder);
    MUST(cudaStreamDestroy(stream));
    free(expected);
    free(found);
    input_case_free(&random_frames);
}
END_TEST

START_TEST(a_refusal_enqueues_nothing)
{
    input_case random_frames =
        input_case_make(cuda_fixture_shallow(), ORIEL_RESAMPLE_TORCHVISION);
    oriel_encoder *encoder = cuda_fixture_encoder(&random_frames.r);
    oriel_input input = input_case_input(&random_frames, INPUT_HOST_FRAMES);
    unsigned char *found = malloc(random_frames.r.embeddings_bytes);
    device_buffer out[CALLS_MOST];
    cudaStream_t stream = cuda_fixture_stream();
    int n;

    for (int i = 0; i < CALLS_MOST; i++)
        out[i] = device_output(random_frames.r.embeddings_bytes);
    input.no_wait = 1;
    sim_hold(stream, 0);
    n = fill(&random_frames, encoder, &input, out, stream);
    MUST(cudaMemsetAsync(out[n].data, 0x5a, random_frames.r.embeddings_bytes,
                         NULL));
    sim_release(stream);
    cuda_fixture_expect_silence();
    MUST(cudaMemcpy(found, out[n].data, random_frames.r.embeddings_bytes,
                    cudaMemcpyDeviceToHost));
    for (size_t i = 0; i < random_frames.r.embeddings_bytes; i++)
        ck_assert_int_eq(found[i], 0x5a);
    for (int i = 0; i < CALLS_MOST; i++)
        device_release(out[i]);
    oriel_encoder_destroy(encoder);
    MUST(cudaStreamDestroy(stream));
    free(found);
    input_case_free(&random_frames);
}
END_TEST

/* Sizes of a frame, and the calls that the ring takes: its own MiB, and two. */
static const struct {
    int32_t width, height;
    int calls;
} large[] = {{1000, 349, 2}, {1000, 350, 2}, {1200, 600, 1}, {1300, 1600, 1}};

START_TEST(slots_are_counted_by_the_mebibyte)
{
    const oriel_item item = {large[_i].width, large[_i].height, 1, 16, 8, 0};
    cuda_fixture r = cuda_fixture_make(cuda_fixture_shallow());
    oriel_plan *own = r.plan;
    unsigned char *memory =
        oracle_alloc(1, (size_t)item.width * (size_t)item.height * 3);
    const void *frame = memory;
    device_buffer out;
    oriel_input input = ORIEL_INPUT_INIT;
    cudaStream_t stream = cuda_fixture_stream();
    oriel_encoder *encoder;
    oriel_output output;
    oriel_error err;
    uint64_t waits;

    MUST(oriel_plan_create(&r.plan, r.m.model, &item, 1, NULL, NULL));
    r.embeddings_bytes = 2 * 24 * sizeof(float);
    out = device_output(r.embeddings_bytes);
    encoder = cuda_fixture_encoder(&r);
    input.frames = &frame;
    input.no_wait = 1;
    output = cuda_fixture_output(&r, out.data, ORIEL_MEMORY_DEVICE);
    sim_hold(stream, 0);
    waits = sim_waits();
    for (int i = 0; i < large[_i].calls; i++)
        cuda_fixture_encode(encoder, r.plan, &input, &output, stream);
    ck_assert_int_eq(
        oriel_encode(encoder, r.plan, &input, &output, stream, &err),
        ORIEL_ERR_BUSY);
    ck_assert_uint_eq(sim_waits(), waits);
    sim_release(stream);
    input.no_wait = 0;
    cuda_fixture_encode(encoder, r.plan, &input, &output, stream);
    ck_assert_uint_gt(sim_waits(), waits);
    cuda_fixture_expect_silence();
    oriel_encoder_destroy(encoder);
    MUST(cudaStreamDestroy(stream));
    device_release(out);
    free(memory);
    oriel_plan_destroy(r.plan);
    r.plan = own;
    cuda_fixture_free(&r);
}
END_TEST

/* What would wait however long one tried. */
START_TEST(what_always_waits_is_refused)
{
    static const oriel_item item = {2400, 1300, 1, 16, 8, 0};
    cuda_fixture r = cuda_fixture_make(cuda_fixture_shallow());
    oriel_plan *own = r.plan;
    oriel_encoder *encoder;
    unsigned char *memory = oracle_alloc(1, (size_t)2400 * 1300 * 3);
    float *host = oracle_alloc(1, r.embeddings_bytes);
    void *pinned;
    const void *frame = memory;
    oriel_input input = cuda_fixture_device_input(&r),
                frames = ORIEL_INPUT_INIT;
    oriel_output output = cuda_fixture_output(&r, host, ORIEL_MEMORY_HOST);
    oriel_tap tap = {
        .hidden_state = 1, .data = memory, .bytes = r.pixels_bytes};

    MUST(cudaMallocHost(&pinned, r.embeddings_bytes));
    encoder = cuda_fixture_encoder(&r);
    input.no_wait = frames.no_wait = 1;
    cuda_fixture_expect_refusal(encoder, &r, &input, &output, NULL,
                                ORIEL_ERR_ARGUMENT,
                                "output.embeddings is in pageable memory");
    output.embeddings = pinned;
    cuda_fixture_encode(encoder, r.plan, &input, &output, NULL);
    cuda_fixture_expect_silence();
    ck_assert_mem_eq(pinned, r.expected, r.embeddings_bytes);
    output.taps = &tap;
    output.n_taps = 1;
    cuda_fixture_expect_refusal(encoder, &r, &input, &output, NULL,
                                ORIEL_ERR_ARGUMENT,
                                "taps[].data is in pageable memory");
    oriel_encoder_destroy(encoder);
    MUST(oriel_plan_create(&r.plan, r.m.model, &item, 1, NULL, NULL));
    encoder = cuda_fixture_encoder(&r);
    frames.frames = &frame;
    output.n_taps = 0;
    output.embeddings_bytes = 2 * 24 * sizeof(float);
    cuda_fixture_expect_refusal(
        encoder, &r, &frames, &output, NULL, ORIEL_ERR_CAPACITY,
        "takes 11 slots of 1048576 bytes, and the encoder has 8");
    oriel_encoder_destroy(encoder);
    MUST(cudaFreeHost(pinned));
    free(memory);
    free(host);
    oriel_plan_destroy(r.plan);
    r.plan = own;
    cuda_fixture_free(&r);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_busy");
    TCase *tc = tcase_create("busy");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, a_call_that_would_wait_is_refused, 0, COUNT(ways));
    tcase_add_test(tc, a_refusal_enqueues_nothing);
    tcase_add_loop_test(tc, slots_are_counted_by_the_mebibyte, 0, COUNT(large));
    tcase_add_test(tc, what_always_waits_is_refused);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
