/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_reserve.c - own scratch enlarged, plans prepared, and the status
 *
 * Counted by the simulated GPU: what waits, allocates, makes and launches graphs.
 */
#include "cuda/graph.h"
#include "cuda/input_case.h"
#include "sim/control.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

#define MUST(call) ck_assert_int_eq(call, cudaSuccess)

/* Memory by the hooks, counted; on request there is none of the device's. */
typedef struct lender {
    uint64_t host, device;
    int refuse, cancel;
} lender;

static void *
lend(void *user, size_t bytes, size_t alignment)
{
    void *memory = NULL;

    ((lender *)user)->host++;
    return posix_memalign(&memory, alignment, bytes) ? NULL : memory;
}

static void
take_back(void *user, void *memory)
{
    (void)user;
    free(memory);
}

static void *
lend_device(void *user, size_t bytes, int32_t device_index)
{
    lender *l = user;
    void *memory = NULL;

    (void)device_index;
    l->device++;
    if (l->refuse || cudaMalloc(&memory, bytes) != cudaSuccess)
        return NULL;
    return memory;
}

static void
take_back_device(void *user, void *memory, int32_t device_index)
{
    (void)user, (void)device_index;
    MUST(cudaFree(memory));
}

static int32_t
cancel(void *user)
{
    return ((lender *)user)->cancel;
}

static oriel_hooks
hooks_of(lender *l)
{
    oriel_hooks hooks = ORIEL_HOOKS_INIT;

    hooks.user = l;
    hooks.alloc = lend;
    hooks.free = take_back;
    hooks.device_alloc = lend_device;
    hooks.device_free = take_back_device;
    hooks.cancel = cancel;
    return hooks;
}

/* An encoder of the shallow network, and embeddings on the device. */
typedef struct scene {
    cuda_fixture r;
    lender lender;
    oriel_encoder *encoder;
    oriel_input input;
    device_buffer out;
    oriel_result result;
    oriel_output output;
    size_t own; /* scratch */
} scene;

static void
make_scene(scene *s)
{
    oriel_error err;
    oriel_hooks hooks;

    memset(s, 0, sizeof(*s));
    s->r = cuda_fixture_make(cuda_fixture_shallow());
    hooks = hooks_of(&s->lender);
    s->encoder = cuda_fixture_try_encoder(&s->r, &hooks, &err);
    ck_assert_msg(s->encoder, "%s", err.message);
    s->input = cuda_fixture_device_input(&s->r);
    s->out = device_output(s->r.embeddings_bytes);
    s->result = embeddings_result(s->out.data, s->r.embeddings_bytes);
    s->output = output_of(&s->result, 1, ORIEL_MEMORY_DEVICE);
    s->own = fixture_workspace(s->r.plan, ORIEL_PRECISION_BF16, 1);
}

static void
encode(scene *s, cudaStream_t stream)
{
    cuda_fixture_encode(s->encoder, s->r.plan, &s->input, &s->output, stream);
}

static void
free_scene(scene *s)
{
    cuda_fixture_expect_silence();
    oriel_encoder_destroy(s->encoder);
    device_release(s->out);
    cuda_fixture_free(&s->r);
}

/* ---- Reserve -------------------------------------------------------------- */

START_TEST(reserve_waits_and_drops_graphs)
{
    scene s;
    uint64_t launches, waits;
    size_t bytes;

    make_scene(&s);
    launches = sim_graph_launches();
    for (int i = 0; i <= DIRECT_CALLS; i++)
        encode(&s, NULL);
    ck_assert_uint_eq(sim_graph_launches() - launches, 1);
    bytes = sim_device_bytes();
    waits = sim_waits();
    ck_assert_int_eq(oriel_encoder_reserve(s.encoder, s.own, NULL), ORIEL_OK);
    ck_assert_uint_eq(sim_waits(), waits); /* there is nothing to do */
    ck_assert_int_eq(oriel_encoder_reserve(s.encoder, s.own + 4096, NULL),
                     ORIEL_OK);
    ck_assert_uint_gt(sim_waits(), waits);
    ck_assert_uint_eq(sim_device_bytes(), bytes + 4096); /* one, not both */
    launches = sim_graph_launches();
    for (int i = 0; i < DIRECT_CALLS; i++)
        encode(&s, NULL);
    ck_assert_uint_eq(sim_graph_launches(), launches);
    encode(&s, NULL);
    ck_assert_uint_eq(sim_graph_launches() - launches, 1);
    cuda_fixture_expect(&s.r, s.out);
    free_scene(&s);
}
END_TEST

