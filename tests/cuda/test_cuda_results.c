/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_results.c - where results go: row_index, interleaving, U8 pixels
 *
 * Results on the host by the checks that every backend has (support/batch.h);
 * here those on the device, and what a capture does with indices.
 */
#include "base/half.h"
#include "cuda/cuda_fixture.h"
#include "sim/control.h"
#include "support/batch.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

#define MUST(call) ck_assert_int_eq(call, cudaSuccess)

enum { ITEMS = 3 };
static const int64_t mixed[ITEMS][3] = {{1, 4, 6}, {2, 2, 4}, {1, 6, 2}};

START_TEST(host_results_go_where_they_are_wanted)
{
    batch b = batch_make(&fixture_tiny, ORIEL_PRECISION_BF16, mixed, ITEMS, 3);

    batch_check_row_index(&b);
    batch_check_interleaved(&b);
    cuda_fixture_expect_silence();
    batch_free(&b);
}
END_TEST

/* Sizes that need no resampling, so that the bytes of a patch are pixels. */
START_TEST(bytes_are_normalised_as_frames_are)
{
    static const oriel_item items[] = {
        {16, 24, 1, 16, 24, 0}, {24, 8, 3, 24, 8, 0}, {8, 32, 2, 8, 32, 0}};
    batch b = batch_make(&fixture_tiny, ORIEL_PRECISION_BF16, mixed, ITEMS, 3);
    oriel_plan_options options = ORIEL_PLAN_OPTIONS_INIT;
    oriel_plan *plan;

    options.resample = _i;
    ck_assert_int_eq(oriel_plan_create(&plan, b.m.model, items, COUNT(items),
                                       &options, NULL),
                     ORIEL_OK);
    batch_check_bytes(&b, plan, 8);
    cuda_fixture_expect_silence();
    oriel_plan_destroy(plan);
    batch_free(&b);
}
END_TEST

/* ---- Results on the device -------------------------------------------------- */

enum { MORE_ROWS = 6, UNTOUCHED = 0x5a, INDICES_MOST = 64 };

typedef struct indexed {
    cuda_fixture r;
    oriel_encoder *encoder;
    size_t row; /* bytes, tight */
    device_buffer out, d_index;
    unsigned char *found;
    int32_t index[INDICES_MOST];
    int32_t rows; /* of the matrix */
    oriel_result result;
    oriel_input input;
    oriel_output output;
} indexed;

static indexed
indexed_make(int32_t index_memory)
{
    indexed s = {.r = cuda_fixture_make(&fixture_tiny)};
    int64_t tokens = s.r.info.tokens;
    size_t bytes;

    ck_assert_int_le(tokens, INDICES_MOST);
    s.encoder = cuda_fixture_encoder(&s.r);
    s.row = s.r.embeddings_bytes / (size_t)tokens;
    s.rows = (int32_t)tokens + MORE_ROWS;
    bytes = s.row * (size_t)s.rows;
    s.out = device_output(bytes);
    s.found = oracle_alloc(1, bytes);
    for (int32_t t = 0; t < tokens; t++)
        s.index[t] = t % 4 == 1 ? -1 : s.rows - 1 - t;
    s.d_index = device_upload(s.index, sizeof(s.index));
    s.result = embeddings_result(s.out.data, bytes);
    s.input = cuda_fixture_device_input(&s.r);
    s.output.row_index_memory = index_memory;
    return s;
}

/* The struct does not move any more. */
static void
indexed_bind(indexed *s)
{
    int32_t memory = s->output.row_index_memory;

    s->output = output_of(&s->result, 1, ORIEL_MEMORY_DEVICE);
    s->output.row_index_memory = memory;
    s->output.row_index = memory == ORIEL_MEMORY_DEVICE
                              ? (const int32_t *)s->d_index.data
                              : s->index;
}

static void
indexed_free(indexed *s)
{
    oriel_encoder_destroy(s->encoder);
    device_release(s->out);
    device_release(s->d_index);
    free(s->found);
    cuda_fixture_free(&s->r);
}

