/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_checks.c - with checks on: the same bytes, and no memory kept
 */
#include "cuda/input_case.h"
#include "cuda/step_hook.h"
#include "sim/control.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

#define MUST(call) ck_assert_int_eq(call, cudaSuccess)

/* ---- The same bytes ------------------------------------------------------ */

enum { STATES = 4, KINDS = INPUT_KINDS + 1 /* pixel_values of bf16 */ };

/* Embeddings and hidden states of one encode, on the host. */
typedef struct kept_results {
    unsigned char *embeddings, *states[STATES];
    size_t embeddings_bytes, state_bytes;
} kept_results;

static kept_results
kept_results_make(const input_case *random_frames, const oriel_network *network)
{
    kept_results h = {.embeddings_bytes = random_frames->r.embeddings_bytes,
                      .state_bytes = (size_t)random_frames->r.info.patches *
                                     (size_t)network->hidden_size *
                                     sizeof(float)};

    h.embeddings = oracle_alloc(1, h.embeddings_bytes);
    for (int i = 0; i < STATES; i++)
        h.states[i] = oracle_alloc(1, h.state_bytes);
    return h;
}

static void
kept_results_free(kept_results *h)
{
    free(h->embeddings);
    for (int i = 0; i < STATES; i++)
        free(h->states[i]);
}

/* Two of one state, the first and the last; 'dtype' of all. */
static void
encode_into(kept_results *h, const input_case *random_frames,
            oriel_encoder *encoder, const oriel_input *input, int32_t dtype)
{
    const int32_t states[STATES] = {0, 1, 1,
                                    random_frames->r.m.oracle->network->depth};
    size_t half = dtype == ORIEL_DTYPE_F32 ? 1 : 2;
    oriel_result results[STATES + 1];
    oriel_output output = output_of(results, STATES + 1, ORIEL_MEMORY_HOST);

    memset(h->embeddings, 0x55, h->embeddings_bytes);
    for (int i = 0; i < STATES; i++) {
        memset(h->states[i], 0x55, h->state_bytes);
        results[i] =
            hidden_state_result(states[i], h->states[i], h->state_bytes / half);
        results[i].dtype = dtype;
    }
    results[STATES] =
        embeddings_result(h->embeddings, h->embeddings_bytes / half);
    results[STATES].dtype = dtype;
    cuda_fixture_encode(encoder, random_frames->r.plan, input, &output, NULL);
}

static oriel_input
input_of(const input_case *random_frames, int kind, uint16_t *halves)
{
    oriel_input input =
        input_case_input(random_frames, kind < INPUT_KINDS ? (input_kind)kind
                                                           : INPUT_HOST_VALUES);
    size_t n = random_frames->values_bytes / sizeof(float);

    if (kind < INPUT_KINDS)
        return input;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;

        memcpy(&bits, &random_frames->values[i], sizeof(bits));
        halves[i] = (uint16_t)(bits >> 16);
    }
    input.pixel_values = halves;
    input.pixel_values_bytes = n * sizeof(*halves);
    input.dtype = ORIEL_DTYPE_BF16;
    return input;
}

/* Every byte after a part is out of bounds. */
static void
no_guards(oriel_backend_context *c, oriel_step step, int32_t block)
{
    (void)block;
    if (step == ORIEL_STEP_START)
        c->checks.guard_bytes = 0;
}