/* Nothing is lost: not the scratch, and not the graph. */
START_TEST(a_failed_reserve_changes_nothing)
{
    scene s;
    oriel_error err;
    uint64_t launches;
    size_t bytes;

    make_scene(&s);
    for (int i = 0; i < DIRECT_CALLS; i++)
        encode(&s, NULL);
    bytes = sim_device_bytes();
    launches = sim_graph_launches();
    *(_i ? &s.lender.cancel : &s.lender.refuse) = 1;
    ck_assert_int_eq(oriel_encoder_reserve(s.encoder, 2 * s.own, &err),
                     _i ? ORIEL_ERR_CANCELLED : ORIEL_ERR_MEMORY);
    s.lender.cancel = s.lender.refuse = 0;
    ck_assert_uint_eq(sim_device_bytes(), bytes);
    encode(&s, NULL);
    ck_assert_uint_eq(sim_graph_launches() - launches, 1);
    cuda_fixture_expect(&s.r, s.out);
    free_scene(&s);
}
END_TEST

/* 0: with a workspace of the caller's; 1: with the encoder's own. */
START_TEST(captured_scratch_stays)
{
    scene s;
    cudaStream_t stream = cuda_fixture_stream();
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    device_buffer space;
    oriel_error err;

    make_scene(&s);
    space = device_output(s.own);
    if (!_i) {
        s.output.workspace = space.data;
        s.output.workspace_bytes = s.own;
    }
    MUST(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    encode(&s, stream);
    MUST(cudaStreamEndCapture(stream, &graph));
    MUST(cudaGraphInstantiate(&exec, graph, 0));
    ck_assert_int_eq(oriel_encoder_reserve(s.encoder, 2 * s.own, &err),
                     _i ? ORIEL_ERR_ARGUMENT : ORIEL_OK);
    if (_i)
        ck_assert_ptr_nonnull(strstr(err.message, "captured"));
    MUST(cudaGraphLaunch(exec, stream));
    MUST(cudaStreamSynchronize(stream));
    cuda_fixture_expect(&s.r, s.out);
    MUST(cudaGraphExecDestroy(exec));
    MUST(cudaGraphDestroy(graph));
    MUST(cudaStreamDestroy(stream));
    device_release(space);
    free_scene(&s);
}
END_TEST

/* ---- Prepare -------------------------------------------------------------- */

/* What a call of the library did beside its work. */
typedef struct counts {
    uint64_t host, device, pinned, made, uploads, launches;
} counts;

static counts
count(const lender *l)
{
    return (counts){
        l->host,           l->device,           sim_allocations(),
        sim_graphs_made(), sim_graph_uploads(), sim_graph_launches()};
}

static void
expect_counts(const lender *l, counts before, uint64_t made, uint64_t launches)
{
    counts now = count(l);

    ck_assert_uint_eq(now.host, before.host);
    ck_assert_uint_eq(now.device, before.device);
    ck_assert_uint_eq(now.pinned, before.pinned);
    ck_assert_uint_eq(now.made - before.made, made);
    ck_assert_uint_eq(now.uploads - before.uploads, made);
    ck_assert_uint_eq(now.launches - before.launches, launches);
}

static const struct {
    input_kind input;
    int32_t resample;
} kinds[] = {
    {INPUT_HOST_FRAMES, ORIEL_RESAMPLE_TORCHVISION},
    {INPUT_DEVICE_FRAMES, ORIEL_RESAMPLE_TORCHVISION},
    {INPUT_DEVICE_VALUES, ORIEL_RESAMPLE_TORCHVISION},
    {INPUT_HOST_FRAMES, ORIEL_RESAMPLE_FLOAT},
};

/* The very first call. */
START_TEST(a_prepared_encode_builds_nothing)
{
    input_case c = input_case_make(cuda_fixture_shallow(), kinds[_i].resample);
    lender l = {0};
    oriel_hooks hooks = hooks_of(&l);
    oriel_input input = input_case_input(&c, kinds[_i].input);
    device_buffer out = device_output(c.r.embeddings_bytes);
    oriel_output output =
        cuda_fixture_output(&c.r, out.data, ORIEL_MEMORY_DEVICE);
    oriel_encoder *encoder, *direct;
    float *found = oracle_alloc(1, c.r.embeddings_bytes);
    float *expected = oracle_alloc(1, c.r.embeddings_bytes);
    counts before;
    oriel_error err;

    direct = cuda_fixture_encoder_with(&c.r, ORIEL_GRAPHS_OFF);
    cuda_fixture_encode(direct, c.r.plan, &input, &output, NULL);
    cuda_fixture_expect_silence();
    device_download(expected, out);
    oriel_encoder_destroy(direct);

    encoder = cuda_fixture_try_encoder(&c.r, &hooks, &err);
    ck_assert_msg(encoder, "%s", err.message);
    ck_assert_int_eq(oriel_encoder_prepare(encoder, NULL, NULL), ORIEL_OK);
    before = count(&l);
    ck_assert_msg(!oriel_encoder_prepare(encoder, c.r.plan, &err), "%s",
                  err.message);
    ck_assert_uint_eq(sim_graphs_made() - before.made, 1);
    ck_assert_uint_eq(sim_graph_uploads() - before.uploads, 1);
    before = count(&l);
    ck_assert_int_eq(oriel_encoder_prepare(encoder, c.r.plan, NULL), ORIEL_OK);
    expect_counts(&l, before, 0, 0);
    cuda_fixture_encode(encoder, c.r.plan, &input, &output, NULL);
    expect_counts(&l, before, 0, 1);
    cuda_fixture_expect_silence();
    device_download(found, out);
    ck_assert_mem_eq(found, expected, c.r.embeddings_bytes);
    oriel_encoder_destroy(encoder);
    device_release(out);
    free(found);
    free(expected);
    input_case_free(&c);
}
END_TEST

/* While the same thread captures a stream, and while that of another call is
   held: neither is touched. */
START_TEST(prepare_leaves_streams_alone)
{
    scene s;
    cudaStream_t held = cuda_fixture_stream(), stream = cuda_fixture_stream();
    cudaGraph_t graph;
    oriel_error err;

    make_scene(&s);
    encode(&s, held);
    sim_hold(held, 1);
    MUST(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    ck_assert_msg(!oriel_encoder_prepare(s.encoder, s.r.plan, &err), "%s",
                  err.message);
    MUST(cudaStreamEndCapture(stream, &graph));
    ck_assert_int_eq(oriel_encoder_status(s.encoder, NULL), ORIEL_ERR_BUSY);
    sim_release(held);
    MUST(cudaStreamSynchronize(held));
    cuda_fixture_expect(&s.r, s.out);
    MUST(cudaGraphDestroy(graph));
    MUST(cudaStreamDestroy(held));
    MUST(cudaStreamDestroy(stream));
    free_scene(&s);
}
END_TEST

/* The ninth plan takes the place of the first, whose next call is direct. */
START_TEST(the_last_eight_are_kept)
{
    enum { PLANS = ORIEL_CUDA_GRAPHS + 1 };
    cuda_fixture r = cuda_fixture_make(cuda_fixture_shallow());
    oriel_plan *plans[PLANS], *own = r.plan;
    oriel_encoder *encoder;
    float *pixels, *out;
    uint64_t launches;

    for (int i = 0; i < PLANS; i++) {
        const int64_t grid[1][3] = {{1, 2 + 2 * i, 2}};

        plans[i] = fixture_plan(&r.m, grid, 1);
    }
    r.plan = plans[PLANS - 1];
    pixels = fixture_pixels(r.plan, 4);
    encoder = cuda_fixture_encoder(&r);
    r.plan = own;
    out = oracle_alloc(PLANS, 24 * sizeof(float));
    for (int i = 0; i < PLANS; i++)
        ck_assert_int_eq(oriel_encoder_prepare(encoder, plans[i], NULL),
                         ORIEL_OK);
    for (int i = PLANS - 1; i >= 0; i--) {
        oriel_input input = fixture_input(plans[i], pixels);
        oriel_result result =
            embeddings_result(out, (size_t)(i + 1) * 24 * sizeof(float));
        oriel_output output = output_of(&result, 1, ORIEL_MEMORY_HOST);

        launches = sim_graph_launches();
        cuda_fixture_encode(encoder, plans[i], &input, &output, NULL);
        ck_assert_uint_eq(sim_graph_launches() - launches, i > 0);
    }
    cuda_fixture_expect_silence();
    oriel_encoder_destroy(encoder);
    for (int i = 0; i < PLANS; i++)
        oriel_plan_destroy(plans[i]);
    free(pixels);
    free(out);
    cuda_fixture_free(&r);
}
END_TEST

START_TEST(prepare_can_be_cancelled)
{
    scene s;
    counts before;

    make_scene(&s);
    s.lender.cancel = 1;
    before = count(&s.lender);
    ck_assert_int_eq(oriel_encoder_prepare(s.encoder, s.r.plan, NULL),
                     ORIEL_ERR_CANCELLED);
    expect_counts(&s.lender, before, 0, 0);
    s.lender.cancel = 0;
    ck_assert_int_eq(oriel_encoder_prepare(s.encoder, s.r.plan, NULL),
                     ORIEL_OK);
    free_scene(&s);
}
END_TEST

/* ---- Status --------------------------------------------------------------- */

START_TEST(status_follows_the_device)
{
    scene s;
    cudaStream_t stream = cuda_fixture_stream();
    oriel_error err;
    uint64_t waits;

    make_scene(&s);
    ck_assert_int_eq(oriel_encoder_status(s.encoder, NULL), ORIEL_OK);
    encode(&s, stream);
    waits = sim_waits();
    ck_assert_int_eq(oriel_encoder_status(s.encoder, &err), ORIEL_ERR_BUSY);
    ck_assert_uint_eq(sim_waits(), waits);
    MUST(cudaStreamSynchronize(stream));
    ck_assert_int_eq(oriel_encoder_status(s.encoder, &err), ORIEL_OK);
    ck_assert_int_eq(err.status, ORIEL_OK);

    encode(&s, stream);
    sim_fault_operation(2, cudaErrorIllegalAddress);
    ck_assert_int_eq(cudaStreamSynchronize(stream), cudaErrorIllegalAddress);
    ck_assert_int_eq(oriel_encoder_status(s.encoder, &err), ORIEL_ERR_FAULT);
    ck_assert_int_eq(err.cause, cudaErrorIllegalAddress);
    sim_recover();
    ck_assert_int_eq(oriel_encoder_status(s.encoder, NULL), ORIEL_ERR_FAULT);
    MUST(cudaStreamDestroy(stream));
    free_scene(&s);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_reserve");
    TCase *tc = tcase_create("reserve");

    tcase_set_timeout(tc, 240);
    tcase_add_test(tc, reserve_waits_and_drops_graphs);
    tcase_add_loop_test(tc, a_failed_reserve_changes_nothing, 0, 2);
    tcase_add_loop_test(tc, captured_scratch_stays, 0, 2);
    tcase_add_loop_test(tc, a_prepared_encode_builds_nothing, 0, COUNT(kinds));
    tcase_add_test(tc, prepare_leaves_streams_alone);
    tcase_add_test(tc, the_last_eight_are_kept);
    tcase_add_test(tc, prepare_can_be_cancelled);
    tcase_add_test(tc, status_follows_the_device);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
