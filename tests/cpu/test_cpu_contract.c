/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cpu_contract.c - what the cpu backend promises beside numbers
 *
 * Memory: exactly the workspace it asks for, whatever was in it; hooks only on
 * the caller's thread; every allocation may fail.  Types of inputs and outputs.
 * Cancel, refusals, failing reads, two encoders at once.
 */
#include "base/fail.h"
#include "base/half.h"
#include "base/processor.h"
#include "encode/encoder.h"
#include "model/model.h"
#include "support/fixture.h"
#include "support/hook_log.h"
#include "support/random.h"
#include "support/results.h"
#include "support/suite.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const int64_t grids[3][3] = {{1, 10, 14}, {2, 4, 6}, {1, 2, 2}};
static const int32_t precisions[] = {ORIEL_PRECISION_FP32,
                                     ORIEL_PRECISION_BF16};

typedef struct scene {
    fixture_model m;
    oriel_plan *plan;
    oriel_plan_info info;
    float *pixels;
    oriel_input input;
    int32_t precision;
} scene;

static scene
make_scene(int32_t precision)
{
    scene s = {.m = fixture_model_make(&fixture_tiny, 21),
               .info = ORIEL_PLAN_INFO_INIT,
               .precision = precision};

    s.plan = fixture_plan(&s.m, grids, 3);
    ck_assert_int_eq(oriel_plan_get_info(s.plan, &s.info, NULL), ORIEL_OK);
    s.pixels = fixture_pixels(s.plan, 6);
    s.input = fixture_input(s.plan, s.pixels);
    return s;
}

static void
free_scene(scene *s)
{
    free(s->pixels);
    oriel_plan_destroy(s->plan);
    fixture_model_free(&s->m);
}

static float *
encode_f32(const scene *s, oriel_encoder *encoder, void *workspace,
           size_t workspace_bytes)
{
    size_t bytes = (size_t)s->info.tokens * (size_t)s->info.out_hidden_size * 4;
    oriel_result result = embeddings_result(oracle_alloc(1, bytes), bytes);
    oriel_output output = output_of(&result, 1, ORIEL_MEMORY_HOST);
    oriel_error err;

    output.workspace = workspace;
    output.workspace_bytes = workspace_bytes;
    ck_assert_msg(oriel_encode(encoder, s->plan, &s->input, &output, NULL,
                               &err) == ORIEL_OK,
                  "%s", err.message);
    return result.data;
}

static size_t
embedding_bytes(const scene *s)
{
    return (size_t)s->info.tokens * (size_t)s->info.out_hidden_size * 4;
}

/* ---- Memory --------------------------------------------------------------- */

/* Two fills, NaN and large, must leave no trace in the result, and nothing
   may be written beside the workspace. */
START_TEST(the_workspace_is_exact_and_needs_no_cleaning)
{
    static const int fills[] = {0xff, 0x7e, 0x00};
    enum { GUARD = 4096 };
    scene s = make_scene(precisions[_i]);
    oriel_encoder *encoder = fixture_encoder(&s.m, s.plan, s.precision, 3);
    size_t bytes = fixture_workspace(s.plan, s.precision, 3);
    float *first = encode_f32(&s, encoder, NULL, 0);
    unsigned char *memory;

    ck_assert_int_eq(posix_memalign((void **)&memory, 256, bytes + 2 * GUARD),
                     0);
    for (size_t f = 0; f < COUNT(fills); f++) {
        float *again;

        memset(memory, fills[f], bytes + 2 * GUARD);
        again = encode_f32(&s, encoder, memory + GUARD, bytes);
        ck_assert_int_eq(memcmp(first, again, embedding_bytes(&s)), 0);
        for (size_t i = 0; i < GUARD; i++) {
            ck_assert_int_eq(memory[i], fills[f]);
            ck_assert_int_eq(memory[GUARD + bytes + i], fills[f]);
        }
        free(again);
    }
    free(memory);
    free(first);
    oriel_encoder_destroy(encoder);
    free_scene(&s);
}
END_TEST