static void
clear_rows(indexed *s)
{
    MUST(cudaMemsetAsync(s->out.data, UNTOUCHED, s->result.bytes, NULL));
    cuda_fixture_expect_silence();
}

/* Rows that 'index' names hold their token, the others their bytes. */
static void
expect_rows(indexed *s, const int32_t *index)
{
    const unsigned char *expected = (const unsigned char *)s->r.expected;

    cuda_fixture_expect_silence();
    device_download(s->found, s->out);
    for (int32_t row = 0; row < s->rows; row++) {
        const unsigned char *at = s->found + (size_t)row * s->row;
        int32_t token = -1;

        for (int32_t t = 0; t < s->r.info.tokens; t++)
            if (index[t] == row)
                token = t;
        if (token >= 0)
            ck_assert_mem_eq(at, expected + (size_t)token * s->row, s->row);
        for (size_t i = 0; i < s->row && token < 0; i++)
            ck_assert_int_eq(at[i], UNTOUCHED);
    }
}

START_TEST(tokens_land_in_rows_of_the_device)
{
    indexed s = indexed_make(_i ? ORIEL_MEMORY_DEVICE : ORIEL_MEMORY_HOST);
    int32_t index[INDICES_MOST];
    oriel_error err;

    indexed_bind(&s);
    memcpy(index, s.index, sizeof(index));
    for (int call = 0; call < 4; call++) { /* direct, recorded and replayed */
        clear_rows(&s);
        ck_assert_msg(oriel_encode(s.encoder, s.r.plan, &s.input, &s.output,
                                   NULL, &err) == ORIEL_OK,
                      "%s", err.message);
        /* Indices of the host are the caller's again. */
        memset(s.index, 0x7f, sizeof(s.index));
        expect_rows(&s, index);
        memcpy(s.index, index, sizeof(index));
    }
    indexed_free(&s);
}
END_TEST

/* On the device nothing checks them before the kernel does. */
START_TEST(rows_outside_are_not_stored)
{
    static const int32_t outside[] = {-2, INT32_MIN, INT32_MAX};
    indexed s = indexed_make(ORIEL_MEMORY_DEVICE);

    indexed_bind(&s);
    for (size_t i = 0; i < COUNT(outside); i++)
        s.index[3 * i] = outside[i];
    s.index[2] = s.rows;
    MUST(cudaMemcpy(s.d_index.data, s.index, sizeof(s.index),
                    cudaMemcpyHostToDevice));
    clear_rows(&s);
    ck_assert_int_eq(
        oriel_encode(s.encoder, s.r.plan, &s.input, &s.output, NULL, NULL),
        ORIEL_OK);
    expect_rows(&s, s.index);
    indexed_free(&s);
}
END_TEST

