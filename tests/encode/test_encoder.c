/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The encoder on a device that does nothing until it is drained: the order of
 * steps, what it may keep, and how failures leave it.
 */
#include "encode/encode_fixture.h"
#include "encode/encoder.h"
#include "encode/fake_backend.h"
#include "support/suite.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A patch's history after the embedding and 'blocks' blocks. */
static uint64_t
history_of(const float *row, int32_t blocks)
{
    uint64_t h = fake_mix(fake_row_seed(row, TINY_COLUMNS), FAKE_EMBED * 1000);
    static const enum fake_step order[] = {
        FAKE_ATTN_IN, FAKE_ATTEND, FAKE_ATTN_OUT, FAKE_MLP_IN, FAKE_MLP_OUT};

    for (int32_t b = 0; b < blocks; b++)
        for (size_t i = 0; i < COUNT(order); i++)
            h = fake_mix(h, (uint64_t)order[i] * 1000u + (uint64_t)b);
    return h;
}

static void
check_state(const struct encode_fixture *s, int32_t k)
{
    for (int p = 0; p < FIXTURE_PATCHES; p++) {
        uint64_t h = history_of(s->pixel_values + p * TINY_COLUMNS, k);

        for (int c = 0; c < TINY_HIDDEN; c++)
            ck_assert(s->states[k][p * TINY_HIDDEN + c] == fake_value(h, c));
    }
}

static void
check_embeddings(const struct encode_fixture *s)
{
    for (int t = 0; t < FIXTURE_TOKENS; t++) {
        uint64_t h = 0;

        for (int p = 4 * t; p < 4 * t + 4; p++)
            h = fake_mix(
                h, history_of(s->pixel_values + p * TINY_COLUMNS, TINY_DEPTH));
        for (int c = 0; c < TINY_OUT; c++)
            ck_assert(s->embeddings[t * TINY_OUT + c] == fake_value(h, c));
    }
}

static void
check_poison(const void *memory, size_t bytes)
{
    const unsigned char *p = memory;

    for (size_t i = 0; i < bytes; i++)
        ck_assert_int_eq(p[i], FAKE_POISON);
}

/* ---- Order and lifetimes ----------------------------------------------- */

START_TEST(everything_but_memory_may_go_after_return)
{
    struct encode_fixture s;
    struct CUstream_st *stream = (struct CUstream_st *)&s;

    encode_fixture_setup(&s, fake_backend());
    s.output.n_results = TINY_DEPTH + 2;
    ck_assert_int_eq(encode_fixture_encode(&s, stream, NULL), ORIEL_OK);
    oriel_plan_destroy(s.plan);
    s.plan = NULL;
    memset(&s.input, FAKE_POISON, sizeof(s.input));
    memset(&s.output, FAKE_POISON, sizeof(s.output));
    memset(s.results, FAKE_POISON, sizeof(s.results));

    check_poison(s.embeddings, FIXTURE_TOKENS * TINY_OUT * 4);
    ck_assert_int_eq(fake_drain(NULL), 0);
    ck_assert_int_eq(fake_drain(stream), 1);
    check_embeddings(&s);
    for (int32_t k = 0; k <= TINY_DEPTH; k++)
        check_state(&s, k);
    encode_fixture_teardown(&s);
}
END_TEST

START_TEST(streams_drain_in_any_order)
{
    struct encode_fixture s;
    struct CUstream_st *a = (struct CUstream_st *)&s;
    struct CUstream_st *b = (struct CUstream_st *)&s.plan;
    float *second = aligned_alloc(64, FIXTURE_TOKENS * TINY_OUT * 4);
    float *pixels = aligned_alloc(64, FIXTURE_PATCHES * TINY_COLUMNS * 4);
    float *first_embeddings, *first_pixels;

    encode_fixture_setup(&s, fake_backend());
    ck_assert_int_eq(encode_fixture_encode(&s, a, NULL), ORIEL_OK);
    /* The second has a encode_fixture_workspace of its own, which starts anywhere. */
    first_embeddings = s.embeddings;
    first_pixels = s.pixel_values;
    for (int i = 0; i < FIXTURE_PATCHES * TINY_COLUMNS; i++)
        pixels[i] = -first_pixels[i];
    char *own = malloc(encode_fixture_workspace + 8);

    s.input.pixel_values = pixels;
    s.results[0].data = second;
    s.output.workspace = own + 8;
    s.output.workspace_bytes = encode_fixture_workspace;
    ck_assert_int_eq(encode_fixture_encode(&s, b, NULL), ORIEL_OK);
    ck_assert_int_eq(fake_drain(b), 1);
    s.embeddings = second;
    s.pixel_values = pixels;
    check_embeddings(&s);
    check_poison(first_embeddings, FIXTURE_TOKENS * TINY_OUT * 4);
    ck_assert_int_eq(fake_drain(a), 1);
    s.embeddings = first_embeddings;
    s.pixel_values = first_pixels;
    check_embeddings(&s);
    free(own);
    free(second);
    free(pixels);
    encode_fixture_teardown(&s);
}
END_TEST