/* From nothing to what the plan needs, and to the same bytes. */
START_TEST(own_scratch_grows_when_asked_to)
{
    static const oriel_hooks none = ORIEL_HOOKS_INIT;
    scene s = make_scene(precisions[_i]);
    oriel_backend_config config = {
        .precision = s.precision, .threads = 2, .grow = 1};
    oriel_encoder_info info = ORIEL_ENCODER_INFO_INIT;
    oriel_encoder *encoder = fixture_encoder(&s.m, s.plan, s.precision, 2);
    float *first = encode_f32(&s, encoder, NULL, 0), *again;

    oriel_encoder_destroy(encoder);
    ck_assert_int_eq(
        oriel_encoder_create_on(&encoder, s.m.model, fixture_backend(),
                                ORIEL_DEVICE_CPU, &config, &none, 0, NULL),
        ORIEL_OK);
    again = encode_f32(&s, encoder, NULL, 0);
    ck_assert_mem_eq(first, again, embedding_bytes(&s));
    ck_assert_int_eq(oriel_encoder_get_info(encoder, &info, NULL), ORIEL_OK);
    ck_assert_uint_ge(info.workspace_bytes + 256,
                      fixture_workspace(s.plan, s.precision, 2));
    ck_assert_int_eq(oriel_encoder_status(encoder, NULL), ORIEL_OK);
    ck_assert_int_eq(oriel_encoder_prepare(encoder, s.plan, NULL), ORIEL_OK);
    free(first);
    free(again);
    oriel_encoder_destroy(encoder);
    free_scene(&s);
}
END_TEST

/* Bytes of weights, then FLOPs of the call, each up to all of them. */
START_TEST(progress_is_told_to_its_end)
{
    hook_log log;
    const oriel_hooks hooks = hook_log_hooks(&log);
    scene s = make_scene(precisions[_i]);
    oriel_backend_config config = {
        .precision = s.precision, .threads = 2, .grow = 1, .profile = 1};
    oriel_encoder_info info = ORIEL_ENCODER_INFO_INIT;
    oriel_encoder *encoder;

    ck_assert_int_eq(
        oriel_encoder_create_on(&encoder, s.m.model, fixture_backend(),
                                ORIEL_DEVICE_CPU, &config, &hooks, 0, NULL),
        ORIEL_OK);
    ck_assert_int_eq(oriel_encoder_get_info(encoder, &info, NULL), ORIEL_OK);
    ck_assert_int_ge(log.calls, 1);
    ck_assert_int_eq(log.what, ORIEL_PROGRESS_LOADING);
    ck_assert_int_eq(log.of, (int64_t)info.weight_bytes);
    ck_assert_int_eq(log.done[log.calls - 1], log.of);
    free(encode_f32(&s, encoder, NULL, 0));
    ck_assert_int_eq(log.what, ORIEL_PROGRESS_ENCODING);
    ck_assert_int_eq(log.of, s.plan->info.flops);
    ck_assert_int_eq(log.done[log.calls - 1], log.of);
    ck_assert_int_eq(log.profiles, 1);
    ck_assert_double_gt(hook_log_milliseconds(&log, "the call"), 0);
    oriel_encoder_destroy(encoder);
    free_scene(&s);
}
END_TEST

/* Hooks that count, fail at will, and insist on the caller's thread. */
typedef struct alloc_counter {
    pthread_t thread;
    int64_t calls, live, fail_at; /* fail_at -1: never */
    int cancel_after;             /* polls; -1: never */
    int polls;
} alloc_counter;

static void *
alloc_counter_alloc(void *user, size_t bytes, size_t alignment)
{
    alloc_counter *l = user;
    void *p = NULL;

    ck_assert(pthread_equal(l->thread, pthread_self()));
    if (l->calls++ == l->fail_at)
        return NULL;
    if (posix_memalign(&p, alignment, bytes))
        return NULL;
    memset(p, 0xcd, bytes);
    l->live++;
    return p;
}

static void
alloc_counter_free(void *user, void *memory)
{
    alloc_counter *l = user;

    ck_assert(pthread_equal(l->thread, pthread_self()));
    l->live--;
    free(memory);
}

static int32_t
alloc_counter_cancel(void *user)
{
    alloc_counter *l = user;

    ck_assert(pthread_equal(l->thread, pthread_self()));
    return l->cancel_after >= 0 && l->polls++ >= l->cancel_after;
}

static oriel_hooks
hooks_of(alloc_counter *l)
{
    oriel_hooks hooks = ORIEL_HOOKS_INIT;

    hooks.user = l;
    hooks.alloc = alloc_counter_alloc;
    hooks.free = alloc_counter_free;
    hooks.cancel = alloc_counter_cancel;
    return hooks;
}

