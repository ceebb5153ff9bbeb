/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_attention.c - encoders that attend over frames by cuDNN: which batches fit,
 * and what is refused by name
 */
#include "cuda/attention_case.h"
#include "cuda/attention_table.h"
#include "encode/encoder.h"
#include "sim/control.h"
#include "sim/cudnn.h"
#include "support/device_case.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

/* ---- Classes ------------------------------------------------------------------ */

START_TEST(classes_hold_what_they_are_asked_for)
{
    static const struct {
        int32_t frames, longest, sequences, rows;
    } cases[] = {{1, 4, 1, 1024},         {1, 1024, 1, 1024},
                 {2, 1025, 4, 2048},      {4, 4096, 4, 4096},
                 {5, 4097, 16, 6144},     {16, 6145, 16, 8192},
                 {17, 8193, 64, 12288},   {64, 12289, 64, 16384},
                 {65, 16385, 256, 24576}, {256, 24576, 256, 24576}};
    static const int32_t none_fits[][2] = {{257, 4}, {1, 24580}, {300, 30000}};
    oriel_cudnn_class c;
    oriel_error err;

    for (size_t i = 0; i < COUNT(cases); i++) {
        ck_assert_int_eq(
            oriel_cudnn_find_class(&c, cases[i].frames, cases[i].longest, &err),
            ORIEL_OK);
        ck_assert_int_eq(oriel_cudnn_sequences_of(c), cases[i].sequences);
        ck_assert_int_eq(oriel_cudnn_rows_of(c), cases[i].rows);
    }
    for (size_t i = 0; i < COUNT(none_fits); i++) {
        ck_assert_int_eq(
            oriel_cudnn_find_class(&c, none_fits[i][0], none_fits[i][1], &err),
            ORIEL_ERR_CAPACITY);
        ck_assert_ptr_nonnull(strstr(
            err.message, "at most 256 frames of at most 24576 patches each"));
        ck_assert_ptr_nonnull(strstr(err.message, "attention own"));
    }
}
END_TEST

static oriel_status
workspace_of(const oriel_plan *plan, int32_t device, int32_t attention,
             size_t *bytes, oriel_error *err)
{
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;

    options.device = device;
    options.kernels = ORIEL_KERNELS_OWN;
    options.attention = attention;
    return oriel_plan_workspace_bytes(plan, &options, bytes, err);
}

/* Without a device: what cuDNN takes is counted, what it cannot take is refused, and
   so is the CPU. */
START_TEST(the_plan_tells_beforehand)
{
    static const int64_t fit[][3] = {{2, 8, 8}, {254, 2, 2}};
    static const int64_t too_many[][3] = {{3, 8, 8}, {254, 2, 2}};
    static const int64_t too_long[][3] = {{1, 2, 12290}};
    /* Lengths, two lists of offsets, scratch; each in units of 256 bytes. */
    const size_t more = 1024 + 2 * 2304 + 66560;
    fixture_model m = fixture_model_make(&fixture_tiny, 3);
    oriel_plan *plan = fixture_plan(&m, fit, 2);
    oriel_plan *others[] = {fixture_plan(&m, too_many, 2),
                            fixture_plan(&m, too_long, 1)};
    size_t own, cudnn;
    oriel_error err;

    ck_assert_int_eq(
        workspace_of(plan, ORIEL_DEVICE_CUDA, ORIEL_ATTENTION_OWN, &own, &err),
        ORIEL_OK);
    ck_assert_int_eq(workspace_of(plan, ORIEL_DEVICE_CUDA,
                                  ORIEL_ATTENTION_CUDNN, &cudnn, &err),
                     ORIEL_OK);
    ck_assert_uint_gt(cudnn, own);
    ck_assert_uint_le(cudnn, own + more);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(workspace_of(others[i], ORIEL_DEVICE_CUDA,
                                      ORIEL_ATTENTION_CUDNN, &cudnn, &err),
                         ORIEL_ERR_CAPACITY);
        ck_assert_ptr_nonnull(strstr(err.message, "cuDNN's attention takes"));
        ck_assert_int_eq(workspace_of(others[i], ORIEL_DEVICE_CUDA,
                                      ORIEL_ATTENTION_OWN, &own, &err),
                         ORIEL_OK);
        oriel_plan_destroy(others[i]);
    }
    ck_assert_int_eq(workspace_of(plan, ORIEL_DEVICE_CPU, ORIEL_ATTENTION_CUDNN,
                                  &cudnn, &err),
                     ORIEL_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.message, "runs on CUDA alone"));
    oriel_plan_destroy(plan);
    fixture_model_free(&m);
}
END_TEST

/* ---- What is missing ------------------------------------------------------------- */

