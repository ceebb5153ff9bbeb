/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_contract.c - what the cuda backend takes, needs, refuses and gives
 */
#include "base/half.h"
#include "cuda/cuda_fixture.h"
#include "cuda/staging.h"
#include "plan/plan.h"
#include "sim/control.h"
#include "support/suite.h"
#include "support/tiny_network.h"

#include <stdlib.h>
#include <string.h>

static const int32_t dtypes[] = {ORIEL_DTYPE_F32, ORIEL_DTYPE_BF16,
                                 ORIEL_DTYPE_F16};

static size_t
width_of(int32_t dtype)
{
    return dtype == ORIEL_DTYPE_F32 ? 4 : 2;
}

/* ---- Results --------------------------------------------------------------- */

/* fp32 values as 'dtype', rounded once. */
static void
convert(void *out, const float *in, size_t n, int32_t dtype)
{
    for (size_t i = 0; i < n; i++) {
        if (dtype == ORIEL_DTYPE_F32)
            ((float *)out)[i] = in[i];
        else
            ((uint16_t *)out)[i] = dtype == ORIEL_DTYPE_BF16
                                       ? oriel_f32_to_bf16(in[i])
                                       : oriel_f32_to_f16(in[i]);
    }
}

/* Rows of 'got' hold the rows of 'expected' as 'dtype', and nothing between them
   was written. */
static void
compare_rows(const unsigned char *got, size_t pitch, const float *expected,
             int64_t rows, int64_t columns, int32_t dtype, int untouched)
{
    size_t width = (size_t)columns * width_of(dtype);
    unsigned char *row = oracle_alloc(1, width);

    for (int64_t r = 0; r < rows; r++) {
        convert(row, expected + r * columns, (size_t)columns, dtype);
        ck_assert_msg(memcmp(got + (size_t)r * pitch, row, width) == 0,
                      "row %d differs", (int)r);
        for (size_t i = width; i < pitch && r + 1 < rows; i++)
            ck_assert_int_eq(got[(size_t)r * pitch + i], untouched);
    }
    free(row);
}

/* A network whose embeddings are no multiple of what a product stores, and one
   whose are: the second are stored in place. */
static oriel_network
network_of(int direct)
{
    oriel_network network = fixture_tiny;

    if (direct)
        network.out_hidden_size = 32;
    return network;
}

/* Embeddings with gaps between rows and a hidden state, in every dtype, on host and
   device, from a workspace of the caller's that is just large enough. */
START_TEST(results_in_every_dtype_and_place)
{
    int32_t dtype = dtypes[_i % 3], on_device = _i / 3 % 2;
    oriel_network network = network_of(_i / 6);
    cuda_fixture r = cuda_fixture_make(&network);
    oriel_encoder *encoder = cuda_fixture_encoder(&r);
    int64_t out = network.out_hidden_size, hidden = network.hidden_size;
    size_t pitch = ((size_t)out * width_of(dtype) + 31) / 16 * 16;
    size_t bytes = pitch * (size_t)r.info.tokens;
    size_t state_pitch = (size_t)hidden * width_of(dtype) + 16;
    size_t state_bytes = (size_t)r.info.patches * state_pitch;
    size_t needed = fixture_workspace(r.plan, ORIEL_PRECISION_BF16, 1);
    device_buffer d_out = device_output(bytes),
                  d_state = device_output(state_bytes);
    device_buffer workspace = device_output(needed);
    unsigned char *host = oracle_alloc(1, bytes);
    unsigned char *host_state = oracle_alloc(1, state_bytes);
    oriel_input input = cuda_fixture_host_input(&r);
    fixture_result whole = fixture_encode(&r.m, encoder, r.plan, &input);
    oriel_result results[2];
    oriel_output output = output_of(
        results, 2, on_device ? ORIEL_MEMORY_DEVICE : ORIEL_MEMORY_HOST);
    oriel_error err;

    memset(host, 0xff, bytes);
    memset(host_state, 0xff, state_bytes);
    results[0] = embeddings_result(on_device ? d_out.data : host, bytes);
    results[0].row_bytes = pitch;
    results[1] = hidden_state_result(3, on_device ? d_state.data : host_state,
                                     state_bytes);
    results[1].row_bytes = state_pitch;
    results[0].dtype = results[1].dtype = dtype;
    output.workspace = workspace.data;
    output.workspace_bytes = needed - 1;
    ck_assert_int_eq(oriel_encode(encoder, r.plan, &input, &output, NULL, &err),
                     ORIEL_ERR_CAPACITY);
    output.workspace_bytes = needed;
    ck_assert_msg(oriel_encode(encoder, r.plan, &input, &output, NULL, &err) ==
                      ORIEL_OK,
                  "%s", err.message);
    cuda_fixture_expect_silence();
    if (on_device) {
        device_download(host, d_out);
        device_download(host_state, d_state);
    }
    compare_rows(host, pitch, whole.embeddings, r.info.tokens, out, dtype,
                 0xff);
    compare_rows(host_state, state_pitch, whole.states[3], r.info.patches,
                 hidden, dtype, 0xff);
    /* Nothing was written past the workspace. */
    unsigned char *all = oracle_alloc(1, needed);
    device_download(all, workspace);
    free(all);
    device_release(workspace);
    device_release(d_out);
    device_release(d_state);
    free(host);
    free(host_state);
    fixture_result_free(&whole);
    oriel_encoder_destroy(encoder);
    cuda_fixture_free(&r);
}
END_TEST

