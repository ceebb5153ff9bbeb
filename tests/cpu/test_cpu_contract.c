/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cpu_contract.c - what the cpu backend promises beside numbers
 *
 * Memory: exactly the workspace it asks for, whatever was in it.  Types of inputs
 * and outputs.  Refusals, two encoders at once.  What fails: test_cpu_faults.c.
 */
#include "base/half.h"
#include "base/processor.h"
#include "cpu/cpu_scene.h"
#include "encode/encoder.h"
#include "model/model.h"
#include "support/hook_log.h"
#include "support/results.h"
#include "support/suite.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* ---- Memory --------------------------------------------------------------- */

/* Two fills, NaN and large, must leave no trace in the result, and nothing
   may be written beside the workspace. */
START_TEST(the_workspace_is_exact_and_needs_no_cleaning)
{
    static const int fills[] = {0xff, 0x7e, 0x00};
    enum { GUARD = 4096 };
    cpu_scene s = cpu_scene_make(cpu_scene_precisions[_i]);
    oriel_encoder *encoder = fixture_encoder(&s.m, s.plan, s.precision, 3);
    size_t bytes = fixture_workspace(s.plan, s.precision, 3);
    float *first = cpu_scene_encode(&s, encoder, NULL, 0);
    unsigned char *memory;

    ck_assert_int_eq(posix_memalign((void **)&memory, 256, bytes + 2 * GUARD),
                     0);
    for (size_t f = 0; f < COUNT(fills); f++) {
        float *again;

        memset(memory, fills[f], bytes + 2 * GUARD);
        again = cpu_scene_encode(&s, encoder, memory + GUARD, bytes);
        ck_assert_int_eq(memcmp(first, again, cpu_scene_bytes(&s)), 0);
        for (size_t i = 0; i < GUARD; i++) {
            ck_assert_int_eq(memory[i], fills[f]);
            ck_assert_int_eq(memory[GUARD + bytes + i], fills[f]);
        }
        free(again);
    }
    free(memory);
    free(first);
    oriel_encoder_destroy(encoder);
    cpu_scene_free(&s);
}
END_TEST

/* From nothing to what the plan needs, and to the same bytes. */
START_TEST(own_scratch_grows_when_asked_to)
{
    static const oriel_hooks none = ORIEL_HOOKS_INIT;
    cpu_scene s = cpu_scene_make(cpu_scene_precisions[_i]);
    oriel_backend_config config = {
        .precision = s.precision, .threads = 2, .grow = 1};
    oriel_encoder_info info = ORIEL_ENCODER_INFO_INIT;
    oriel_encoder *encoder = fixture_encoder(&s.m, s.plan, s.precision, 2);
    float *first = cpu_scene_encode(&s, encoder, NULL, 0), *again;

    oriel_encoder_destroy(encoder);
    ck_assert_int_eq(
        oriel_encoder_create_on(&encoder, s.m.model, fixture_backend(),
                                ORIEL_DEVICE_CPU, &config, &none, 0, NULL),
        ORIEL_OK);
    again = cpu_scene_encode(&s, encoder, NULL, 0);
    ck_assert_mem_eq(first, again, cpu_scene_bytes(&s));
    ck_assert_int_eq(oriel_encoder_get_info(encoder, &info, NULL), ORIEL_OK);
    ck_assert_uint_ge(info.workspace_bytes + 256,
                      fixture_workspace(s.plan, s.precision, 2));
    ck_assert_int_eq(oriel_encoder_status(encoder, NULL), ORIEL_OK);
    ck_assert_int_eq(oriel_encoder_prepare(encoder, s.plan, NULL), ORIEL_OK);
    free(first);
    free(again);
    oriel_encoder_destroy(encoder);
    cpu_scene_free(&s);
}
END_TEST

/* Bytes of weights, then FLOPs of the call, each up to all of them. */
START_TEST(progress_is_told_to_its_end)
{
    hook_log log;
    const oriel_hooks hooks = hook_log_hooks(&log);
    cpu_scene s = cpu_scene_make(cpu_scene_precisions[_i]);
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
    free(cpu_scene_encode(&s, encoder, NULL, 0));
    ck_assert_int_eq(log.what, ORIEL_PROGRESS_ENCODING);
    ck_assert_int_eq(log.of, s.plan->info.flops);
    ck_assert_int_eq(log.done[log.calls - 1], log.of);
    ck_assert_int_eq(log.profiles, 1);
    ck_assert_double_gt(hook_log_milliseconds(&log, "the call"), 0);
    oriel_encoder_destroy(encoder);
    cpu_scene_free(&s);
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
    cpu_scene s = cpu_scene_make(cpu_scene_precisions[_i / 2]);
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
    want = cpu_scene_encode(&s, encoder, NULL, 0);
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
    cpu_scene_free(&s);
}
END_TEST

/* ---- Refusals, and what it is ------------------------------------------------ */

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
    cpu_scene s = cpu_scene_make(ORIEL_PRECISION_FP32);
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
    cpu_scene_free(&s);
}
END_TEST

/* ---- Two encoders at once ---------------------------------------------------- */

typedef struct runner {
    const cpu_scene *s;
    oriel_encoder *encoder;
    const float *want;
    int wrong;
} runner;

static void *
run_many(void *argument)
{
    runner *r = argument;

    for (int i = 0; i < 5; i++) {
        float *got = cpu_scene_encode(r->s, r->encoder, NULL, 0);

        r->wrong += memcmp(got, r->want, cpu_scene_bytes(r->s)) != 0;
        free(got);
    }
    return NULL;
}

START_TEST(encoders_at_once_do_not_disturb_each_other)
{
    cpu_scene s = cpu_scene_make(cpu_scene_precisions[_i]);
    oriel_encoder *first = fixture_encoder(&s.m, s.plan, s.precision, 1);
    float *want = cpu_scene_encode(&s, first, NULL, 0);
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
    cpu_scene_free(&s);
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
    tcase_add_loop_test(tc, types_are_rounded_once, 0, 4);
    tcase_add_loop_test(tc, what_it_cannot_run_is_refused_by_name, 0,
                        (int)COUNT(refusals));
    tcase_add_test(tc, it_says_what_it_is);
    tcase_add_loop_test(tc, encoders_at_once_do_not_disturb_each_other, 0, 2);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