/* Weights, context and workspace through the table; the first failure. */
static oriel_status
build_all(const scene *s, alloc_counter *l, oriel_error *err)
{
    const oriel_backend *backend = fixture_backend();
    oriel_weight_reader reader = oriel_model_reader(s->m.model);
    oriel_hooks hooks = hooks_of(l);
    oriel_backend_config config = {.precision = s->precision,
                                   .threads = 2,
                                   .hooks = &hooks,
                                   .call = &hooks};
    oriel_backend_weights *weights = NULL;
    oriel_backend_context *context = NULL;
    void *workspace = NULL;
    oriel_status status = backend->load_weights(
        &weights, oriel_model_network(s->m.model), &reader, &config, err);

    if (!status)
        status = backend->create_context(&context, weights, &config, err);
    if (!status)
        status = backend->alloc_workspace(&workspace, 10000, &config, err);
    if (!status)
        ck_assert_uint_eq((uintptr_t)workspace % 256, 0);
    backend->free_workspace(workspace, &config);
    backend->destroy_context(context);
    backend->free_weights(weights);
    return status;
}

START_TEST(any_allocation_may_fail)
{
    scene s = make_scene(precisions[_i]);
    alloc_counter l = {
        .thread = pthread_self(), .fail_at = -1, .cancel_after = -1};
    int64_t calls;
    oriel_error err;

    ck_assert_int_eq(build_all(&s, &l, &err), ORIEL_OK);
    ck_assert_int_eq(l.live, 0);
    calls = l.calls;
    ck_assert_int_gt(calls, 10);
    for (int64_t n = 0; n < calls; n++) {
        l.calls = 0;
        l.fail_at = n;
        ck_assert_int_eq(build_all(&s, &l, &err), ORIEL_ERR_MEMORY);
        ck_assert_ptr_nonnull(strstr(err.message, "out of memory"));
        ck_assert_msg(l.live == 0, "allocation %d leaked %d", (int)n,
                      (int)l.live);
    }
    free_scene(&s);
}
END_TEST

/* ---- Types ----------------------------------------------------------------- */

static uint16_t
half_of(float x, int32_t dtype)
{
    return dtype == ORIEL_DTYPE_BF16 ? oriel_f32_to_bf16(x)
                                     : oriel_f32_to_f16(x);
}

static const int32_t halves[] = {ORIEL_DTYPE_BF16, ORIEL_DTYPE_F16};

/* Pixels in a half type give what the same values give in fp32; results in a
   half type are the fp32 ones, rounded once; rows may be spread. */
START_TEST(types_are_rounded_once)
{
    int32_t dtype = halves[_i % 2];
    scene s = make_scene(precisions[_i / 2]);
    size_t n = (size_t)s.info.patches * (size_t)s.info.patch_columns;
    size_t width = (size_t)s.info.out_hidden_size, row = width * 2 + 32;
    oriel_encoder *encoder = fixture_encoder(&s.m, s.plan, s.precision, 2);
    uint16_t *pixels = oracle_alloc(n, 2);
    size_t state_values = (size_t)s.info.patches * 32;
    float *want, *state32 = oracle_alloc(state_values, 4);
    uint16_t *state16 = oracle_alloc(state_values, 2);
    unsigned char *got = oracle_alloc((size_t)s.info.tokens, row);
    oriel_result results[3] = {
        hidden_state_result(2, state32, state_values * 4),
        hidden_state_result(2, state16, state_values * 2),
        embeddings_result(got, (size_t)s.info.tokens * row)};
    oriel_output output = output_of(results, 3, ORIEL_MEMORY_HOST);
    oriel_error err;

    for (size_t i = 0; i < n; i++) {
        pixels[i] = half_of(s.pixels[i], dtype);
        s.pixels[i] = dtype == ORIEL_DTYPE_BF16 ? oriel_bf16_to_f32(pixels[i])
                                                : oriel_f16_to_f32(pixels[i]);
    }
    want = encode_f32(&s, encoder, NULL, 0);
    memset(got, 0x5a, (size_t)s.info.tokens * row);
    s.input.pixel_values = pixels;
    s.input.pixel_values_bytes = n * 2;
    s.input.dtype = dtype;
    results[1].dtype = results[2].dtype = dtype;
    results[2].row_bytes = row;
    ck_assert_msg(oriel_encode(encoder, s.plan, &s.input, &output, NULL,
                               &err) == ORIEL_OK,
                  "%s", err.message);
    for (size_t r = 0; r < (size_t)s.info.tokens; r++) {
        for (size_t i = 0; i < width; i++) {
            uint16_t value;

            memcpy(&value, got + r * row + 2 * i, 2);
            ck_assert_int_eq(value, half_of(want[r * width + i], dtype));
        }
        for (size_t i = width * 2; i < row; i++)
            ck_assert_int_eq(got[r * row + i], 0x5a);
    }
    for (size_t i = 0; i < state_values; i++)
        ck_assert_int_eq(state16[i], half_of(state32[i], dtype));
    free(pixels);
    free(want);
    free(got);
    free(state32);
    free(state16);
    oriel_encoder_destroy(encoder);
    free_scene(&s);
}
END_TEST

