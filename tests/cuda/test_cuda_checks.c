/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_checks.c - with checks on: the same bytes, and nothing left behind
 */
#include "cuda/reel.h"
#include "cuda/steer.h"
#include "cuda/watch.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

#define MUST(call) ck_assert_int_eq(call, cudaSuccess)

/* ---- The same bytes ------------------------------------------------------ */

enum { TAPS = 4, KINDS = REEL_KINDS + 1 /* pixel_values of bf16 */ };

/* Embeddings and taps of one encode, on the host. */
typedef struct harvest {
    unsigned char *embeddings, *taps[TAPS];
    size_t embeddings_bytes, tap_bytes;
} harvest;

static harvest
harvest_make(const reel *film, const oriel_network *network)
{
    harvest h = {.embeddings_bytes = film->r.embeddings_bytes,
                 .tap_bytes = (size_t)film->r.info.patches *
                              (size_t)network->hidden_size * sizeof(float)};

    h.embeddings = oracle_alloc(1, h.embeddings_bytes);
    for (int i = 0; i < TAPS; i++)
        h.taps[i] = oracle_alloc(1, h.tap_bytes);
    return h;
}

static void
harvest_free(harvest *h)
{
    free(h->embeddings);
    for (int i = 0; i < TAPS; i++)
        free(h->taps[i]);
}

/* Two taps of one state, of the first and of the last; 'dtype' of all. */
static void
encode_into(harvest *h, const reel *film, oriel_encoder *encoder,
            const oriel_input *input, int32_t dtype)
{
    int32_t states[TAPS] = {0, 1, 1, film->r.m.oracle->network->depth};
    size_t half = dtype == ORIEL_DTYPE_F32 ? 1 : 2;
    oriel_output output =
        rig_output(&film->r, h->embeddings, ORIEL_MEMORY_HOST);
    oriel_tap taps[TAPS];

    memset(h->embeddings, 0x55, h->embeddings_bytes);
    for (int i = 0; i < TAPS; i++) {
        memset(h->taps[i], 0x55, h->tap_bytes);
        taps[i] = (oriel_tap){.hidden_state = states[i],
                              .dtype = dtype,
                              .data = h->taps[i],
                              .bytes = h->tap_bytes / half};
    }
    output.dtype = dtype;
    output.embeddings_bytes = h->embeddings_bytes / half;
    output.taps = taps;
    output.n_taps = TAPS;
    rig_encode(encoder, film->r.plan, input, &output, NULL);
}

static oriel_input
input_of(const reel *film, int kind, uint16_t *halves)
{
    oriel_input input = reel_input(film, kind < REEL_KINDS ? (reel_kind)kind
                                                           : REEL_HOST_VALUES);
    size_t n = film->values_bytes / sizeof(float);

    if (kind < REEL_KINDS)
        return input;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;

        memcpy(&bits, &film->values[i], sizeof(bits));
        halves[i] = (uint16_t)(bits >> 16);
    }
    input.pixel_values = halves;
    input.pixel_values_bytes = n * sizeof(*halves);
    input.dtype = ORIEL_DTYPE_BF16;
    return input;
}

/* Every byte behind a part is out of bounds. */
static void
no_guards(oriel_backend_context *c, oriel_cuda_step step, int32_t block)
{
    (void)block;
    if (step == ORIEL_STEP_START)
        c->checks.guard_bytes = 0;
}

static const struct {
    const oriel_network *network;
    int32_t resample, kernels, dtype;
    watch_hook *before;
} sames[] = {
    {&fixture_tiny, ORIEL_RESAMPLE_TORCHVISION, ORIEL_KERNELS_OWN,
     ORIEL_DTYPE_F32, NULL},
    {&fixture_tiny, ORIEL_RESAMPLE_PILLOW, ORIEL_KERNELS_CUBLASLT,
     ORIEL_DTYPE_BF16, NULL},
    {&fixture_tiny, ORIEL_RESAMPLE_TORCHVISION, ORIEL_KERNELS_OWN,
     ORIEL_DTYPE_F16, no_guards},
    {&fixture_tiny, ORIEL_RESAMPLE_FLOAT, ORIEL_KERNELS_CUBLASLT,
     ORIEL_DTYPE_F32, no_guards},
    {&fixture_broad, ORIEL_RESAMPLE_PILLOW12, ORIEL_KERNELS_OWN,
     ORIEL_DTYPE_BF16, no_guards},
};

