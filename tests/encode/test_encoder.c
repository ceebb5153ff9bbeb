/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The encoder on a device that does nothing until it is drained: the order of
 * steps, what it may keep, what it refuses, and how failures leave it.
 */
#include "encode/encoder.h"
#include "encode/fake_backend.h"
#include "support/random.h"
#include "support/suite.h"
#include "support/tiny_model.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const int64_t grids[] = {1, 10, 14, 2, 8, 8, 1, 2, 2};
enum { N_ITEMS = 3, PATCHES = 272, TOKENS = 68, SLACK = 256 };

/* One encoder, and all that one call of it takes. */
struct scene {
    tiny_model tiny;
    oriel_encoder *encoder;
    oriel_plan *plan;
    float *pixel_values;
    float *embeddings;
    float *states[TINY_DEPTH + 1];
    oriel_input input;
    oriel_output output;
    oriel_tap taps[TINY_DEPTH + 1];
};

static const oriel_hooks no_hooks = ORIEL_HOOKS_INIT;
static const size_t workspace =
    (size_t)PATCHES * FAKE_WORKSPACE_PER_PATCH + SLACK;

static oriel_status
create(oriel_encoder **out, const oriel_model *model,
       const oriel_backend *backend, const oriel_hooks *hooks, size_t bytes,
       oriel_error *err)
{
    oriel_backend_config config = {0};

    config.precision = ORIEL_PRECISION_FP32;
    config.threads = 1;
    return oriel_encoder_create_on(out, model, backend, ORIEL_DEVICE_CUDA,
                                   &config, hooks, bytes, err);
}

static void
setup(struct scene *s, const oriel_backend *backend)
{
    random_stream random = {3};
    int32_t memory = backend->memory;

    fake_reset();
    memset(s, 0, sizeof(*s));
    s->tiny = tiny_model_open(NULL);
    ck_assert_int_eq(
        create(&s->encoder, s->tiny.model, backend, &no_hooks, workspace, NULL),
        ORIEL_OK);
    ck_assert_int_eq(oriel_plan_create_from_grids(&s->plan, s->tiny.model,
                                                  grids, N_ITEMS, NULL, NULL),
                     ORIEL_OK);
    s->pixel_values = aligned_alloc(64, PATCHES * TINY_COLUMNS * 4);
    for (int i = 0; i < PATCHES * TINY_COLUMNS; i++)
        s->pixel_values[i] = (float)random_unit(&random);
    s->embeddings = aligned_alloc(64, TOKENS * TINY_OUT * 4);
    s->input = (oriel_input)ORIEL_INPUT_INIT;
    s->input.memory = memory;
    s->input.pixel_values = s->pixel_values;
    s->input.pixel_values_bytes = PATCHES * TINY_COLUMNS * 4;
    s->output = (oriel_output)ORIEL_OUTPUT_INIT;
    s->output.memory = memory;
    s->output.embeddings = s->embeddings;
    s->output.embeddings_bytes = TOKENS * TINY_OUT * 4;
    s->output.taps = s->taps;
    for (int k = 0; k <= TINY_DEPTH; k++) {
        s->states[k] = aligned_alloc(64, PATCHES * TINY_HIDDEN * 4);
        s->taps[k].hidden_state = k;
        s->taps[k].data = s->states[k];
        s->taps[k].bytes = PATCHES * TINY_HIDDEN * 4;
    }
}

static void
teardown(struct scene *s)
{
    oriel_plan_destroy(s->plan);
    oriel_encoder_destroy(s->encoder);
    tiny_model_close(&s->tiny);
    free(s->pixel_values);
    free(s->embeddings);
    for (int k = 0; k <= TINY_DEPTH; k++)
        free(s->states[k]);
    ck_assert_int_eq(fake.contexts, 0);
    ck_assert_int_eq(fake.loads - fake.frees, 0);
}

static oriel_status
encode(struct scene *s, struct CUstream_st *stream, oriel_error *err)
{
    return oriel_encode(s->encoder, s->plan, &s->input, &s->output, stream,
                        err);
}

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
check_state(const struct scene *s, int32_t k)
{
    for (int p = 0; p < PATCHES; p++) {
        uint64_t h = history_of(s->pixel_values + p * TINY_COLUMNS, k);

        for (int c = 0; c < TINY_HIDDEN; c++)
            ck_assert(s->states[k][p * TINY_HIDDEN + c] == fake_value(h, c));
    }
}