/* ---- Cancel, refusals, failing reads ---------------------------------------- */

START_TEST(loading_can_be_cancelled)
{
    scene s = make_scene(ORIEL_PRECISION_FP32);
    alloc_counter l = {.thread = pthread_self(), .fail_at = -1};
    oriel_error err;

    for (l.cancel_after = 0; l.cancel_after < 5; l.cancel_after++) {
        l.polls = 0; /* at least one before the ends and each of four blocks */
        ck_assert_int_eq(build_all(&s, &l, &err), ORIEL_ERR_CANCELLED);
        ck_assert_int_eq(l.live, 0);
    }
    l.cancel_after = -1;
    ck_assert_int_eq(build_all(&s, &l, &err), ORIEL_OK);
    free_scene(&s);
}
END_TEST

typedef struct broken_reader {
    oriel_weight_reader reader;
    oriel_tensor tensor;
    int32_t block;
} broken_reader;

static oriel_status
read_broken(const void *model, oriel_tensor tensor, int32_t block,
            int64_t first_row, int64_t rows, int32_t dtype, void *out,
            oriel_error *err)
{
    const broken_reader *b = model;

    if (tensor == b->tensor && (block == b->block || b->block < 0))
        return oriel_fail(err, ORIEL_ERR_IO, "tensor %d of block %d is gone",
                          (int)tensor, (int)block);
    return b->reader.read(b->reader.model, tensor, block, first_row, rows,
                          dtype, out, err);
}

START_TEST(a_failing_read_is_reported)
{
    const oriel_backend *backend = fixture_backend();
    scene s = make_scene(precisions[_i % 2]);
    alloc_counter l = {
        .thread = pthread_self(), .fail_at = -1, .cancel_after = -1};
    oriel_hooks hooks = hooks_of(&l);
    oriel_backend_config config = {.precision = s.precision,
                                   .threads = 3,
                                   .hooks = &hooks,
                                   .call = &hooks};

    for (int32_t t = 0; t < ORIEL_N_TENSORS; t++) {
        broken_reader b = {oriel_model_reader(s.m.model), (oriel_tensor)t,
                           oriel_tensor_in_block((oriel_tensor)t) ? 2 : -1};
        oriel_weight_reader reader = {&b, read_broken};
        oriel_backend_weights *weights;
        oriel_error err;

        ck_assert_int_eq(backend->load_weights(&weights, &fixture_tiny, &reader,
                                               &config, &err),
                         ORIEL_ERR_IO);
        ck_assert_ptr_null(weights);
        ck_assert_ptr_nonnull(strstr(err.message, "is gone"));
        ck_assert_int_eq(l.live, 0);
    }
    free_scene(&s);
}
END_TEST

typedef struct refusal {
    size_t field; /* of oriel_network, an int32_t */
    int32_t value;
    const char *name;
} refusal;

#define FIELD(name) offsetof(oriel_network, name)
static const refusal refusals[] = {
    {FIELD(depth), 0, "depth"},
    {FIELD(in_channels), 1, "in_channels"},
    {FIELD(spatial_merge_size), 1, "spatial_merge_size"},
    {FIELD(spatial_merge_size), 4, "spatial_merge_size"},
    {FIELD(head_dim), 12, "hidden_size / num_heads"},
    {FIELD(head_dim), 264, "hidden_size / num_heads"},
    {FIELD(hidden_size), 40, "hidden_size"},
    {FIELD(intermediate_size), 70000, "intermediate_size"},
    {FIELD(out_hidden_size), 0, "out_hidden_size"},
    {FIELD(patch_size), 65, "patch_size"},
    {FIELD(temporal_patch_size), 9, "temporal_patch_size"},
};