static const struct {
    const oriel_network *network;
    int32_t resample, kernels, residual, attention, dtype;
    step_hook *before;
} sames[] = {
    {&fixture_tiny, ORIEL_RESAMPLE_TORCHVISION, ORIEL_KERNELS_OWN,
     ORIEL_RESIDUAL_BF16, ORIEL_ATTENTION_OWN, ORIEL_DTYPE_F32, NULL},
    {&fixture_tiny, ORIEL_RESAMPLE_PILLOW, ORIEL_KERNELS_CUBLASLT,
     ORIEL_RESIDUAL_BF16, ORIEL_ATTENTION_OWN, ORIEL_DTYPE_BF16, NULL},
    {&fixture_tiny, ORIEL_RESAMPLE_TORCHVISION, ORIEL_KERNELS_OWN,
     ORIEL_RESIDUAL_BF16, ORIEL_ATTENTION_OWN, ORIEL_DTYPE_F16, no_guards},
    {&fixture_tiny, ORIEL_RESAMPLE_FLOAT, ORIEL_KERNELS_CUBLASLT,
     ORIEL_RESIDUAL_BF16, ORIEL_ATTENTION_OWN, ORIEL_DTYPE_F32, no_guards},
    {&fixture_broad, ORIEL_RESAMPLE_PILLOW12, ORIEL_KERNELS_OWN,
     ORIEL_RESIDUAL_BF16, ORIEL_ATTENTION_OWN, ORIEL_DTYPE_BF16, no_guards},
    {&fixture_tiny, ORIEL_RESAMPLE_PILLOW, ORIEL_KERNELS_OWN,
     ORIEL_RESIDUAL_WIDE, ORIEL_ATTENTION_OWN, ORIEL_DTYPE_F32, no_guards},
    {&fixture_tiny, ORIEL_RESAMPLE_PILLOW, ORIEL_KERNELS_OWN,
     ORIEL_RESIDUAL_BF16, ORIEL_ATTENTION_CUDNN, ORIEL_DTYPE_F32, NULL},
    {&fixture_broad, ORIEL_RESAMPLE_PILLOW, ORIEL_KERNELS_CUBLASLT,
     ORIEL_RESIDUAL_WIDE, ORIEL_ATTENTION_CUDNN, ORIEL_DTYPE_F32, no_guards},
    {&fixture_tiny, ORIEL_RESAMPLE_PILLOW, ORIEL_KERNELS_HOPPER,
     ORIEL_RESIDUAL_WIDE, ORIEL_ATTENTION_OWN, ORIEL_DTYPE_BF16, no_guards},
    {&fixture_broad, ORIEL_RESAMPLE_PILLOW, ORIEL_KERNELS_HOPPER,
     ORIEL_RESIDUAL_BF16, ORIEL_ATTENTION_OWN, ORIEL_DTYPE_F32, NULL},
};

START_TEST(results_are_the_same_bytes)
{
    input_case random_frames;
    kept_results plain, checked;
    oriel_encoder *encoders[2];
    uint16_t *halves;
    size_t before;

    fixture_kernels = sames[_i].kernels;
    fixture_residual = sames[_i].residual;
    fixture_attention = sames[_i].attention;
    random_frames = input_case_make(sames[_i].network, sames[_i].resample);
    plain = kept_results_make(&random_frames, sames[_i].network);
    checked = kept_results_make(&random_frames, sames[_i].network);
    halves = oracle_alloc(1, random_frames.values_bytes);
    step_hook_before = sames[_i].before;
    encoders[0] = cuda_fixture_encoder_with(&random_frames.r, ORIEL_GRAPHS_OFF);
    encoders[1] = checked_encoder(&random_frames.r, NULL);
    before = sim_device_bytes();
    for (int kind = 0; kind < KINDS; kind++) {
        oriel_input input = input_of(&random_frames, kind, halves);

        if (kind == INPUT_DEVICE_FRAMES &&
            sames[_i].resample == ORIEL_RESAMPLE_FLOAT)
            continue; /* of the host alone */
        encode_into(&plain, &random_frames, encoders[0], &input,
                    sames[_i].dtype);
        encode_into(&checked, &random_frames, encoders[1], &input,
                    sames[_i].dtype);
        cuda_fixture_expect_silence();
        ck_assert_mem_eq(plain.embeddings, checked.embeddings,
                         plain.embeddings_bytes);
        for (int i = 0; i < STATES; i++)
            ck_assert_mem_eq(plain.states[i], checked.states[i],
                             plain.state_bytes);
        ck_assert_uint_eq(sim_device_bytes(), before);
    }
    oriel_encoder_destroy(encoders[0]);
    oriel_encoder_destroy(encoders[1]);
    kept_results_free(&plain);
    kept_results_free(&checked);
    free(halves);
    input_case_free(&random_frames);
}
END_TEST

/* ---- What a call does and does not --------------------------------------- */