/* pixel_values in every dtype, on host and device: those of the tiny network
   from bf16 values, so that none is rounded. */
START_TEST(pixel_values_in_every_dtype_and_place)
{
    int32_t dtype = dtypes[_i % 3], on_device = _i / 3;
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    oriel_encoder *encoder = cuda_fixture_encoder(&r);
    size_t n = r.pixels_bytes / sizeof(float), bytes = n * width_of(dtype);
    void *values = oracle_alloc(1, bytes);
    float *expected = oracle_alloc(1, r.embeddings_bytes);
    float *found = oracle_alloc(1, r.embeddings_bytes);
    oriel_input input = cuda_fixture_host_input(&r);
    oriel_output output = cuda_fixture_output(&r, expected, ORIEL_MEMORY_HOST);
    device_buffer d_values;

    for (size_t i = 0; i < n; i++) /* eight bits: exact in all three */
        r.pixels[i] = (float)((int)(r.pixels[i] * 64)) / 64;
    ck_assert_int_eq(oriel_encode(encoder, r.plan, &input, &output, NULL, NULL),
                     ORIEL_OK);
    convert(values, r.pixels, n, dtype);
    d_values = device_upload(values, bytes);
    input.pixel_values = on_device ? d_values.data : values;
    input.pixels_memory = on_device ? ORIEL_MEMORY_DEVICE : ORIEL_MEMORY_HOST;
    input.pixel_values_bytes = bytes;
    input.dtype = dtype;
    result_at(&output, 0)->data = found;
    ck_assert_int_eq(oriel_encode(encoder, r.plan, &input, &output, NULL, NULL),
                     ORIEL_OK);
    cuda_fixture_expect_silence();
    ck_assert_mem_eq(expected, found, r.embeddings_bytes);
    device_release(d_values);
    free(values);
    free(expected);
    free(found);
    oriel_encoder_destroy(encoder);
    cuda_fixture_free(&r);
}
END_TEST

/* Hidden states alone: the embeddings and the blocks after them are not run. */
START_TEST(hidden_states_without_embeddings)
{
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    oriel_encoder *encoder = cuda_fixture_encoder(&r);
    oriel_input input = cuda_fixture_host_input(&r);
    fixture_result whole = fixture_encode(&r.m, encoder, r.plan, &input);
    size_t n = (size_t)(r.info.patches * 32);
    float *states[2] = {oracle_alloc(n, 4), oracle_alloc(n, 4)};
    oriel_result results[2] = {hidden_state_result(1, states[0], n * 4),
                               hidden_state_result(0, states[1], n * 4)};
    oriel_output output = output_of(results, 2, ORIEL_MEMORY_HOST);

    ck_assert_int_eq(oriel_encode(encoder, r.plan, &input, &output, NULL, NULL),
                     ORIEL_OK);
    ck_assert_mem_eq(states[0], whole.states[1], n * 4);
    ck_assert_mem_eq(states[1], whole.states[0], n * 4);
    free(states[0]);
    free(states[1]);
    fixture_result_free(&whole);
    oriel_encoder_destroy(encoder);
    cuda_fixture_free(&r);
}
END_TEST

/* ---- Memory ---------------------------------------------------------------- */