START_TEST(hidden_states_alone_stop_early)
{
    struct encode_fixture s;
    int n_block_steps = 5;

    encode_fixture_setup(&s, fake_backend());
    s.results[0] = s.results[3]; /* states 2 and 0, in any order */
    s.output.n_results = 2;
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, NULL), ORIEL_OK);
    /* start, patchify, embed, two states, finish; two blocks; no merge. */
    ck_assert_int_eq(fake.calls, 6 + 2 * n_block_steps);
    fake_drain(NULL);
    check_state(&s, 0);
    check_state(&s, 2);
    encode_fixture_teardown(&s);
}
END_TEST

START_TEST(wide_rows_keep_their_gaps)
{
    struct encode_fixture s;
    size_t row = TINY_OUT * 4 + 32;
    unsigned char *wide = aligned_alloc(64, FIXTURE_TOKENS * row);

    encode_fixture_setup(&s, fake_backend());
    s.results[0].data = wide;
    s.results[0].row_bytes = row;
    s.results[0].bytes = FIXTURE_TOKENS * row - 32;
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, NULL), ORIEL_OK);
    fake_drain(NULL);
    for (int t = 0; t < FIXTURE_TOKENS; t++)
        memcpy(s.embeddings + t * TINY_OUT, wide + (size_t)t * row,
               TINY_OUT * 4);
    check_embeddings(&s);
    free(wide);
    encode_fixture_teardown(&s);
}
END_TEST

/* Hidden states and embeddings as columns of one matrix. */
START_TEST(results_interleave)
{
    struct encode_fixture s;
    size_t width = TINY_HIDDEN * 4, row = 3 * TINY_HIDDEN * 4;
    unsigned char *wide = aligned_alloc(64, FIXTURE_PATCHES * row);

    encode_fixture_setup(&s, fake_host_backend());
    for (int k = 0; k < 3; k++) {
        s.results[1 + k].data = wide + (size_t)k * width;
        s.results[1 + k].row_bytes = row;
        s.results[1 + k].bytes = (FIXTURE_PATCHES - 1) * row + width;
    }
    s.output.results = s.results + 1;
    s.output.n_results = 3;
    /* The fake poisons whole results: each is drained before the next. */
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, NULL), ORIEL_OK);
    fake_drain(NULL);
    for (int k = 0; k < 3; k++) {
        for (int p = 0; p < FIXTURE_PATCHES; p++)
            memcpy(s.states[k] + p * TINY_HIDDEN,
                   wide + (size_t)p * row + (size_t)k * width, width);
        check_state(&s, k);
    }
    free(wide);
    encode_fixture_teardown(&s);
}
END_TEST

/* Tokens backwards into a larger matrix, every third of them skipped. */
START_TEST(row_index_says_where_tokens_go)
{
    struct encode_fixture s;
    size_t row = TINY_OUT * 4;
    unsigned char *wide = aligned_alloc(16, (FIXTURE_TOKENS + 5) * row);
    int32_t index[FIXTURE_TOKENS];

    encode_fixture_setup(&s, fake_backend());
    for (int t = 0; t < FIXTURE_TOKENS; t++)
        index[t] = t % 3 == 0 ? -1 : FIXTURE_TOKENS + 4 - t;
    s.results[0].data = wide;
    s.results[0].bytes = (FIXTURE_TOKENS + 5) * row;
    s.output.row_index = index;
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, NULL), ORIEL_OK);
    memset(index, FAKE_POISON, sizeof(index));
    fake_drain(NULL);
    s.results[0].data = s.embeddings;
    s.results[0].bytes = FIXTURE_TOKENS * row;
    s.output.row_index = NULL;
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, NULL), ORIEL_OK);
    fake_drain(NULL);
    check_embeddings(&s);
    for (int i = 0; i < FIXTURE_TOKENS + 5; i++) {
        int t = FIXTURE_TOKENS + 4 - i;

        if (t < FIXTURE_TOKENS && t % 3 != 0)
            ck_assert_mem_eq(wide + (size_t)i * row,
                             s.embeddings + t * TINY_OUT, row);
        else
            check_poison(wide + (size_t)i * row, row);
    }
    free(wide);
    encode_fixture_teardown(&s);
}
END_TEST

/* ---- Failures ---------------------------------------------------------- */

enum { ALL_CALLS = 5 * TINY_DEPTH + 5 + TINY_DEPTH + 1 };

