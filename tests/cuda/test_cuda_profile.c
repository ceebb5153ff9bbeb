/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_profile.c - options.profile on the device, and the progress of loading
 *
 * Times are the simulated runtime's clock: they say what was measured, not how fast
 * a GPU is.
 */
#include "cuda/cuda_fixture.h"
#include "cuda/profile.h"
#include "encode/encoder.h"
#include "sim/control.h"
#include "support/hook_log.h"
#include "support/suite.h"

#include <string.h>

#define MUST(call) ck_assert_int_eq(call, cudaSuccess)

typedef struct scene {
    cuda_fixture r;
    hook_log log;
    oriel_encoder *encoder;
    oriel_input input;
    device_buffer out;
    oriel_result results[2];
    oriel_output output;
} scene;

/* An encoder of 'network' with the option, and embeddings on the device. */
static void
make_scene(scene *s, const oriel_network *network, int32_t profile)
{
    oriel_backend_config config = {.precision = ORIEL_PRECISION_BF16,
                                   .threads = 1,
                                   .kernels = fixture_kernels,
                                   .residual = fixture_residual,
                                   .attention = fixture_attention,
                                   .profile = profile};
    oriel_hooks hooks = hook_log_hooks(&s->log);
    oriel_error err;

    s->r = cuda_fixture_make(network);
    ck_assert_msg(!oriel_encoder_create_on(
                      &s->encoder, s->r.m.model, fixture_backend(),
                      ORIEL_DEVICE_CUDA, &config, &hooks,
                      fixture_workspace(s->r.plan, ORIEL_PRECISION_BF16, 1),
                      &err),
                  "%s", err.message);
    s->input = cuda_fixture_device_input(&s->r);
    s->out = device_output(s->r.embeddings_bytes);
    s->results[0] = embeddings_result(s->out.data, s->r.embeddings_bytes);
    s->output = output_of(s->results, 1, ORIEL_MEMORY_DEVICE);
}

static void
free_scene(scene *s)
{
    cuda_fixture_expect_silence();
    oriel_encoder_destroy(s->encoder);
    device_release(s->out);
    cuda_fixture_free(&s->r);
}

/* Of pixel_values on the device START has little to do, PATCHIFY nothing. */
static const struct {
    const char *name;
    bool may_be_zero;
} steps[] = {
    {"START", true},    {"PATCHIFY", true}, {"EMBED", false},
    {"ATTN_IN", false}, {"ATTEND", false},  {"ATTN_OUT", false},
    {"MLP_IN", false},  {"MLP_OUT", false}, {"MERGE", false},
};

/* The same bytes, no graph, and a line a call whose parts make its sum. */
START_TEST(every_call_logs_the_milliseconds_of_its_steps)
{
    scene s;
    uint64_t graphs;

    make_scene(&s, &fixture_tiny, 1);
    graphs = sim_graphs_made();
    for (int i = 0; i < DIRECT_CALLS + 2; i++) {
        double all = 0;

        hook_log_reset(&s.log);
        cuda_fixture_encode(s.encoder, s.r.plan, &s.input, &s.output, NULL);
        ck_assert_int_eq(oriel_encoder_status(s.encoder, NULL), ORIEL_OK);
        ck_assert_int_eq(s.log.profiles, 1);
        for (size_t k = 0; k < COUNT(steps); k++) {
            double ms = hook_log_milliseconds(&s.log, steps[k].name);

            ck_assert_msg(ms > 0 || steps[k].may_be_zero, "%s: %s",
                          steps[k].name, s.log.profile);
            all += ms;
        }
        ck_assert(hook_log_milliseconds(&s.log, "STORE") == 0);
        ck_assert_double_eq_tol(hook_log_milliseconds(&s.log, "all steps"), all,
                                0.02);
        ck_assert_double_ge(hook_log_milliseconds(&s.log, "the call"),
                            all - 0.02);
    }
    ck_assert_uint_eq(sim_graphs_made(), graphs);
    cuda_fixture_expect(&s.r, s.out);
    free_scene(&s);
}
END_TEST

/* More steps than there are marks: they are read in between. */
START_TEST(a_deep_network_has_all_its_steps_measured)
{
    enum { DEPTH = ORIEL_CUDA_MARKS / 5 + 3 };
    oriel_network deep = fixture_tiny;
    scene s;

    deep.depth = DEPTH;
    make_scene(&s, &deep, 1);
    hook_log_reset(&s.log);
    cuda_fixture_encode(s.encoder, s.r.plan, &s.input, &s.output, NULL);
    ck_assert_int_eq(s.log.profiles, 1);
    for (size_t k = 0; k < COUNT(steps); k++)
        ck_assert_msg(hook_log_milliseconds(&s.log, steps[k].name) > 0 ||
                          steps[k].may_be_zero,
                      "%s: %s", steps[k].name, s.log.profile);
    cuda_fixture_expect(&s.r, s.out);
    free_scene(&s);
}
END_TEST

START_TEST(a_call_that_may_not_wait_is_refused)
{
    scene s;
    cudaStream_t stream = cuda_fixture_stream();
    cudaGraph_t graph;

    make_scene(&s, cuda_fixture_shallow(), 1);
    s.input.no_wait = 1;
    cuda_fixture_expect_refusal(s.encoder, &s.r, &s.input, &s.output, stream,
                                ORIEL_ERR_ARGUMENT, "with profile the call");
    s.input.no_wait = 0;
    MUST(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    cuda_fixture_expect_refusal(s.encoder, &s.r, &s.input, &s.output, stream,
                                ORIEL_ERR_ARGUMENT,
                                "captured, but with profile");
    MUST(cudaStreamEndCapture(stream, &graph));
    MUST(cudaGraphDestroy(graph));
    MUST(cudaStreamDestroy(stream));
    free_scene(&s);
}
END_TEST

/* Bytes on the device, rising to all of them; an encode is not told. */
START_TEST(loading_is_told_in_bytes)
{
    scene s;
    oriel_encoder_info info = ORIEL_ENCODER_INFO_INIT;

    make_scene(&s, &fixture_tiny, 0);
    ck_assert_int_eq(oriel_encoder_get_info(s.encoder, &info, NULL), ORIEL_OK);
    ck_assert_int_ge(s.log.calls, 1);
    ck_assert_int_eq(s.log.what, ORIEL_PROGRESS_LOADING);
    ck_assert_int_eq(s.log.of, (int64_t)info.weight_bytes);
    ck_assert_int_eq(s.log.done[s.log.calls - 1], s.log.of);
    hook_log_reset(&s.log);
    cuda_fixture_encode(s.encoder, s.r.plan, &s.input, &s.output, NULL);
    MUST(cudaStreamSynchronize(NULL));
    ck_assert_int_eq(s.log.calls, 0);
    ck_assert_int_eq(s.log.profiles, 0);
    free_scene(&s);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_profile");
    TCase *tc = tcase_create("profile");

    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, every_call_logs_the_milliseconds_of_its_steps);
    tcase_add_test(tc, a_deep_network_has_all_its_steps_measured);
    tcase_add_test(tc, a_call_that_may_not_wait_is_refused);
    tcase_add_test(tc, loading_is_told_in_bytes);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