/* Two encoders share one set of weights; the last one takes it along. */
START_TEST(weights_are_shared_and_go)
{
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    size_t before = sim_device_bytes(), one;
    /* Pixels on their way, and scratch. */
    size_t own = ORIEL_CUDA_STAGES * ORIEL_CUDA_STAGE_BYTES +
                 fixture_workspace(r.plan, ORIEL_PRECISION_BF16, 1);
    oriel_encoder_info info = ORIEL_ENCODER_INFO_INIT;
    oriel_encoder *first = cuda_fixture_encoder(&r), *second;

    ck_assert_int_eq(oriel_encoder_get_info(first, &info, NULL), ORIEL_OK);
    one = sim_device_bytes() - before;
    ck_assert_uint_eq(one, info.weight_bytes + own);
    ck_assert_ptr_nonnull(strstr(info.description, "cuda Simulated GPU"));
    second = cuda_fixture_encoder(&r);
    ck_assert_uint_eq(sim_device_bytes() - before, one + own);
    oriel_encoder_destroy(first);
    ck_assert_uint_eq(sim_device_bytes() - before, one);
    oriel_encoder_destroy(second);
    ck_assert_uint_eq(sim_device_bytes(), before);
    cuda_fixture_free(&r);
}
END_TEST

/* Linear in patches: four times the image, at most four times the scratch. */
START_TEST(the_workspace_is_linear)
{
    static const int64_t small[1][3] = {{1, 32, 32}},
                         large[1][3] = {{1, 64, 64}};
    fixture_model m = fixture_model_make(&fixture_tiny, 1);
    oriel_plan *one = fixture_plan(&m, small, 1);
    oriel_plan *four = fixture_plan(&m, large, 1);
    size_t few = fixture_workspace(one, ORIEL_PRECISION_BF16, 1);
    size_t many = fixture_workspace(four, ORIEL_PRECISION_BF16, 1);

    ck_assert_uint_gt(many, 3 * few);
    ck_assert_uint_le(many, 4 * few);
    oriel_plan_destroy(one);
    oriel_plan_destroy(four);
    fixture_model_free(&m);
}
END_TEST

/* ---- Refusals -------------------------------------------------------------- */

enum field {
    NOTHING,
    PRECISION,
    CHANNELS,
    MERGE,
    PATCH,
    TEMPORAL,
    HEAD_DIM_ODD,
    HEAD_DIM_LARGE,
    HIDDEN_LARGE
};

static const struct {
    enum field field;
    const char *words;
} refusals[] = {
    {NOTHING, NULL},
    {PRECISION, "precision fp32: the cuda backend has bf16 only"},
    {CHANNELS, "in_channels is 4"},
    {MERGE, "spatial_merge_size is 3"},
    {PATCH, "patch_size is 33"},
    {TEMPORAL, "temporal_patch_size is 3"},
    {HEAD_DIM_ODD, "num_heads is 20"},
    {HEAD_DIM_LARGE, "num_heads is 136"},
    {HIDDEN_LARGE, "hidden_size is 8320"},
};

static void
set_heads(oriel_network *network, int32_t heads, int32_t head_dim)
{
    network->num_heads = heads;
    network->head_dim = head_dim;
    network->hidden_size = heads * head_dim;
}

static int
count_asks(void *user)
{
    ++*(int *)user;
    return 0;
}

/* How many kernels were launched, by the runtime's own log. */
static int
count_kernels(FILE *log)
{
    char line[128];
    int n = 0;

    rewind(log);
    while (fgets(line, sizeof(line), log))
        n += strncmp(line, "kernel ", 7) == 0;
    return n;
}

/* Whoever runs the products; those of cuBLASLt are no kernels of that log. */
static const struct {
    int32_t kernels, others;
} asked[] = {{ORIEL_KERNELS_OWN, 0},
             {ORIEL_KERNELS_CUBLASLT, 4 * TINY_DEPTH},
             {ORIEL_KERNELS_HOPPER, 0}};