START_TEST(results_are_the_same_bytes)
{
    reel film;
    harvest plain, checked;
    oriel_encoder *encoders[2];
    uint16_t *halves;
    size_t before;

    fixture_kernels = sames[_i].kernels;
    film = reel_make(sames[_i].network, sames[_i].resample);
    plain = harvest_make(&film, sames[_i].network);
    checked = harvest_make(&film, sames[_i].network);
    halves = oracle_alloc(1, film.values_bytes);
    watch_before = sames[_i].before;
    encoders[0] = rig_encoder_with(&film.r, ORIEL_GRAPHS_OFF);
    encoders[1] = watch_encoder(&film.r, NULL);
    before = steer_device_bytes();
    for (int kind = 0; kind < KINDS; kind++) {
        oriel_input input = input_of(&film, kind, halves);

        if (kind == REEL_DEVICE_FRAMES &&
            sames[_i].resample == ORIEL_RESAMPLE_FLOAT)
            continue; /* of the host alone */
        encode_into(&plain, &film, encoders[0], &input, sames[_i].dtype);
        encode_into(&checked, &film, encoders[1], &input, sames[_i].dtype);
        rig_expect_silence();
        ck_assert_mem_eq(plain.embeddings, checked.embeddings,
                         plain.embeddings_bytes);
        for (int i = 0; i < TAPS; i++)
            ck_assert_mem_eq(plain.taps[i], checked.taps[i], plain.tap_bytes);
        ck_assert_uint_eq(steer_device_bytes(), before);
    }
    oriel_encoder_destroy(encoders[0]);
    oriel_encoder_destroy(encoders[1]);
    harvest_free(&plain);
    harvest_free(&checked);
    free(halves);
    reel_free(&film);
}
END_TEST

/* ---- What a call does and does not --------------------------------------- */

/* The workspace is asked for and not touched; no graph is ever launched. */
START_TEST(the_workspace_stays_as_it_is)
{
    rig r = rig_make(&fixture_tiny);
    oriel_encoder *encoder = watch_encoder(&r, NULL);
    size_t bytes = fixture_workspace(r.plan, ORIEL_PRECISION_BF16, 1);
    device_buffer out = device_output(r.embeddings_bytes);
    device_buffer workspace;
    unsigned char *initial = malloc(bytes), *found = malloc(bytes);
    oriel_input input = rig_device_input(&r);
    oriel_output output = rig_output(&r, out.data, ORIEL_MEMORY_DEVICE);
    uint64_t graphs = steer_graph_launches();
    oriel_encoder_info info = ORIEL_ENCODER_INFO_INIT;

    memset(initial, 0x3c, bytes);
    workspace = device_upload(initial, bytes);
    output.workspace = workspace.data;
    output.workspace_bytes = bytes;
    for (int i = 0; i < 4; i++)
        rig_encode(encoder, r.plan, &input, &output, NULL);
    rig_expect(&r, out);
    ck_assert_uint_eq(steer_graph_launches(), graphs);
    device_download(found, workspace);
    ck_assert_mem_eq(initial, found, bytes);
    output.workspace_bytes = bytes / 2;
    rig_expect_refusal(encoder, &r, &input, &output, NULL, ORIEL_ERR_CAPACITY,
                       "the workspace has");
    ck_assert_int_eq(oriel_encoder_get_info(encoder, &info, NULL), ORIEL_OK);
    ck_assert_msg(strstr(info.description, "checks on"), "%s",
                  info.description);
    oriel_encoder_destroy(encoder);
    device_release(workspace);
    device_release(out);
    free(initial);
    free(found);
    rig_free(&r);
}
END_TEST

/* So is a call that must not wait.  A refusal spoils nothing: the capture goes
   on. */