static void
check_embeddings(const struct scene *s)
{
    for (int t = 0; t < TOKENS; t++) {
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
    struct scene s;
    struct CUstream_st *stream = (struct CUstream_st *)&s;

    setup(&s, fake_backend());
    s.output.n_taps = TINY_DEPTH + 1;
    ck_assert_int_eq(encode(&s, stream, NULL), ORIEL_OK);
    oriel_plan_destroy(s.plan);
    s.plan = NULL;
    memset(&s.input, FAKE_POISON, sizeof(s.input));
    memset(&s.output, FAKE_POISON, sizeof(s.output));
    memset(s.taps, FAKE_POISON, sizeof(s.taps));

    check_poison(s.embeddings, TOKENS * TINY_OUT * 4);
    ck_assert_int_eq(fake_drain(NULL), 0);
    ck_assert_int_eq(fake_drain(stream), 1);
    check_embeddings(&s);
    for (int32_t k = 0; k <= TINY_DEPTH; k++)
        check_state(&s, k);
    teardown(&s);
}
END_TEST

START_TEST(streams_drain_in_any_order)
{
    struct scene s;
    struct CUstream_st *a = (struct CUstream_st *)&s;
    struct CUstream_st *b = (struct CUstream_st *)&s.plan;
    float *second = aligned_alloc(64, TOKENS * TINY_OUT * 4);
    float *pixels = aligned_alloc(64, PATCHES * TINY_COLUMNS * 4);
    float *first_embeddings, *first_pixels;

    setup(&s, fake_backend());
    ck_assert_int_eq(encode(&s, a, NULL), ORIEL_OK);
    /* The second has a workspace of its own, which starts anywhere. */
    first_embeddings = s.embeddings;
    first_pixels = s.pixel_values;
    for (int i = 0; i < PATCHES * TINY_COLUMNS; i++)
        pixels[i] = -first_pixels[i];
    char *own = malloc(workspace + 8);

    s.input.pixel_values = pixels;
    s.output.embeddings = second;
    s.output.workspace = own + 8;
    s.output.workspace_bytes = workspace;
    ck_assert_int_eq(encode(&s, b, NULL), ORIEL_OK);
    ck_assert_int_eq(fake_drain(b), 1);
    s.embeddings = second;
    s.pixel_values = pixels;
    check_embeddings(&s);
    check_poison(first_embeddings, TOKENS * TINY_OUT * 4);
    ck_assert_int_eq(fake_drain(a), 1);
    s.embeddings = first_embeddings;
    s.pixel_values = first_pixels;
    check_embeddings(&s);
    free(own);
    free(second);
    free(pixels);
    teardown(&s);
}
END_TEST

START_TEST(taps_alone_stop_early)
{
    struct scene s;
    int n_block_steps = 5;

    setup(&s, fake_backend());
    s.output.embeddings = NULL;
    s.output.n_taps = 2;
    s.taps[0].hidden_state = 2; /* in any order */
    s.taps[1].hidden_state = 0;
    s.taps[0].data = s.states[2];
    s.taps[1].data = s.states[0];
    ck_assert_int_eq(encode(&s, NULL, NULL), ORIEL_OK);
    /* start, patchify, embed, two taps, finish; two blocks; no merge. */
    ck_assert_int_eq(fake.calls, 6 + 2 * n_block_steps);
    fake_drain(NULL);
    check_state(&s, 0);
    check_state(&s, 2);
    teardown(&s);
}
END_TEST

START_TEST(wide_rows_keep_their_gaps)
{
    struct scene s;
    size_t row = TINY_OUT * 4 + 32;
    unsigned char *wide = aligned_alloc(64, TOKENS * row);

    setup(&s, fake_backend());
    s.output.embeddings = wide;
    s.output.row_bytes = row;
    s.output.embeddings_bytes = TOKENS * row - 32;
    ck_assert_int_eq(encode(&s, NULL, NULL), ORIEL_OK);
    fake_drain(NULL);
    for (int t = 0; t < TOKENS; t++)
        memcpy(s.embeddings + t * TINY_OUT, wide + (size_t)t * row,
               TINY_OUT * 4);
    check_embeddings(&s);
    free(wide);
    teardown(&s);
}
END_TEST

/* ---- Failures ---------------------------------------------------------- */

enum { ALL_CALLS = 5 * TINY_DEPTH + 5 + TINY_DEPTH + 1 };

START_TEST(every_call_can_fail)
{
    struct scene s;
    oriel_error err;

    setup(&s, fake_backend());
    s.output.n_taps = TINY_DEPTH + 1;
    for (int n = 1; n <= ALL_CALLS; n++) {
        int starts = fake.starts, finishes = fake.finishes;

        fake.calls = 0;
        fake.fail_call = n;
        fake.fail_with = ORIEL_ERR_MEMORY;
        ck_assert_int_eq(encode(&s, NULL, &err), ORIEL_ERR_MEMORY);
        ck_assert_int_eq(err.status, ORIEL_ERR_MEMORY);
        ck_assert_ptr_nonnull(strstr(err.message, "fails"));
        ck_assert_int_eq(fake.starts - starts, n > 1);
        ck_assert_int_eq(fake.finishes - finishes, n > 1);
        fake_drain(NULL);
    }
    /* The encoder is as good as before. */
    fake.fail_call = 0;
    ck_assert_int_eq(encode(&s, NULL, &err), ORIEL_OK);
    ck_assert_int_eq(err.status, ORIEL_OK);
    fake_drain(NULL);
    check_embeddings(&s);
    teardown(&s);
}
END_TEST

START_TEST(after_a_fault_the_encoder_is_lost)
{
    struct scene s;
    oriel_error err;

    setup(&s, fake_backend());
    fake.fail_call = 4;
    fake.fail_with = ORIEL_ERR_FAULT;
    ck_assert_int_eq(encode(&s, NULL, &err), ORIEL_ERR_FAULT);
    fake.fail_call = 0;
    fake.calls = 0;
    ck_assert_int_eq(encode(&s, NULL, &err), ORIEL_ERR_FAULT);
    ck_assert_ptr_nonnull(strstr(err.message, "destroy"));
    ck_assert_int_eq(fake.calls, 0);
    fake_drain(NULL);
    teardown(&s);
}
END_TEST

static int32_t
cancel_when_it_ends(void *user)
{
    return --*(int *)user < 0;
}

/* 0: at once; then ever later. */
START_TEST(cancel_reaches_the_cpu_only)
{
    struct scene s;
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_error err;
    int patience = 1000;

    setup(&s, _i ? fake_host_backend() : fake_backend());
    oriel_encoder_destroy(s.encoder);
    hooks.cancel = cancel_when_it_ends;
    hooks.user = &patience;
    ck_assert_int_eq(create(&s.encoder, s.tiny.model,
                            _i ? fake_host_backend() : fake_backend(), &hooks,
                            workspace, NULL),
                     ORIEL_OK);
    s.output.memory = s.input.memory;
    for (int n = 0; n < 20; n++) {
        patience = n;
        ck_assert_int_eq(encode(&s, NULL, &err),
                         _i ? ORIEL_ERR_CANCELLED : ORIEL_OK);
        fake_drain(NULL);
    }
    teardown(&s);
}
END_TEST

struct again {
    struct scene *scene;
    oriel_status status;
};

static void
encode_within(void *user)
{
    struct again *again = user;

    again->status = encode(again->scene, NULL, NULL);
}

START_TEST(one_call_at_a_time)
{
    struct scene s;
    struct again again = {&s, ORIEL_OK};

    setup(&s, fake_backend());
    fake.inside = encode_within;
    fake.inside_user = &again;
    ck_assert_int_eq(encode(&s, NULL, NULL), ORIEL_OK);
    ck_assert_int_eq(again.status, ORIEL_ERR_ARGUMENT);
    fake_drain(NULL);
    teardown(&s);
}
END_TEST

/* ---- Refusals: nothing is enqueued ------------------------------------- */

struct refusal {
    void (*spoil)(struct scene *);
    oriel_status status;
    const char *says;
};

static const void *const no_frames[4] = {NULL};
static oriel_tap bad_tap;

#define SPOIL(name, ...) \
    static void name(struct scene *s) \
    { \
        __VA_ARGS__; \
    }
SPOIL(no_input, s->input.struct_size = 0)
SPOIL(input_from_the_future, s->input.reserved = 1)
SPOIL(both_inputs, s->input.frames = no_frames)
SPOIL(neither_input, s->input.pixel_values = NULL)
SPOIL(frames_of_grids, s->input.frames = no_frames;
      s->input.pixel_values = NULL)
SPOIL(few_pixel_bytes, s->input.pixel_values_bytes -= 4)
SPOIL(many_pixel_bytes, s->input.pixel_values_bytes += 4)
SPOIL(pixel_dtype, s->input.dtype = 9)
SPOIL(pixel_memory, s->input.memory = 2)
SPOIL(pixel_alignment,
      s->input.pixel_values = (const char *)s->pixel_values + 8)
SPOIL(no_output, s->output.embeddings = NULL)
SPOIL(few_bytes, s->output.embeddings_bytes--)
SPOIL(narrow_rows, s->output.row_bytes = TINY_OUT * 4 - 16)
SPOIL(odd_rows, s->output.row_bytes = TINY_OUT * 4 + 1;
      s->output.embeddings_bytes *= 2)
SPOIL(huge_rows, s->output.row_bytes = SIZE_MAX - 15)
SPOIL(output_dtype, s->output.dtype = -1)
SPOIL(output_memory, s->output.memory = -1)
SPOIL(taps_missing, s->output.n_taps = 1; s->output.taps = NULL)
SPOIL(taps_negative, s->output.n_taps = -1)
SPOIL(tap_behind_the_end, bad_tap = s->taps[0];
      bad_tap.hidden_state = TINY_DEPTH + 1; s->output.taps = &bad_tap;
      s->output.n_taps = 1)
SPOIL(tap_before_the_start, bad_tap = s->taps[0]; bad_tap.hidden_state = -1;
      s->output.taps = &bad_tap; s->output.n_taps = 1)
SPOIL(tap_too_small, bad_tap = s->taps[0]; bad_tap.bytes--;
      s->output.taps = &bad_tap; s->output.n_taps = 1)
SPOIL(tap_nowhere, bad_tap = s->taps[0]; bad_tap.data = NULL;
      s->output.taps = &bad_tap; s->output.n_taps = 1)
SPOIL(tap_dtype, bad_tap = s->taps[0]; bad_tap.dtype = 4;
      s->output.taps = &bad_tap; s->output.n_taps = 1)
SPOIL(small_workspace, s->output.workspace = s->states[0];
      s->output.workspace_bytes = workspace - SLACK - 1)
SPOIL(tiny_workspace, s->output.workspace = (char *)s->states[0] + 64;
      s->output.workspace_bytes = 1)
SPOIL(no_plan, oriel_plan_destroy(s->plan); s->plan = NULL)
SPOIL(foreign_plan, oriel_plan_destroy(s->plan);
      ck_assert_int_eq(oriel_plan_create_from_grids(&s->plan, NULL, grids,
                                                    N_ITEMS, NULL, NULL),
                       ORIEL_OK))

static const struct refusal refusals[] = {
    {no_input, ORIEL_ERR_ARGUMENT, "oriel_input"},
    {both_inputs, ORIEL_ERR_ARGUMENT, "both"},
    {neither_input, ORIEL_ERR_ARGUMENT, "neither"},
    {frames_of_grids, ORIEL_ERR_ARGUMENT, "grids"},
    {few_pixel_bytes, ORIEL_ERR_ARGUMENT, "pixel_values_bytes"},
    {many_pixel_bytes, ORIEL_ERR_ARGUMENT, "272 patches of 96"},
    {pixel_dtype, ORIEL_ERR_ARGUMENT, "input.dtype is 9"},
    {pixel_memory, ORIEL_ERR_ARGUMENT, "input.memory is 2"},
    {pixel_alignment, ORIEL_ERR_ARGUMENT, "multiples of 16"},
    {no_output, ORIEL_ERR_ARGUMENT, "neither embeddings nor taps"},
    {few_bytes, ORIEL_ERR_ARGUMENT, "68 tokens of 24"},
    {narrow_rows, ORIEL_ERR_ARGUMENT, "row_bytes"},
    {odd_rows, ORIEL_ERR_ARGUMENT, "row_bytes"},
    {huge_rows, ORIEL_ERR_ARGUMENT, "embeddings_bytes"},
    {output_dtype, ORIEL_ERR_ARGUMENT, "output.dtype is -1"},
    {output_memory, ORIEL_ERR_ARGUMENT, "output.memory is -1"},
    {taps_missing, ORIEL_ERR_ARGUMENT, "n_taps is 1"},
    {taps_negative, ORIEL_ERR_ARGUMENT, "n_taps is -1"},
    {tap_behind_the_end, ORIEL_ERR_ARGUMENT, "hidden_state is 5"},
    {tap_before_the_start, ORIEL_ERR_ARGUMENT, "hidden_state is -1"},
    {tap_too_small, ORIEL_ERR_ARGUMENT, "taps[0]"},
    {tap_nowhere, ORIEL_ERR_ARGUMENT, "taps[0]"},
    {tap_dtype, ORIEL_ERR_ARGUMENT, "tap.dtype is 4"},
    {small_workspace, ORIEL_ERR_CAPACITY, "oriel_plan_workspace"},
    {tiny_workspace, ORIEL_ERR_CAPACITY, "oriel_plan_workspace"},
    {no_plan, ORIEL_ERR_ARGUMENT, "plan is NULL"},
    {foreign_plan, ORIEL_ERR_ARGUMENT, "depth differs"},
    {input_from_the_future, ORIEL_ERR_UNSUPPORTED, "reserved"},
};

START_TEST(refuses)
{
    const struct refusal *r = &refusals[_i];
    struct scene s;
    oriel_error err;

    setup(&s, fake_backend());
    r->spoil(&s);
    ck_assert_int_eq(encode(&s, NULL, &err), r->status);
    ck_assert_int_eq(err.status, r->status);
    ck_assert_msg(strstr(err.message, r->says), "'%s' lacks '%s'", err.message,
                  r->says);
    ck_assert_int_eq(fake.calls, 0);
    ck_assert_int_eq(encode(&s, NULL, NULL), r->status);
    teardown(&s);
}
END_TEST

START_TEST(host_encoders_take_host_memory)
{
    struct scene s;
    oriel_error err;

    setup(&s, fake_host_backend());
    s.input.memory = ORIEL_MEMORY_DEVICE;
    ck_assert_int_eq(encode(&s, NULL, &err), ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "runs on the CPU"));
    s.input.memory = ORIEL_MEMORY_HOST;
    s.output.memory = ORIEL_MEMORY_DEVICE;
    ck_assert_int_eq(encode(&s, NULL, &err), ORIEL_ERR_ARGUMENT);
    teardown(&s);
}
END_TEST

