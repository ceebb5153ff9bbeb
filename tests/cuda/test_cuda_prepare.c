/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_prepare.c - what is loaded onto a device, and what is said of it
 *
 * The stand-in's driver takes images by a rule of its own; one kernel can be
 * given another.
 */
#include "cuda/cublaslt.h"
#include "cuda/cuda_fixture.h"
#include "cuda/prepare.h"
#include "sim/control.h"
#include "sim/cublaslt.h"
#include "support/suite.h"

#include <stdio.h>
#include <string.h>

#define MUST(call) ck_assert_int_eq(call, cudaSuccess)

enum { LINE_BYTES = 512 };

/* The last line that spoke of kernels. */
typedef struct heard {
    int32_t level;
    char line[LINE_BYTES];
} heard;

static void
listen(void *user, int32_t level, const char *line)
{
    heard *last = user;

    if (!strstr(line, " kernels: "))
        return;
    last->level = level;
    snprintf(last->line, sizeof(last->line), "%s", line);
}

static void
load_kernels(const cuda_fixture *r, char line[LINE_BYTES])
{
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    heard last = {0};
    oriel_encoder *encoder;
    oriel_error err;

    hooks.log = listen;
    hooks.user = &last;
    encoder = cuda_fixture_try_encoder(r, &hooks, &err);
    ck_assert_msg(encoder != NULL, "%s", err.message);
    oriel_encoder_destroy(encoder);
    memcpy(line, last.line, LINE_BYTES);
}

static const struct {
    int architecture;
    const char *image;
} devices[] = {{80, "sm_80 machine code"},   {86, "sm_86 machine code"},
               {89, "sm_89 machine code"},   {90, "sm_90a machine code"},
               {100, "sm_100 machine code"}, {120, "sm_120 machine code"}};

START_TEST(every_kernel_is_what_the_rule_says)
{
    cuda_fixture r = cuda_fixture_make(cuda_fixture_shallow());
    char line[LINE_BYTES], expected[64];
    int n = 0;

    sim_architecture(0, devices[_i].architecture);
    load_kernels(&r, line);
    snprintf(expected, sizeof(expected), " kernels: %s", devices[_i].image);
    ck_assert_int_eq(sscanf(line, "%d", &n), 1);
    ck_assert_int_ge(n, 12 + 2);
    ck_assert_str_eq(strchr(line, ' '), expected);
    cuda_fixture_free(&r);
}
END_TEST

/* Whether some kernel, given this image, is named by 'words'; the line says so
   of one kernel alone. */
static bool
is_named(const cuda_fixture *r, const char *words, int binary, int ptx)
{
    char line[LINE_BYTES];
    int n;

    load_kernels(r, line);
    ck_assert_int_eq(sscanf(line, "%d", &n), 1);
    for (int nth = 1; nth <= n; nth++) {
        sim_image((uint64_t)nth, binary, ptx);
        load_kernels(r, line);
        ck_assert_ptr_nonnull(strstr(line, " kernels: sm_90a"));
        ck_assert_msg(strstr(line, "; but "), "kernel %d: '%s'", nth, line);
        ck_assert_ptr_null(strstr(strstr(line, "; but ") + 1, "; but "));
        if (strstr(line, words))
            return true;
    }
    return false;
}

/* An image for an older card, or one compiled by the driver: its kernel is named,
   whichever it is. */
START_TEST(another_image_is_named)
{
    static const struct {
        int binary, ptx;
        const char *words;
    } others[] = {
        {80, 80, "; but %s: sm_80 machine code"},
        {90, 80, "; but %s: compute_80 PTX, compiled by the driver"},
    };
    static const char *const ops[] = {"rms_norm", "resample",
                                      "window_attention"};
    cuda_fixture r = cuda_fixture_make(cuda_fixture_shallow());
    char line[LINE_BYTES], words[96];

    for (size_t o = 0; o < COUNT(others); o++)
        for (size_t k = 0; k < COUNT(ops); k++) {
            snprintf(words, sizeof(words), others[o].words, ops[k]);
            ck_assert_msg(is_named(&r, words, others[o].binary, others[o].ptx),
                          "no kernel's image gives '%s'", words);
        }
    sim_image(0, 0, 0);
    load_kernels(&r, line);
    ck_assert_ptr_null(strstr(line, "but"));
    cuda_fixture_free(&r);
}
END_TEST