START_TEST(cancel_is_asked_before_each_launch)
{
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    FILE *log = tmpfile();
    oriel_encoder *encoder;
    oriel_error err;
    int asks = 0, kernels;
    cuda_fixture r;

    ck_assert_ptr_nonnull(log);
    fixture_kernels = asked[_i].kernels;
    r = cuda_fixture_make(&fixture_tiny);
    hooks.cancel = count_asks;
    hooks.user = &asks;
    encoder = cuda_fixture_try_encoder(&r, &hooks, &err);
    ck_assert_msg(encoder, "%s", err.message);
    {
        oriel_input input = cuda_fixture_host_input(&r);
        oriel_output output =
            cuda_fixture_output(&r, r.expected, ORIEL_MEMORY_HOST);

        asks = 0;
        sim_log(log);
        cuda_fixture_encode(encoder, r.plan, &input, &output, NULL);
        sim_log(NULL);
    }
    cuda_fixture_expect_silence();
    kernels = count_kernels(log);
    ck_assert_int_gt(kernels, 4 * TINY_DEPTH);
    ck_assert_int_ge(asks, kernels + asked[_i].others);
    oriel_encoder_destroy(encoder);
    cuda_fixture_free(&r);
    (void)fclose(log);
    fixture_kernels = ORIEL_KERNELS_OWN;
}
END_TEST

START_TEST(what_is_outside_the_envelope_is_refused_by_name)
{
    oriel_network network = fixture_tiny;
    int32_t precision = ORIEL_PRECISION_BF16;
    oriel_error err;
    oriel_status status;

    switch (refusals[_i].field) {
    case NOTHING:
        break;
    case PRECISION:
        precision = ORIEL_PRECISION_FP32;
        break;
    case CHANNELS:
        network.in_channels = 4;
        break;
    case MERGE:
        network.spatial_merge_size = 3;
        break;
    case PATCH:
        network.patch_size = 33;
        break;
    case TEMPORAL:
        network.temporal_patch_size = 3;
        break;
    case HEAD_DIM_ODD:
        set_heads(&network, 4, 20);
        break;
    case HEAD_DIM_LARGE:
        set_heads(&network, 2, 136);
        break;
    case HIDDEN_LARGE:
        set_heads(&network, 65, 128);
        break;
    }
    status = fixture_backend()->check(&network, precision, &err);
    if (!refusals[_i].words) {
        ck_assert_int_eq(status, ORIEL_OK);
        return;
    }
    ck_assert_int_eq(status, ORIEL_ERR_UNSUPPORTED);
    ck_assert_msg(strstr(err.message, refusals[_i].words), "%s", err.message);
}
END_TEST

/* Every published size is inside, and can be planned for without a device. */
START_TEST(published_sizes_are_inside)
{
    static const char *const names[] = {"qwen2.5-vl-3b", "qwen2.5-vl-7b",
                                        "qwen2.5-vl-32b", "qwen2.5-vl-72b"};
    static const oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_backend_config config = {.precision = ORIEL_PRECISION_BF16,
                                   .kernels = ORIEL_KERNELS_OWN,
                                   .hooks = &hooks,
                                   .call = &hooks};
    oriel_item item = {1036, 1036, 1, 0, 0, 0};
    oriel_plan *plan;
    size_t bytes;
    oriel_error err;

    sim_devices(0, 0);
    ck_assert_int_eq(oriel_plan_create(&plan, oriel_model_preset(names[_i]),
                                       &item, 1, NULL, &err),
                     ORIEL_OK);
    ck_assert_int_eq(
        fixture_backend()->check(&plan->network, ORIEL_PRECISION_BF16, &err),
        ORIEL_OK);
    ck_assert_int_eq(
        fixture_backend()->workspace_bytes(plan, &config, &bytes, &err),
        ORIEL_OK);
    /* Residual, normalised rows and qkv: 10 hidden bytes a patch; 72b's embeddings on
       their way to the host, 8,192 of 4 bytes a token, are larger than qkv. */
    ck_assert_uint_gt(bytes, 5476 * 10 * 1280);
    ck_assert_uint_lt(bytes, 5476 * 13 * 1280);
    oriel_plan_destroy(plan);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_contract");
    TCase *tc = tcase_create("contract");

    tcase_set_timeout(tc, 240);
    tcase_add_loop_test(tc, results_in_every_dtype_and_place, 0, 12);
    tcase_add_loop_test(tc, pixel_values_in_every_dtype_and_place, 0, 6);
    tcase_add_test(tc, hidden_states_without_embeddings);
    tcase_add_test(tc, weights_are_shared_and_go);
    tcase_add_test(tc, the_workspace_is_linear);
    tcase_add_loop_test(tc, cancel_is_asked_before_each_launch, 0,
                        COUNT(asked));
    tcase_add_loop_test(tc, what_is_outside_the_envelope_is_refused_by_name, 0,
                        COUNT(refusals));
    tcase_add_loop_test(tc, published_sizes_are_inside, 0, 4);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
