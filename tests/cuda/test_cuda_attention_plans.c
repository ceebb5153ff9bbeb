/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_attention_plans.c - which plans of cuDNN an encoder builds and when; its
 * graphs, and its caller's captures
 */
#include "cuda/attention_case.h"
#include "cuda/cuda_fixture.h"
#include "sim/control.h"
#include "sim/cudnn.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

#define MUST(call) ck_assert_int_eq(call, cudaSuccess)

/* ---- Plans ----------------------------------------------------------------- */

/* A batch, and what it gives. */
typedef struct job {
    oriel_plan *plan;
    oriel_plan_info info;
    float *pixels;
    size_t bytes;
    float *found;
} job;

static job
make_job(const fixture_model *m, const int64_t (*grids)[3], size_t n)
{
    const oriel_plan_info empty = ORIEL_PLAN_INFO_INIT;
    job j = {.plan = fixture_plan(m, grids, n), .info = empty};

    ck_assert_int_eq(oriel_plan_get_info(j.plan, &j.info, NULL), ORIEL_OK);
    j.pixels = fixture_pixels(j.plan, 7);
    j.bytes = (size_t)(j.info.tokens * j.info.out_hidden_size) * sizeof(float);
    j.found = oracle_alloc(1, j.bytes);
    return j;
}

static void
free_job(job *j)
{
    oriel_plan_destroy(j->plan);
    free(j->pixels);
    free(j->found);
}

static oriel_status
encode_job(oriel_encoder *encoder, job *j, oriel_error *err)
{
    oriel_input input = fixture_input(j->plan, j->pixels);
    oriel_result result = embeddings_result(j->found, j->bytes);
    oriel_output output = output_of(&result, 1, ORIEL_MEMORY_HOST);

    return oriel_encode(encoder, j->plan, &input, &output, NULL, err);
}

static void
must_prepare(oriel_encoder *encoder, const job *j)
{
    oriel_error err;

    ck_assert_msg(!oriel_encoder_prepare(encoder, j->plan, &err), "%s",
                  err.message);
}

static void
must_encode(oriel_encoder *encoder, job *j)
{
    oriel_error err;

    ck_assert_msg(!encode_job(encoder, j, &err), "%s", err.message);
    ck_assert_str_eq(device_finish(), "");
}

static const int64_t one_frame[][3] = {{1, 4, 6}};
static const int64_t two_frames[][3] = {{1, 4, 6}, {1, 2, 4}};
static const int64_t five_frames[][3] = {{1, 4, 6}, {4, 2, 4}};

/* Create builds the least, prepare what a batch takes, once; an encode builds none,
   and takes a larger one where there is no other. */
START_TEST(plans_are_built_between_calls)
{
    fixture_model m = fixture_model_make(&fixture_tiny, 3);
    job one = make_job(&m, one_frame, 1), two = make_job(&m, two_frames, 2),
        five = make_job(&m, five_frames, 2);
    oriel_encoder *encoder =
        attention_encoder(&m, five.plan, ORIEL_GRAPHS_AUTO);
    uint64_t plans = sim_cudnn_plans();
    oriel_error err;

    must_encode(encoder, &one);
    ck_assert_int_eq(encode_job(encoder, &two, &err), ORIEL_ERR_CAPACITY);
    ck_assert_ptr_nonnull(
        strstr(err.message, "no plan for 2 frames of up to 24 patches"));
    ck_assert_ptr_nonnull(strstr(err.message, "oriel_encoder_prepare"));
    ck_assert_uint_eq(sim_cudnn_plans(), plans);
    must_prepare(encoder, &five); /* 16 sequences */
    ck_assert_uint_eq(sim_cudnn_plans(), ++plans);
    must_encode(encoder, &two);
    must_prepare(encoder, &two); /* 4 */
    must_prepare(encoder, &two);
    must_prepare(encoder, &one);
    must_prepare(encoder, &five);
    ck_assert_uint_eq(sim_cudnn_plans(), ++plans);
    must_encode(encoder, &two);
    must_encode(encoder, &five);
    ck_assert_uint_eq(sim_cudnn_plans(), plans);
    oriel_encoder_destroy(encoder);
    ck_assert_uint_eq(sim_cudnn_alive(), 0);
    free_job(&one);
    free_job(&two);
    free_job(&five);
    fixture_model_free(&m);
}
END_TEST