/* The workspace is asked for and not touched; no graph is ever launched. */
START_TEST(the_workspace_stays_as_it_is)
{
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    oriel_encoder *encoder = checked_encoder(&r, NULL);
    size_t bytes = fixture_workspace(r.plan, ORIEL_PRECISION_BF16, 1);
    device_buffer out = device_output(r.embeddings_bytes);
    device_buffer workspace;
    unsigned char *initial = malloc(bytes), *found = malloc(bytes);
    oriel_input input = cuda_fixture_device_input(&r);
    oriel_output output =
        cuda_fixture_output(&r, out.data, ORIEL_MEMORY_DEVICE);
    uint64_t graphs = sim_graph_launches();
    oriel_encoder_info info = ORIEL_ENCODER_INFO_INIT;

    memset(initial, 0x3c, bytes);
    workspace = device_upload(initial, bytes);
    output.workspace = workspace.data;
    output.workspace_bytes = bytes;
    for (int i = 0; i < 4; i++)
        cuda_fixture_encode(encoder, r.plan, &input, &output, NULL);
    cuda_fixture_expect(&r, out);
    ck_assert_uint_eq(sim_graph_launches(), graphs);
    device_download(found, workspace);
    ck_assert_mem_eq(initial, found, bytes);
    output.workspace_bytes = bytes / 2;
    cuda_fixture_expect_refusal(encoder, &r, &input, &output, NULL,
                                ORIEL_ERR_CAPACITY, "the workspace has");
    ck_assert_int_eq(oriel_encoder_get_info(encoder, &info, NULL), ORIEL_OK);
    ck_assert_msg(strstr(info.description, "checks on"), "%s",
                  info.description);
    oriel_encoder_destroy(encoder);
    device_release(workspace);
    device_release(out);
    free(initial);
    free(found);
    cuda_fixture_free(&r);
}
END_TEST

/* So is a call that must not wait.  A refusal spoils nothing: the capture goes
   on. */
START_TEST(a_capture_is_refused)
{
    cuda_fixture r = cuda_fixture_make(cuda_fixture_shallow());
    oriel_encoder *encoder = checked_encoder(&r, NULL);
    oriel_encoder *plain = cuda_fixture_encoder(&r);
    cudaStream_t stream = cuda_fixture_stream();
    device_buffer out = device_output(r.embeddings_bytes);
    oriel_input input = cuda_fixture_device_input(&r);
    oriel_output output =
        cuda_fixture_output(&r, out.data, ORIEL_MEMORY_DEVICE);
    cudaGraphExec_t exec;
    cudaGraph_t graph;

    MUST(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    cuda_fixture_expect_refusal(encoder, &r, &input, &output, stream,
                                ORIEL_ERR_ARGUMENT, "ORIEL_CHECKS_ON");
    cuda_fixture_encode(plain, r.plan, &input, &output, stream);
    MUST(cudaStreamEndCapture(stream, &graph));
    MUST(cudaGraphInstantiate(&exec, graph, 0));
    MUST(cudaGraphDestroy(graph));
    MUST(cudaGraphLaunch(exec, stream));
    cuda_fixture_expect(&r, out);
    cuda_fixture_encode(encoder, r.plan, &input, &output, stream);
    cuda_fixture_expect(&r, out);
    MUST(cudaGraphExecDestroy(exec));
    oriel_encoder_destroy(encoder);
    oriel_encoder_destroy(plain);
    MUST(cudaStreamDestroy(stream));
    device_release(out);
    cuda_fixture_free(&r);
}
END_TEST

/* ---- Memory that is lent -------------------------------------------------- */

static int64_t lent;

static void *
lend(void *user, size_t bytes, int32_t device_index)
{
    void *memory = NULL;

    (void)user;
    (void)device_index;
    if (cudaMalloc(&memory, bytes) != cudaSuccess)
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

/* Memory as a pool gives it: with the values of its last owner. */
enum { POOLED = 64, LEFT = 0x3c, BLANK = 0xff };
static device_buffer pool[POOLED];
static int released;

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

/* All of it must have been overwritten. */
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
    released++;
    pool[i].data = NULL;
    free(found);
    take_back(user, memory, device_index);
}

START_TEST(a_part_leaves_nothing_in_memory)
{
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    float *embeddings = oracle_alloc(1, r.embeddings_bytes);
    oriel_input input = cuda_fixture_host_input(&r);
    oriel_output output =
        cuda_fixture_output(&r, embeddings, ORIEL_MEMORY_HOST);
    oriel_encoder *encoder;

    hooks.device_alloc = lend_used;
    hooks.device_free = take_blank;
    encoder = checked_encoder(&r, &hooks);
    cuda_fixture_encode(encoder, r.plan, &input, &output, NULL);
    ck_assert_mem_eq(embeddings, r.expected, r.embeddings_bytes);
    ck_assert_int_gt(released, 4 * 6);
    /* The workspace is as it was given. */
    for (int i = 0; i < POOLED; i++)
        if (pool[i].data)
            MUST(cudaMemsetAsync(pool[i].data, BLANK, pool[i].bytes, NULL));
    oriel_encoder_destroy(encoder);
    ck_assert_int_eq(lent, 0);
    free(embeddings);
    cuda_fixture_free(&r);
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
    tcase_add_test(tc, a_part_leaves_nothing_in_memory);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