enum missing {
    LIBRARY,
    FUNCTION,
    OLD,
    OTHER_MAJOR,
    NEWER,
    ENGINE,
    WORKSPACE,
    SCALE,
    LENGTHS,
    OFFSETS
};
static const struct {
    enum missing what;
    const char *words[3];
} missing[] = {
    {LIBRARY, {"cuDNN cannot be loaded: ", "libcudnn.so.9", "attention own"}},
    {FUNCTION, {"cuDNN cannot be loaded: ", "cudnnBackendExecute", "9.19"}},
    {OLD, {"cuDNN is of version 9.12", "expected 9.19", ""}},
    {OTHER_MAJOR, {"cuDNN is of version 10.0", "expected 9.19", ""}},
    {NEWER, {"cuDNN 9.99", "capability 9.0", "expected attention own"}},
    {ENGINE, {"the engine: ", "CUDNN_STATUS_NOT_SUPPORTED", "no engine 9"}},
    {WORKSPACE, {"engine 9 asks for ", "expected at most 66304", ""}},
#define WRONG \
    { \
        "cuDNN: a wrong answer on CUDA device 0: attention over frames", \
            "row ", "expected attention own" \
    }
    {SCALE, WRONG},
    {LENGTHS, WRONG},
    {OFFSETS, WRONG},
};

static void
take_away(enum missing what)
{
    switch (what) {
    case LIBRARY:
        sim_cudnn_install(0);
        return;
    case FUNCTION:
        sim_cudnn_without("cudnnBackendExecute");
        return;
    case OLD:
        sim_cudnn_install(91200);
        return;
    case OTHER_MAJOR:
        sim_cudnn_install(100000);
        return;
    case NEWER:
        sim_cudnn_install(99900);
        return;
    case ENGINE:
        sim_cudnn_without_engine(9);
        return;
    case WORKSPACE:
        sim_cudnn_wants_more(1 << 20);
        return;
    case SCALE:
        ck_assert(sim_plant("cudnn-scale"));
        return;
    case LENGTHS:
        ck_assert(sim_plant("cudnn-lengths"));
        return;
    case OFFSETS:
        ck_assert(sim_plant("cudnn-offsets"));
        return;
    }
}

/* By name, before any call; and our own kernel never takes its place. */
START_TEST(what_is_missing_is_named)
{
    fixture_model m = fixture_model_make(&fixture_tiny, 3);
    const size_t before = sim_device_bytes();
    oriel_encoder *encoder;
    oriel_error err;

    take_away(missing[_i].what);
    ck_assert_msg(attention_create(&encoder, &m, NULL, ORIEL_GRAPHS_AUTO,
                                   &err) == ORIEL_ERR_UNSUPPORTED,
                  "%d: %s", err.status, err.message);
    ck_assert_ptr_null(encoder);
    for (int i = 0; i < 3; i++)
        ck_assert_msg(strstr(err.message, missing[_i].words[i]),
                      "no \"%s\" in: %s", missing[_i].words[i], err.message);
    ck_assert_uint_eq(sim_cudnn_alive(), 0);
    ck_assert_uint_eq(sim_device_bytes(), before);
    ck_assert_str_eq(device_finish(), "");
    fixture_model_free(&m);
}
END_TEST

/* Each device's engine, in the description and in the log. */
START_TEST(the_engine_is_told)
{
    static const struct {
        int32_t capability, engine, kernel;
    } engines[] = {{80, 8, 3}, {86, 8, 3},   {89, 8, 3},
                   {90, 9, 7}, {100, 10, 7}, {120, 11, 3}};
    fixture_model m = fixture_model_make(&fixture_tiny, 3);
    oriel_encoder_info info = ORIEL_ENCODER_INFO_INIT;
    oriel_encoder *encoder;
    char words[96];

    sim_architecture(0, engines[_i].capability);
    encoder = attention_encoder(&m, NULL, ORIEL_GRAPHS_AUTO);
    ck_assert_int_eq(oriel_encoder_get_info(encoder, &info, NULL), ORIEL_OK);
    snprintf(words, sizeof(words), ", cuDNN 9.19 attention (engine %d)",
             engines[_i].engine);
    ck_assert_msg(strstr(info.description, words), "%s", info.description);
    snprintf(words, sizeof(words),
             "cuDNN 9.19.0: attention over frames by engine %d, kernel %d",
             engines[_i].engine, engines[_i].kernel);
    ck_assert_str_eq(attention_logged, words);
    oriel_encoder_destroy(encoder);
    ck_assert_uint_eq(sim_cudnn_alive(), 0);
    fixture_model_free(&m);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_attention");
    TCase *tc = tcase_create("attention");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, attention_use_cudnn, NULL);
    tcase_add_test(tc, classes_hold_what_they_are_asked_for);
    tcase_add_test(tc, the_plan_tells_beforehand);
    tcase_add_loop_test(tc, what_is_missing_is_named, 0, COUNT(missing));
    tcase_add_loop_test(tc, the_engine_is_told, 0, 6);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