/* The same bytes by any plan that holds the batch. */
START_TEST(any_plan_gives_the_same_bytes)
{
    fixture_model m = fixture_model_make(&fixture_tiny, 3);
    job two = make_job(&m, two_frames, 2), five = make_job(&m, five_frames, 2);
    oriel_encoder *encoder = attention_encoder(&m, five.plan, ORIEL_GRAPHS_OFF);
    float *expected = oracle_alloc(1, two.bytes);

    must_prepare(encoder, &five);
    must_encode(encoder, &two);
    memcpy(expected, two.found, two.bytes);
    must_prepare(encoder, &two);
    must_encode(encoder, &two);
    ck_assert(memcmp(expected, two.found, two.bytes) == 0);
    oriel_encoder_destroy(encoder);
    free(expected);
    free_job(&two);
    free_job(&five);
    fixture_model_free(&m);
}
END_TEST

/* What a plan that was asked for cannot have is refused, and the rest goes on. */
START_TEST(prepare_refuses_by_name)
{
    static const int64_t many[][3] = {{257, 2, 2}};
    fixture_model m = fixture_model_make(&fixture_tiny, 3);
    job one = make_job(&m, one_frame, 1), two = make_job(&m, two_frames, 2),
        too_many = make_job(&m, many, 1);
    oriel_encoder *encoder = attention_encoder(&m, two.plan, ORIEL_GRAPHS_AUTO);
    oriel_error err;

    ck_assert_int_eq(oriel_encoder_prepare(encoder, too_many.plan, &err),
                     ORIEL_ERR_CAPACITY);
    ck_assert_ptr_nonnull(strstr(err.message, "the plan has 257"));
    sim_cudnn_without_engine(9);
    ck_assert_int_eq(oriel_encoder_prepare(encoder, two.plan, &err),
                     ORIEL_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.message, "no engine 9"));
    ck_assert_int_eq(encode_job(encoder, &two, &err), ORIEL_ERR_CAPACITY);
    must_encode(encoder, &one);
    sim_cudnn_without_engine(-1);
    must_prepare(encoder, &two);
    must_encode(encoder, &two);
    oriel_encoder_destroy(encoder);
    free_job(&one);
    free_job(&two);
    free_job(&too_many);
    fixture_model_free(&m);
}
END_TEST

/* ---- Graphs and captures ------------------------------------------------------------ */

/* Both ways, and nothing of cuDNN's is called while a graph is launched. */
START_TEST(graphs_give_the_bytes_of_direct_calls)
{
    fixture_model m = fixture_model_make(&fixture_tiny, 3);
    job two = make_job(&m, two_frames, 2);
    oriel_encoder *graphs = attention_encoder(&m, two.plan, ORIEL_GRAPHS_AUTO);
    oriel_encoder *direct = attention_encoder(&m, two.plan, ORIEL_GRAPHS_OFF);
    float *expected = oracle_alloc(1, two.bytes);
    const uint64_t launched = sim_graph_launches();
    uint64_t runs;

    must_prepare(direct, &two);
    must_encode(direct, &two);
    memcpy(expected, two.found, two.bytes);
    ck_assert_uint_eq(sim_graph_launches(), launched);
    must_prepare(graphs, &two); /* which records its graph */
    runs = sim_cudnn_runs();
    for (int i = 0; i < 3; i++) {
        must_encode(graphs, &two);
        ck_assert(memcmp(expected, two.found, two.bytes) == 0);
    }
    ck_assert_uint_eq(sim_graph_launches(), launched + 3);
    ck_assert_uint_eq(sim_cudnn_runs(), runs); /* nothing but graphs */
    oriel_encoder_destroy(graphs);
    oriel_encoder_destroy(direct);
    free(expected);
    free_job(&two);
    fixture_model_free(&m);
}
END_TEST

/* Batches of the same counts of rows, windows and tiles, of which the second's frames
   are longer than the first's plan takes: it has a graph of its own. */