/* Devices of which the stand-in has none: of older code, and of PTX. */
START_TEST(what_a_device_takes_for_want_of_its_own)
{
    oriel_cuda_loaded loaded = {.n = 2};
    char line[128], tight[24];

    for (int i = 0; i < 2; i++) {
        loaded.kernel[i].op = "rope";
        loaded.kernel[i].machine_code = loaded.kernel[i].ptx = 86;
    }
    ck_assert(oriel_cuda_say_loaded(&loaded, 87, line, sizeof(line)));
    ck_assert_str_eq(line, "2 kernels: sm_86 machine code");
    ck_assert(!oriel_cuda_say_loaded(&loaded, 89, line, sizeof(line)));
    ck_assert_str_eq(line, "0 kernels: sm_89 machine code; but rope: sm_86 "
                           "machine code; but rope: sm_86 machine code");
    for (int i = 0; i < 2; i++) {
        loaded.kernel[i].machine_code = 110;
        loaded.kernel[i].ptx = 80;
    }
    ck_assert(oriel_cuda_say_loaded(&loaded, 110, line, sizeof(line)));
    ck_assert_str_eq(line, "2 kernels: compute_80 PTX");
    ck_assert(oriel_cuda_say_loaded(&loaded, 110, tight, sizeof(tight)));
    ck_assert_str_eq(tight, "2 kernels: compute_80 P");
}
END_TEST

START_TEST(an_encoder_logs_what_it_loaded)
{
    cuda_fixture r = cuda_fixture_make(cuda_fixture_shallow());
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    heard last = {0};
    oriel_error err;

    hooks.user = &last;
    hooks.log = listen;
    oriel_encoder_destroy(cuda_fixture_try_encoder(&r, &hooks, &err));
    ck_assert_int_eq(last.level, ORIEL_LOG_INFO);
    ck_assert_str_eq(strchr(last.line, ' '), " kernels: sm_90a machine code");
    sim_image(3, 80, 80);
    oriel_encoder_destroy(cuda_fixture_try_encoder(&r, &hooks, &err));
    ck_assert_int_eq(last.level, ORIEL_LOG_WARNING);
    ck_assert_ptr_nonnull(
        strstr(last.line, "; but expand_plan: sm_80 machine code"));
    sim_image(0, 0, 0);
    cuda_fixture_free(&r);
}
END_TEST

/* cuBLASLt loads an algorithm's kernels when it first runs: that must not be in
   a capture. */
START_TEST(a_product_is_loaded_before_a_capture)
{
    static const oriel_hooks hooks = ORIEL_HOOKS_INIT;
    enum { ROWS = 20, COLUMNS = 48, DEPTH = 136, VALUES = 1 << 14 };
    device_buffer zeros = device_output(2 * VALUES);
    device_buffer out = device_output(2 * ROWS * COLUMNS);
    oriel_linear_args args = {.x = zeros.data,
                              .weight = zeros.data,
                              .bias = zeros.data,
                              .out = out.data,
                              .rows = ROWS,
                              .columns = COLUMNS,
                              .depth = DEPTH};
    oriel_lt_product product = {
        .op = "test", .columns = COLUMNS, .depth = DEPTH, .adds = _i};
    cudaStream_t stream = cuda_fixture_stream();
    cudaGraph_t graph;
    oriel_lt lt;

    ck_assert_int_eq(oriel_lt_open(&lt, &hooks, 0, NULL), ORIEL_OK);
    ck_assert_int_eq(oriel_lt_choose(&lt, &product, NULL), ORIEL_OK);
    sim_lt_unload();
    MUST(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    ck_assert_int_eq(oriel_lt_run(&lt, &product, &args, stream, NULL),
                     ORIEL_ERR_FAULT);
    ck_assert_ptr_nonnull(strstr(device_finish(), "first used in a capture"));
    ck_assert_int_eq(cudaStreamEndCapture(stream, &graph),
                     cudaErrorStreamCaptureInvalidated);
    ck_assert_int_eq(oriel_lt_warm(&lt, &product, NULL), ORIEL_OK);
    MUST(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    ck_assert_int_eq(oriel_lt_run(&lt, &product, &args, stream, NULL),
                     ORIEL_OK);
    MUST(cudaStreamEndCapture(stream, &graph));
    cuda_fixture_expect_silence();
    MUST(cudaGraphDestroy(graph));
    MUST(cudaStreamDestroy(stream));
    oriel_lt_forget(&lt, &product);
    oriel_lt_close(&lt);
    device_release(zeros);
    device_release(out);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_prepare");
    TCase *tc = tcase_create("load");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, every_kernel_is_what_the_rule_says, 0,
                        COUNT(devices));
    tcase_add_test(tc, another_image_is_named);
    tcase_add_test(tc, what_a_device_takes_for_want_of_its_own);
    tcase_add_test(tc, an_encoder_logs_what_it_loaded);
    tcase_add_loop_test(tc, a_product_is_loaded_before_a_capture, 0, 2);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