/* A replay reads indices and pixels anew. */
START_TEST(a_captured_call_reads_indices_at_each_replay)
{
    indexed s = indexed_make(ORIEL_MEMORY_DEVICE);
    cudaStream_t stream = cuda_fixture_stream();
    cudaGraph_t graph;
    cudaGraphExec_t exec;

    indexed_bind(&s);
    MUST(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    cuda_fixture_encode(s.encoder, s.r.plan, &s.input, &s.output, stream);
    MUST(cudaStreamEndCapture(stream, &graph));
    MUST(cudaGraphInstantiate(&exec, graph, 0));
    for (int32_t turn = 0; turn < 3; turn++) {
        for (int32_t t = 0; t < s.r.info.tokens; t++)
            s.index[t] = t == turn ? -1 : (t + turn) % s.rows;
        MUST(cudaMemcpy(s.d_index.data, s.index, sizeof(s.index),
                        cudaMemcpyHostToDevice));
        clear_rows(&s);
        MUST(cudaGraphLaunch(exec, stream));
        expect_rows(&s, s.index);
    }
    MUST(cudaGraphExecDestroy(exec));
    MUST(cudaGraphDestroy(graph));
    MUST(cudaStreamDestroy(stream));
    indexed_free(&s);
}
END_TEST

START_TEST(indices_that_cannot_be_read)
{
    indexed s = indexed_make(ORIEL_MEMORY_HOST);
    cudaStream_t stream = cuda_fixture_stream();
    cudaGraph_t graph;

    indexed_bind(&s);
    MUST(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    cuda_fixture_expect_refusal(s.encoder, &s.r, &s.input, &s.output, stream,
                                ORIEL_ERR_ARGUMENT, "output.row_index_memory");
    MUST(cudaStreamEndCapture(stream, &graph));
    MUST(cudaGraphDestroy(graph));
    s.output.row_index_memory = ORIEL_MEMORY_DEVICE; /* they are the host's */
    cuda_fixture_expect_refusal(s.encoder, &s.r, &s.input, &s.output, NULL,
                                ORIEL_ERR_ARGUMENT, "output.row_index");
    s.output.row_index = s.d_index.data;
    s.output.row_index_memory = ORIEL_MEMORY_HOST;
    s.output.row_index_memory = ORIEL_MEMORY_DEVICE;
    s.output.results_memory = ORIEL_MEMORY_HOST;
    cuda_fixture_expect_refusal(s.encoder, &s.r, &s.input, &s.output, NULL,
                                ORIEL_ERR_ARGUMENT,
                                "expected both on the device");
    MUST(cudaStreamDestroy(stream));
    indexed_free(&s);
}
END_TEST

/* Embeddings in two dtypes and a hidden state, side by side on the device. */
START_TEST(device_results_interleave)
{
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    oriel_encoder *encoder = cuda_fixture_encoder(&r);
    oriel_input input = cuda_fixture_device_input(&r);
    fixture_result whole;
    size_t out = r.embeddings_bytes / (size_t)r.info.tokens;
    size_t hidden = 32 * sizeof(float), pitch = out + out / 2 + hidden;
    size_t bytes = (size_t)r.info.patches * pitch;
    device_buffer matrix = device_output(bytes);
    unsigned char *found = oracle_alloc(1, bytes);
    oriel_result results[] = {
        embeddings_result(matrix.data, bytes),
        embeddings_result((char *)matrix.data + out, bytes - out),
        hidden_state_result(2, (char *)matrix.data + out + out / 2,
                            bytes - out - out / 2)};
    oriel_output output = output_of(results, 3, ORIEL_MEMORY_DEVICE);
    oriel_input host = cuda_fixture_host_input(&r);

    results[0].row_bytes = results[1].row_bytes = results[2].row_bytes = pitch;
    results[1].dtype = ORIEL_DTYPE_BF16;
    whole = fixture_encode(&r.m, encoder, r.plan, &host);
    cuda_fixture_encode(encoder, r.plan, &input, &output, NULL);
    cuda_fixture_expect_silence();
    device_download(found, matrix);
    for (int64_t p = 0; p < r.info.patches; p++) {
        const unsigned char *row = found + (size_t)p * pitch;

        if (p < r.info.tokens)
            ck_assert_mem_eq(row, whole.embeddings + p * whole.out_hidden, out);
        for (int64_t i = 0; i < whole.out_hidden && p < r.info.tokens; i++) {
            uint16_t half;

            memcpy(&half, row + out + 2 * (size_t)i, 2);
            ck_assert_int_eq(
                half,
                oriel_f32_to_bf16(whole.embeddings[p * whole.out_hidden + i]));
        }
        ck_assert_mem_eq(row + out + out / 2, whole.states[2] + p * 32, hidden);
    }
    free(found);
    device_release(matrix);
    fixture_result_free(&whole);
    oriel_encoder_destroy(encoder);
    cuda_fixture_free(&r);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_results");
    TCase *tc = tcase_create("results");

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, host_results_go_where_they_are_wanted);
    tcase_add_loop_test(tc, bytes_are_normalised_as_frames_are, 0, 4);
    tcase_add_loop_test(tc, tokens_land_in_rows_of_the_device, 0, 2);
    tcase_add_test(tc, rows_outside_are_not_stored);
    tcase_add_test(tc, a_captured_call_reads_indices_at_each_replay);
    tcase_add_test(tc, indices_that_cannot_be_read);
    tcase_add_test(tc, device_results_interleave);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