START_TEST(a_graph_is_of_one_plan)
{
    static const int64_t even[][3] = {{1, 2, 512}, {1, 2, 512}};
    static const int64_t odd[][3] = {{1, 2, 514}, {1, 2, 510}};
    static const int32_t first[] = {0};
    oriel_network network = fixture_tiny;
    fixture_model m;
    job jobs[2];
    oriel_encoder *graphs, *direct;
    float *expected;
    uint64_t launched;

    network.depth = 1;
    network.n_full_attention_blocks = 1;
    network.full_attention_blocks = first;
    m = fixture_model_make(&network, 3);
    jobs[0] = make_job(&m, even, 2);
    jobs[1] = make_job(&m, odd, 2);
    graphs = attention_encoder(&m, jobs[1].plan, ORIEL_GRAPHS_AUTO);
    direct = attention_encoder(&m, jobs[1].plan, ORIEL_GRAPHS_OFF);
    expected = oracle_alloc(1, jobs[1].bytes);
    ck_assert_int_eq(jobs[0].info.patches, jobs[1].info.patches);
    must_prepare(direct, &jobs[1]);
    must_encode(direct, &jobs[1]);
    memcpy(expected, jobs[1].found, jobs[1].bytes);
    for (int i = 0; i < 2; i++)
        must_prepare(graphs, &jobs[i]);
    launched = sim_graph_launches();
    for (int i = 0; i < 4; i++)
        must_encode(graphs, &jobs[i % 2]);
    ck_assert_uint_eq(sim_graph_launches(), launched + 4);
    ck_assert(memcmp(expected, jobs[1].found, jobs[1].bytes) == 0);
    oriel_encoder_destroy(graphs);
    oriel_encoder_destroy(direct);
    free(expected);
    free_job(&jobs[0]);
    free_job(&jobs[1]);
    fixture_model_free(&m);
}
END_TEST

/* A caller's capture may come before any encode. */
START_TEST(a_caller_may_capture_it_first)
{
    cuda_fixture r;
    oriel_encoder *encoder;
    oriel_input input;
    oriel_output output;
    device_buffer out;
    cudaStream_t stream;
    cudaGraph_t graph;
    cudaGraphExec_t exec;

    r = cuda_fixture_make(&fixture_tiny);
    sim_cudnn_unload();
    encoder = cuda_fixture_encoder(&r);
    out = device_output(r.embeddings_bytes);
    input = cuda_fixture_device_input(&r);
    output = cuda_fixture_output(&r, out.data, ORIEL_MEMORY_DEVICE);
    stream = cuda_fixture_stream();
    MUST(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    cuda_fixture_encode(encoder, r.plan, &input, &output, stream);
    MUST(cudaStreamEndCapture(stream, &graph));
    MUST(cudaGraphInstantiate(&exec, graph, 0));
    for (int i = 0; i < 2; i++) {
        MUST(cudaMemsetAsync(out.data, 0, out.bytes, stream));
        MUST(cudaGraphLaunch(exec, stream));
        MUST(cudaStreamSynchronize(stream));
        cuda_fixture_expect(&r, out);
    }
    MUST(cudaGraphExecDestroy(exec));
    MUST(cudaGraphDestroy(graph));
    MUST(cudaStreamDestroy(stream));
    device_release(out);
    oriel_encoder_destroy(encoder);
    cuda_fixture_free(&r);
}
END_TEST

/* Two streams take turns, ordered by the caller: the library's own follows. */
START_TEST(it_runs_on_the_stream_of_the_call)
{
    cuda_fixture r;
    oriel_encoder *encoder;
    oriel_input input;
    cudaStream_t streams[2];
    device_buffer out;
    cudaEvent_t done;

    r = cuda_fixture_make(&fixture_tiny);
    encoder = cuda_fixture_encoder_with(&r, ORIEL_GRAPHS_OFF);
    input = cuda_fixture_device_input(&r);
    MUST(cudaEventCreateWithFlags(&done, cudaEventDisableTiming));
    for (int i = 0; i < 2; i++)
        streams[i] = cuda_fixture_stream();
    for (int i = 0; i < 4; i++) {
        oriel_output output;

        out = device_output(r.embeddings_bytes);
        output = cuda_fixture_output(&r, out.data, ORIEL_MEMORY_DEVICE);
        sim_interleave((uint64_t)i);
        MUST(cudaStreamWaitEvent(streams[i % 2], done, 0));
        cuda_fixture_encode(encoder, r.plan, &input, &output, streams[i % 2]);
        MUST(cudaEventRecord(done, streams[i % 2]));
        cuda_fixture_expect(&r, out);
        device_release(out);
    }
    for (int i = 0; i < 2; i++)
        MUST(cudaStreamDestroy(streams[i]));
    MUST(cudaEventDestroy(done));
    oriel_encoder_destroy(encoder);
    cuda_fixture_free(&r);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_attention_plans");
    TCase *tc = tcase_create("plans");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, attention_use_cudnn, NULL);
    tcase_add_test(tc, plans_are_built_between_calls);
    tcase_add_test(tc, any_plan_gives_the_same_bytes);
    tcase_add_test(tc, prepare_refuses_by_name);
    tcase_add_test(tc, graphs_give_the_bytes_of_direct_calls);
    tcase_add_test(tc, a_graph_is_of_one_plan);
    tcase_add_test(tc, a_caller_may_capture_it_first);
    tcase_add_test(tc, it_runs_on_the_stream_of_the_call);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