START_TEST(what_it_cannot_run_is_refused_by_name)
{
    const refusal *r = &refusals[_i];
    oriel_network net = fixture_tiny;
    oriel_error err;

    ck_assert_int_eq(fixture_backend()->check(&net, ORIEL_PRECISION_BF16, &err),
                     ORIEL_OK);
    memcpy((char *)&net + r->field, &r->value, sizeof(r->value));
    ck_assert_int_eq(fixture_backend()->check(&net, ORIEL_PRECISION_BF16, &err),
                     ORIEL_ERR_UNSUPPORTED);
    ck_assert_msg(strstr(err.message, r->name) != NULL, "%s", err.message);
}
END_TEST

START_TEST(it_says_what_it_is)
{
    const oriel_backend *backend = fixture_backend();
    oriel_device_info info = ORIEL_DEVICE_INFO_INIT;
    scene s = make_scene(ORIEL_PRECISION_FP32);
    oriel_encoder *encoder = fixture_encoder(&s.m, s.plan, s.precision, 2);
    oriel_encoder_info made = ORIEL_ENCODER_INFO_INIT;
    oriel_error err;

    ck_assert_int_eq(backend->describe(0, &info, &err), ORIEL_OK);
    ck_assert_ptr_nonnull(strstr(info.description, "oneDNN"));
    ck_assert_int_eq(info.precision,
                     oriel_processor_isa() >= ORIEL_ISA_AVX512_BF16
                         ? ORIEL_PRECISION_BF16
                         : ORIEL_PRECISION_FP32);
    ck_assert_int_ge(info.threads, 1);
    ck_assert_int_eq(backend->describe(1, &info, &err), ORIEL_ERR_DEVICE);
    ck_assert_int_eq(backend->check(&fixture_tiny, 7, &err),
                     ORIEL_ERR_UNSUPPORTED);
    ck_assert_int_eq(oriel_encoder_get_info(encoder, &made, &err), ORIEL_OK);
    ck_assert_ptr_nonnull(strstr(made.description, "2 threads"));
    ck_assert_uint_gt(made.weight_bytes, 0);
    oriel_encoder_destroy(encoder);
    free_scene(&s);
}
END_TEST

/* ---- Two encoders at once ---------------------------------------------------- */

typedef struct runner {
    const scene *s;
    oriel_encoder *encoder;
    const float *want;
    int wrong;
} runner;

static void *
run_many(void *argument)
{
    runner *r = argument;

    for (int i = 0; i < 5; i++) {
        float *got = encode_f32(r->s, r->encoder, NULL, 0);

        r->wrong += memcmp(got, r->want, embedding_bytes(r->s)) != 0;
        free(got);
    }
    return NULL;
}

START_TEST(encoders_at_once_do_not_disturb_each_other)
{
    scene s = make_scene(precisions[_i]);
    oriel_encoder *first = fixture_encoder(&s.m, s.plan, s.precision, 1);
    float *want = encode_f32(&s, first, NULL, 0);
    runner runners[3];
    pthread_t threads[3];

    for (int i = 0; i < 3; i++) {
        runners[i] = (runner){&s, NULL, want, 0};
        runners[i].encoder =
            i ? fixture_encoder(&s.m, s.plan, s.precision, i + 1) : first;
        ck_assert_int_eq(
            pthread_create(&threads[i], NULL, run_many, &runners[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(runners[i].wrong, 0);
        oriel_encoder_destroy(runners[i].encoder);
    }
    free(want);
    free_scene(&s);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cpu_contract");
    TCase *tc = tcase_create("contract");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, the_workspace_is_exact_and_needs_no_cleaning, 0, 2);
    tcase_add_loop_test(tc, own_scratch_grows_when_asked_to, 0, 2);
    tcase_add_loop_test(tc, progress_is_told_to_its_end, 0, 2);
    tcase_add_loop_test(tc, any_allocation_may_fail, 0, 2);
    tcase_add_loop_test(tc, types_are_rounded_once, 0, 4);
    tcase_add_test(tc, loading_can_be_cancelled);
    tcase_add_loop_test(tc, a_failing_read_is_reported, 0, 2);
    tcase_add_loop_test(tc, what_it_cannot_run_is_refused_by_name, 0,
                        (int)COUNT(refusals));
    tcase_add_test(tc, it_says_what_it_is);
    tcase_add_loop_test(tc, encoders_at_once_do_not_disturb_each_other, 0, 2);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