START_TEST(every_call_can_fail)
{
    struct encode_fixture s;
    oriel_error err;

    encode_fixture_setup(&s, fake_backend());
    s.output.n_results = TINY_DEPTH + 2;
    for (int n = 1; n <= ALL_CALLS; n++) {
        int starts = fake.starts, finishes = fake.finishes;

        fake.calls = 0;
        fake.fail_call = n;
        fake.fail_with = ORIEL_ERR_MEMORY;
        ck_assert_int_eq(encode_fixture_encode(&s, NULL, &err),
                         ORIEL_ERR_MEMORY);
        ck_assert_int_eq(err.status, ORIEL_ERR_MEMORY);
        ck_assert_ptr_nonnull(strstr(err.message, "fails"));
        ck_assert_int_eq(fake.starts - starts, n > 1);
        ck_assert_int_eq(fake.finishes - finishes, n > 1);
        fake_drain(NULL);
    }
    /* The encoder is as good as before. */
    fake.fail_call = 0;
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, &err), ORIEL_OK);
    ck_assert_int_eq(err.status, ORIEL_OK);
    fake_drain(NULL);
    check_embeddings(&s);
    encode_fixture_teardown(&s);
}
END_TEST

START_TEST(after_a_fault_the_encoder_is_lost)
{
    struct encode_fixture s;
    oriel_error err;

    encode_fixture_setup(&s, fake_backend());
    fake.fail_call = 4;
    fake.fail_with = ORIEL_ERR_FAULT;
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, &err), ORIEL_ERR_FAULT);
    fake.fail_call = 0;
    fake.calls = 0;
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, &err), ORIEL_ERR_FAULT);
    ck_assert_ptr_nonnull(strstr(err.message, "destroy"));
    ck_assert_int_eq(fake.calls, 0);
    fake_drain(NULL);
    encode_fixture_teardown(&s);
}
END_TEST

static int32_t
cancel_when_it_ends(void *user)
{
    return --*(int *)user < 0;
}

/* 0: at once; then ever later. */
START_TEST(cancel_reaches_every_backend)
{
    struct encode_fixture s;
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_error err;
    int patience = 1000;

    encode_fixture_setup(&s, _i ? fake_host_backend() : fake_backend());
    oriel_encoder_destroy(s.encoder);
    hooks.cancel = cancel_when_it_ends;
    hooks.user = &patience;
    ck_assert_int_eq(
        encode_fixture_create(&s.encoder, s.tiny.model,
                              _i ? fake_host_backend() : fake_backend(), &hooks,
                              encode_fixture_workspace, NULL),
        ORIEL_OK);
    for (int n = 0; n < 20; n++) {
        patience = n;
        ck_assert_int_eq(encode_fixture_encode(&s, NULL, &err),
                         ORIEL_ERR_CANCELLED);
        fake_drain(NULL);
    }
    encode_fixture_teardown(&s);
}
END_TEST

struct again {
    struct encode_fixture *fixture;
    oriel_status status;
};

static void
encode_within(void *user)
{
    struct again *again = user;

    again->status = encode_fixture_encode(again->fixture, NULL, NULL);
}

START_TEST(one_call_at_a_time)
{
    struct encode_fixture s;
    struct again again = {&s, ORIEL_OK};

    encode_fixture_setup(&s, fake_backend());
    fake.inside = encode_within;
    fake.inside_user = &again;
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, NULL), ORIEL_OK);
    ck_assert_int_eq(again.status, ORIEL_ERR_ARGUMENT);
    fake_drain(NULL);
    encode_fixture_teardown(&s);
}
END_TEST

START_TEST(info_tells_what_was_made)
{
    struct encode_fixture s;
    oriel_encoder_info info = ORIEL_ENCODER_INFO_INIT;

    encode_fixture_setup(&s, fake_backend());
    ck_assert_int_eq(oriel_encoder_get_info(s.encoder, &info, NULL), ORIEL_OK);
    ck_assert_int_eq(info.device, ORIEL_DEVICE_CUDA);
    ck_assert_int_eq(info.precision, ORIEL_PRECISION_FP32);
    ck_assert_uint_eq(info.workspace_bytes, encode_fixture_workspace);
    ck_assert_uint_eq(info.weight_bytes, 1234);
    ck_assert_str_eq(info.description, "fake, nothing inside");
    ck_assert_int_eq(oriel_encoder_get_info(NULL, &info, NULL),
                     ORIEL_ERR_ARGUMENT);
    encode_fixture_teardown(&s);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("encoder");
    TCase *order = tcase_create("order");
    TCase *failures = tcase_create("failures");

    tcase_add_test(order, everything_but_memory_may_go_after_return);
    tcase_add_test(order, streams_drain_in_any_order);
    tcase_add_test(order, hidden_states_alone_stop_early);
    tcase_add_test(order, wide_rows_keep_their_gaps);
    tcase_add_test(order, results_interleave);
    tcase_add_test(order, row_index_says_where_tokens_go);
    tcase_add_test(order, info_tells_what_was_made);
    tcase_add_test(failures, every_call_can_fail);
    tcase_add_test(failures, after_a_fault_the_encoder_is_lost);
    tcase_add_loop_test(failures, cancel_reaches_every_backend, 0, 2);
    tcase_add_test(failures, one_call_at_a_time);
    suite_add_tcase(suite, order);
    suite_add_tcase(suite, failures);
    return run_suite(suite);
}