START_TEST(frames_are_looked_at)
{
    struct scene s;
    oriel_item items[] = {{32, 32, 1, 0, 0, 0}, {32, 32, 3, 0, 0, 0}};
    static unsigned char pixels[32 * 32 * 3];
    const void *frames[] = {pixels, pixels, pixels, pixels};
    size_t pitches[] = {96, 96, 96, 96};
    oriel_error err;

    setup(&s, fake_backend());
    oriel_plan_destroy(s.plan);
    ck_assert_int_eq(
        oriel_plan_create(&s.plan, s.tiny.model, items, 2, NULL, &err),
        ORIEL_OK);
    s.input.pixel_values = NULL;
    s.input.frames = frames;
    s.input.pitches = pitches;
    frames[2] = NULL;
    ck_assert_int_eq(encode(&s, NULL, &err), ORIEL_ERR_ARGUMENT);
    ck_assert_int_eq(err.item, 1);
    ck_assert_ptr_nonnull(strstr(err.message, "frames[2]"));
    frames[2] = pixels;
    pitches[3] = 95;
    ck_assert_int_eq(encode(&s, NULL, &err), ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "pitches[3] is 95"));
    teardown(&s);
}
END_TEST

START_TEST(info_tells_what_was_made)
{
    struct scene s;
    oriel_encoder_info info = ORIEL_ENCODER_INFO_INIT;

    setup(&s, fake_backend());
    ck_assert_int_eq(oriel_encoder_get_info(s.encoder, &info, NULL), ORIEL_OK);
    ck_assert_int_eq(info.device, ORIEL_DEVICE_CUDA);
    ck_assert_int_eq(info.precision, ORIEL_PRECISION_FP32);
    ck_assert_uint_eq(info.workspace_bytes, workspace);
    ck_assert_uint_eq(info.weight_bytes, 1234);
    ck_assert_str_eq(info.description, "fake, nothing inside");
    ck_assert_int_eq(oriel_encoder_get_info(NULL, &info, NULL),
                     ORIEL_ERR_ARGUMENT);
    teardown(&s);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("encoder");
    TCase *order = tcase_create("order");
    TCase *failures = tcase_create("failures");
    TCase *refused = tcase_create("refused");

    tcase_add_test(order, everything_but_memory_may_go_after_return);
    tcase_add_test(order, streams_drain_in_any_order);
    tcase_add_test(order, taps_alone_stop_early);
    tcase_add_test(order, wide_rows_keep_their_gaps);
    tcase_add_test(order, info_tells_what_was_made);
    tcase_add_test(failures, every_call_can_fail);
    tcase_add_test(failures, after_a_fault_the_encoder_is_lost);
    tcase_add_loop_test(failures, cancel_reaches_the_cpu_only, 0, 2);
    tcase_add_test(failures, one_call_at_a_time);
    tcase_add_loop_test(refused, refuses, 0, COUNT(refusals));
    tcase_add_test(refused, host_encoders_take_host_memory);
    tcase_add_test(refused, frames_are_looked_at);
    suite_add_tcase(suite, order);
    suite_add_tcase(suite, failures);
    suite_add_tcase(suite, refused);
    return run_suite(suite);
}