START_TEST(a_capture_is_refused)
{
    rig r = rig_make(rig_shallow());
    oriel_encoder *encoder = watch_encoder(&r, NULL);
    oriel_encoder *plain = rig_encoder(&r);
    cudaStream_t stream = rig_stream();
    device_buffer out = device_output(r.embeddings_bytes);
    oriel_input input = rig_device_input(&r);
    oriel_output output = rig_output(&r, out.data, ORIEL_MEMORY_DEVICE);
    cudaGraphExec_t exec;
    cudaGraph_t graph;

    MUST(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    rig_expect_refusal(encoder, &r, &input, &output, stream, ORIEL_ERR_ARGUMENT,
                       "ORIEL_CHECKS_ON");
    rig_encode(plain, r.plan, &input, &output, stream);
    MUST(cudaStreamEndCapture(stream, &graph));
    MUST(cudaGraphInstantiate(&exec, graph, 0));
    MUST(cudaGraphDestroy(graph));
    MUST(cudaGraphLaunch(exec, stream));
    rig_expect(&r, out);
    rig_encode(encoder, r.plan, &input, &output, stream);
    rig_expect(&r, out);
    MUST(cudaGraphExecDestroy(exec));
    oriel_encoder_destroy(encoder);
    oriel_encoder_destroy(plain);
    MUST(cudaStreamDestroy(stream));
    device_release(out);
    rig_free(&r);
}
END_TEST

/* ---- What fails ---------------------------------------------------------- */

static int64_t lent, until_refusal; /* negative: none is refused */

static void *
lend(void *user, size_t bytes, int32_t device_index)
{
    void *memory = NULL;

    (void)user;
    (void)device_index;
    if (until_refusal-- == 0 || cudaMalloc(&memory, bytes) != cudaSuccess)
        return NULL;
    lent++;
    return memory;
}

static void
take_back(void *user, void *memory, int32_t device_index)
{
    (void)user;
    (void)device_index;
    lent--;
    ck_assert_int_eq(cudaFree(memory), cudaSuccess);
}

/* Whichever part there is no memory for, it is named, all others go, and the
   next call succeeds. */
START_TEST(memory_of_each_part_runs_out)
{
    rig r = rig_make(&fixture_tiny);
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    float *embeddings = oracle_alloc(1, r.embeddings_bytes);
    oriel_input input = rig_host_input(&r);
    oriel_output output = rig_output(&r, embeddings, ORIEL_MEMORY_HOST);
    oriel_encoder *encoder;
    oriel_status status = ORIEL_ERR_MEMORY;
    oriel_error err;
    int64_t held, refused;

    hooks.device_alloc = lend;
    hooks.device_free = take_back;
    until_refusal = -1;
    encoder = watch_encoder(&r, &hooks);
    held = lent;
    for (refused = 0; status; refused++) {
        until_refusal = refused;
        status = oriel_encode(encoder, r.plan, &input, &output, NULL, &err);
        ck_assert_int_eq(lent, held);
        if (status) {
            ck_assert_int_eq(status, ORIEL_ERR_MEMORY);
            ck_assert_msg(strstr(err.message, "out of device memory"), "%s",
                          err.message);
        }
    }
    ck_assert_mem_eq(embeddings, r.expected, r.embeddings_bytes);
    /* Of four blocks, each with two of normalised and one of the others. */
    ck_assert_int_gt(refused, 4 * 6);
    rig_expect_silence();
    oriel_encoder_destroy(encoder);
    ck_assert_int_eq(lent, 0);
    free(embeddings);
    rig_free(&r);
}
END_TEST

/* Memory as a pool gives it: with what others left in it. */
enum { POOLED = 64, LEFT = 0x3c, BLANK = 0xff };
static device_buffer pool[POOLED];
static int buried;

static void *
lend_used(void *user, size_t bytes, int32_t device_index)
{
    void *memory = lend(user, bytes, device_index);
    int i = 0;

    while (i < POOLED && pool[i].data)
        i++;
    ck_assert_int_lt(i, POOLED);
    pool[i] = (device_buffer){memory, bytes};
    ck_assert_int_eq(cudaMemsetAsync(memory, LEFT, bytes, NULL), cudaSuccess);
    return memory;
}

/* Nothing is to be read in it that it held. */
static void
take_blank(void *user, void *memory, int32_t device_index)
{
    int i = 0;
    unsigned char *found;

    while (i < POOLED && pool[i].data != memory)
        i++;
    ck_assert_int_lt(i, POOLED);
    found = malloc(pool[i].bytes);
    MUST(cudaMemcpy(found, memory, pool[i].bytes, cudaMemcpyDeviceToHost));
    for (size_t b = 0; b < pool[i].bytes; b++)
        ck_assert_int_eq(found[b], BLANK);
    buried++;
    pool[i].data = NULL;
    free(found);
    take_back(user, memory, device_index);
}

START_TEST(a_part_leaves_nothing_behind)
{
    rig r = rig_make(&fixture_tiny);
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    float *embeddings = oracle_alloc(1, r.embeddings_bytes);
    oriel_input input = rig_host_input(&r);
    oriel_output output = rig_output(&r, embeddings, ORIEL_MEMORY_HOST);
    oriel_encoder *encoder;

    hooks.device_alloc = lend_used;
    hooks.device_free = take_blank;
    until_refusal = -1;
    encoder = watch_encoder(&r, &hooks);
    rig_encode(encoder, r.plan, &input, &output, NULL);
    ck_assert_mem_eq(embeddings, r.expected, r.embeddings_bytes);
    ck_assert_int_gt(buried, 4 * 6);
    /* The workspace is as it was given. */
    for (int i = 0; i < POOLED; i++)
        if (pool[i].data)
            MUST(cudaMemsetAsync(pool[i].data, BLANK, pool[i].bytes, NULL));
    oriel_encoder_destroy(encoder);
    ck_assert_int_eq(lent, 0);
    free(embeddings);
    rig_free(&r);
}
END_TEST

/* Calls of the runtime fail, a few steps of a prime apart. */
START_TEST(calls_fail_whole)
{
    static const cudaError_t errors[] = {cudaErrorMemoryAllocation,
                                         cudaErrorIllegalAddress};
    enum { APART = 61 };
    rig r = rig_make(rig_shallow());
    float *embeddings = oracle_alloc(1, r.embeddings_bytes);
    oriel_input input = rig_host_input(&r);
    oriel_output output = rig_output(&r, embeddings, ORIEL_MEMORY_HOST);
    oriel_encoder *encoder = watch_encoder(&r, NULL);
    oriel_encoder *keeper = watch_encoder(&r, NULL); /* of the weights */
    size_t before = steer_device_bytes();
    uint64_t calls;
    oriel_error err;

    steer_fail_call(0, cudaSuccess);
    rig_encode(encoder, r.plan, &input, &output, NULL);
    calls = steer_calls();
    ck_assert_uint_gt(calls, 100);
    for (uint64_t n = 1 + (uint64_t)_i % APART; n <= calls; n += APART) {
        oriel_status status;

        memset(embeddings, 0x55, r.embeddings_bytes);
        steer_fail_call(n, errors[_i % 2]);
        status = oriel_encode(encoder, r.plan, &input, &output, NULL, &err);
        steer_fail_call(0, cudaSuccess);
        ck_assert_msg(steer_device_bytes() == before,
                      "call %d: a part is left behind", (int)n);
        if (!status) /* it only gives back */
            ck_assert_mem_eq(embeddings, r.expected, r.embeddings_bytes);
        else
            ck_assert_msg(err.status == status && err.message[0],
                          "call %d: status %d: %s", (int)n, status,
                          err.message);
        if (status == ORIEL_ERR_FAULT) {
            oriel_encoder_destroy(encoder);
            encoder = watch_encoder(&r, NULL);
        }
    }
    rig_encode(encoder, r.plan, &input, &output, NULL);
    ck_assert_mem_eq(embeddings, r.expected, r.embeddings_bytes);
    rig_expect_silence();
    oriel_encoder_destroy(encoder);
    oriel_encoder_destroy(keeper);
    free(embeddings);
    rig_free(&r);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_checks");
    TCase *tc = tcase_create("checks");

    tcase_set_timeout(tc, 240);
    tcase_add_loop_test(tc, results_are_the_same_bytes, 0, COUNT(sames));
    tcase_add_test(tc, the_workspace_stays_as_it_is);
    tcase_add_test(tc, a_capture_is_refused);
    tcase_add_test(tc, memory_of_each_part_runs_out);
    tcase_add_test(tc, a_part_leaves_nothing_behind);
    tcase_add_loop_test(tc, calls_fail_whole, 0, 4);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
