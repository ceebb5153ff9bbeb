/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_products.c - encoders whose products are cuBLASLt's, on the stand-in
 *
 * What they compute is held against the oracle in test_cuda_encoder.c; here,
 * how the library is found, asked, used and given back.
 */
#include "cuda/cuda_fixture.h"
#include "cuda/prepare.h"
#include "cuda/products.h"
#include "sim/control.h"
#include "sim/cublaslt.h"
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(call) ck_assert_int_eq(call, cudaSuccess)

/* What was logged of products, line by line. */
typedef struct journal {
    char text[4096];
    int lines, warnings;
} journal;

static void
note(void *user, int32_t level, const char *line)
{
    journal *j = user;

    /* Those are test_cuda_prepare.c's and test_cuda_known_answer.c's. */
    if (strstr(line, " kernels: ") || level == ORIEL_LOG_DEBUG)
        return;
    size_t at = strlen(j->text);

    snprintf(j->text + at, sizeof(j->text) - at, "%s\n", line);
    j->lines++;
    j->warnings += level == ORIEL_LOG_WARNING;
}

static oriel_hooks
journal_hooks(journal *j)
{
    oriel_hooks hooks = ORIEL_HOOKS_INIT;

    hooks.user = j;
    hooks.log = note;
    return hooks;
}

static void
use_cublaslt(void)
{
    fixture_kernels = ORIEL_KERNELS_CUBLASLT;
}

static void
use_whole_library(void)
{
    fixture_kernels = ORIEL_KERNELS_OWN;
    sim_lt_install(130100);
    sim_lt_without(NULL);
    sim_lt_no_algorithm(0);
    sim_lt_fail_call(0, ORIEL_LT_SUCCESS);
}

static const char *
describe(const oriel_encoder *encoder)
{
    oriel_encoder_info info = ORIEL_ENCODER_INFO_INIT;

    ck_assert_int_eq(oriel_encoder_get_info(encoder, &info, NULL), ORIEL_OK);
    return info.description;
}

static void
encode(oriel_encoder *encoder, const cuda_fixture *r, device_buffer out,
       cudaStream_t stream)
{
    oriel_input input = cuda_fixture_device_input(r);
    oriel_output output = cuda_fixture_output(r, out.data, ORIEL_MEMORY_DEVICE);

    cuda_fixture_encode(encoder, r->plan, &input, &output, stream);
}

/* ---- The choice ----------------------------------------------------------- */

/* Once a product, when the encoder is made, and never for the rows at hand. */
START_TEST(algorithms_are_chosen_once)
{
    static const char *const ops[] = {
        "qkv 96 x 32, bias:", "proj 32 x 32, bias and residual:",
        "gate_up 128 x 32, bias:", "down 32 x 64, bias and residual:"};
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    device_buffer out = device_output(r.embeddings_bytes);
    journal j = {.lines = 0};
    oriel_hooks hooks = journal_hooks(&j);
    uint64_t before = sim_lt_heuristics();
    oriel_error err;
    oriel_encoder *encoder = cuda_fixture_try_encoder(&r, &hooks, &err);

    ck_assert_msg(encoder, "%s", err.message);
    ck_assert_uint_eq(sim_lt_heuristics() - before, ORIEL_PRODUCTS);
    ck_assert_int_eq(j.lines, ORIEL_PRODUCTS);
    ck_assert_int_eq(j.warnings, 0);
    for (size_t i = 0; i < COUNT(ops); i++)
        ck_assert_msg(strstr(j.text, ops[i]), "no %s in %s", ops[i], j.text);
    /* Not the first offer, which does not run for few rows; nor the second,
       which is none.  The third left its cluster open. */
    ck_assert_msg(strstr(j.text, "algorithm 66, tile 20, stages 15, cluster 2"),
                  "%s", j.text);
    ck_assert_ptr_nonnull(strstr(describe(encoder), "cuBLASLt 13.1 products"));
    for (int i = 0; i < 3; i++)
        encode(encoder, &r, out, NULL);
    cuda_fixture_expect(&r, out);
    ck_assert_uint_eq(sim_lt_heuristics() - before, ORIEL_PRODUCTS);
    oriel_encoder_destroy(encoder);
    ck_assert_uint_eq(sim_lt_alive(), 0);
    device_release(out);
    cuda_fixture_free(&r);
}
END_TEST

/* No library adds to a residual of two planes: those two are our own, and that is
   told. */
START_TEST(a_wide_residual_is_ours_to_add_to)
{
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    journal j = {.lines = 0};
    oriel_hooks hooks = journal_hooks(&j);
    oriel_encoder *encoder;
    oriel_error err;

    fixture_residual = ORIEL_RESIDUAL_WIDE;
    encoder = cuda_fixture_try_encoder(&r, &hooks, &err);
    ck_assert_msg(encoder, "%s", err.message);
    ck_assert_int_eq(j.lines, 2);
    ck_assert_ptr_nonnull(strstr(j.text, "qkv 96 x 32"));
    ck_assert_ptr_nonnull(strstr(j.text, "gate_up 128 x 32"));
    ck_assert_msg(
        strstr(describe(encoder), "13.1 products (asked for), wide residual"),
        "%s", describe(encoder));
    oriel_encoder_destroy(encoder);
    fixture_residual = ORIEL_RESIDUAL_BF16;
    cuda_fixture_free(&r);
}
END_TEST

/* Without clusters there is nothing to pin. */
START_TEST(a_device_without_clusters_keeps_none)
{
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    journal j = {.lines = 0};
    oriel_hooks hooks = journal_hooks(&j);
    oriel_encoder *encoder;
    oriel_error err;

    sim_architecture(0, 80);
    encoder = cuda_fixture_try_encoder(&r, &hooks, &err);
    ck_assert_msg(encoder, "%s", err.message);
    ck_assert_msg(strstr(j.text, "algorithm 66, tile 20, stages 15, cluster 0"),
                  "%s", j.text);
    oriel_encoder_destroy(encoder);
    cuda_fixture_free(&r);
}
END_TEST

START_TEST(own_products_do_not_ask_the_library)
{
    static const struct {
        int32_t kernels, architecture;
        const char *text;
    } own[] = {{ORIEL_KERNELS_AUTO, 80, ", own products (calculated)"},
               {ORIEL_KERNELS_OWN, 90, ", own products (asked for)"}};
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    oriel_encoder *encoder;

    sim_lt_install(0);
    sim_architecture(0, own[_i].architecture);
    fixture_kernels = own[_i].kernels;
    sim_lt_fail_call(0, ORIEL_LT_SUCCESS);
    encoder = cuda_fixture_encoder(&r);
    ck_assert_uint_eq(sim_lt_calls(), 0);
    ck_assert_msg(strstr(describe(encoder), own[_i].text), "%s",
                  describe(encoder));
    oriel_encoder_destroy(encoder);
    cuda_fixture_free(&r);
}
END_TEST

/* ---- Refusals ------------------------------------------------------------- */

static void
expect_no_encoder(const cuda_fixture *r, oriel_status status, const char *words)
{
    size_t before = sim_device_bytes();
    oriel_error err;

    ck_assert_ptr_null(cuda_fixture_try_encoder(r, NULL, &err));
    ck_assert_int_eq(err.status, status);
    ck_assert_msg(strstr(err.message, words), "no \"%s\" in: %s", words,
                  err.message);
    ck_assert_uint_eq(sim_device_bytes(), before);
    ck_assert_uint_eq(sim_lt_alive(), 0);
}

START_TEST(what_is_missing_is_named)
{
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);

    sim_lt_install(0);
    expect_no_encoder(&r, ORIEL_ERR_DEVICE, "cannot open shared object file");
    expect_no_encoder(&r, ORIEL_ERR_DEVICE,
                      "expected libcublasLt.so.13, of the CUDA 13 toolkit");
    sim_lt_install(120800);
    expect_no_encoder(&r, ORIEL_ERR_DEVICE,
                      "cuBLASLt is of version 12.8, expected 13.x");
    sim_lt_install(130100);
    sim_lt_without("cublasLtMatmulAlgoCheck");
    expect_no_encoder(&r, ORIEL_ERR_DEVICE, "cublasLtMatmulAlgoCheck");
    sim_lt_without(NULL);
    sim_lt_no_algorithm(1);
    expect_no_encoder(&r, ORIEL_ERR_UNSUPPORTED,
                      "cuBLASLt 13.1 has no algorithm for qkv (96 columns, "
                      "depth 32)");
    sim_lt_no_algorithm(0);
    oriel_encoder_destroy(cuda_fixture_encoder(&r));
    cuda_fixture_free(&r);
}
END_TEST

/* ---- The table ------------------------------------------------------------ */

static void
make_products(oriel_cuda_products *products, const oriel_hooks *hooks,
              int32_t kernels, oriel_cuda_product_set wanted,
              oriel_status expected)
{
    oriel_backend_config config = {
        .kernels = kernels, .hooks = hooks, .call = hooks};
    oriel_backend_weights weights = {.network = fixture_tiny};
    const oriel_cuda_products_spec spec = {&weights, &config, hooks, wanted,
                                           "because"};
    oriel_cuda_loaded loaded = {0};
    oriel_error err;

    oriel_cuda_shapes_init(&weights.shapes, &fixture_tiny);
    ck_assert_int_eq(oriel_cuda_prepare(&loaded, weights.shapes.head_dim, &err),
                     ORIEL_OK);
    ck_assert_msg(oriel_cuda_products_create(products, &spec, &err) == expected,
                  "%s", err.message);
}

START_TEST(the_table_is_overridden)
{
    static const int32_t capabilities[] = {80, 86, 89, 90, 100, 120, 75, 0};

    for (size_t i = 0; i < COUNT(capabilities); i++) {
        ck_assert_uint_eq(
            oriel_cuda_products_wanted(ORIEL_KERNELS_OWN, capabilities[i]), 0);
        ck_assert_uint_eq(
            oriel_cuda_products_wanted(ORIEL_KERNELS_CUBLASLT, capabilities[i]),
            ORIEL_PRODUCTS_ALL);
    }
}
END_TEST

/* Each row gives its reason; what has no row runs our own. */
START_TEST(the_table_has_reasons)
{
    static const struct {
        int32_t capability;
        oriel_cuda_product_set wanted;
    } rows[] = {{80, 0},  {86, 0},
                {89, 0},  {90, ORIEL_PRODUCTS_ALL},
                {120, 0}, {100, ORIEL_PRODUCTS_ALL}};

    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *reason =
            oriel_cuda_products_reason(ORIEL_KERNELS_AUTO, rows[i].capability);

        ck_assert_uint_eq(
            oriel_cuda_products_wanted(ORIEL_KERNELS_AUTO, rows[i].capability),
            rows[i].wanted);
        ck_assert_msg(strcmp(reason, "calculated") == 0 ||
                          strncmp(reason, "measured ", 9) == 0,
                      "%s", reason);
    }
    ck_assert_uint_eq(oriel_cuda_products_wanted(ORIEL_KERNELS_AUTO, 75), 0);
    ck_assert_str_eq(oriel_cuda_products_reason(ORIEL_KERNELS_AUTO, 75),
                     "no row for this device");
    ck_assert_str_eq(oriel_cuda_products_reason(ORIEL_KERNELS_OWN, 90),
                     "asked for");
}
END_TEST

/* Where the table wants the library and there is none: said aloud. */
START_TEST(auto_does_without_the_library)
{
    journal j = {.lines = 0};
    oriel_hooks hooks = journal_hooks(&j);
    oriel_cuda_products products;

    sim_lt_install(0);
    make_products(&products, &hooks, ORIEL_KERNELS_AUTO, ORIEL_PRODUCTS_ALL,
                  ORIEL_OK);
    ck_assert_uint_eq(products.of_cublaslt, 0);
    ck_assert_str_eq(products.text, "own products (no cuBLASLt)");
    ck_assert_int_eq(j.warnings, 1);
    ck_assert_msg(strstr(j.text, "own products instead of cuBLASLt's: ") &&
                      strstr(j.text, "expected libcublasLt.so.13"),
                  "%s", j.text);
    oriel_cuda_products_destroy(&products);
    make_products(&products, &hooks, ORIEL_KERNELS_CUBLASLT, ORIEL_PRODUCTS_ALL,
                  ORIEL_ERR_DEVICE);
    oriel_cuda_products_destroy(&products);
    ck_assert_int_eq(j.warnings, 1);
}
END_TEST

/* And where it has no algorithm that keeps a row's bytes in every batch. */
START_TEST(auto_does_without_an_algorithm)
{
    journal j = {.lines = 0};
    oriel_hooks hooks = journal_hooks(&j);
    oriel_cuda_products products;

    sim_lt_no_algorithm(1);
    make_products(&products, &hooks, ORIEL_KERNELS_AUTO,
                  1 << ORIEL_PRODUCT_DOWN, ORIEL_OK);
    ck_assert_uint_eq(products.of_cublaslt, 0);
    ck_assert_str_eq(products.text, "own products (cuBLASLt has no algorithm)");
    ck_assert_int_eq(j.warnings, 1);
    oriel_cuda_products_destroy(&products);
    make_products(&products, &hooks, ORIEL_KERNELS_CUBLASLT, ORIEL_PRODUCTS_ALL,
                  ORIEL_ERR_UNSUPPORTED);
    sim_lt_no_algorithm(0);
    make_products(&products, &hooks, ORIEL_KERNELS_AUTO,
                  1 << ORIEL_PRODUCT_DOWN, ORIEL_OK);
    ck_assert(oriel_cuda_is_library(&products, ORIEL_PRODUCT_DOWN));
    ck_assert(!oriel_cuda_is_library(&products, ORIEL_PRODUCT_PROJ));
    oriel_cuda_products_destroy(&products);
    ck_assert_uint_eq(sim_lt_alive(), 0);
}
END_TEST

/* ---- The workspace, streams, captures ------------------------------------- */

/* Room for gate and up, only where they come apart: padded to 64 columns they
   are the widest rows of the wide network. */
START_TEST(the_workspace_grows_with_gate_and_up)
{
    static const oriel_hooks none = ORIEL_HOOKS_INIT;
    cuda_fixture r = cuda_fixture_make(&fixture_wide);
    oriel_backend_config config = {
        .precision = ORIEL_PRECISION_BF16, .hooks = &none, .call = &none};
    size_t bytes[3];

    for (int32_t kernels = 0; kernels < 3; kernels++) {
        config.kernels = kernels;
        ck_assert_int_eq(fixture_backend()->workspace_bytes(
                             r.plan, &config, &bytes[kernels], NULL),
                         ORIEL_OK);
    }
    ck_assert_uint_eq(bytes[ORIEL_KERNELS_AUTO], bytes[ORIEL_KERNELS_CUBLASLT]);
    ck_assert_uint_gt(bytes[ORIEL_KERNELS_CUBLASLT], bytes[ORIEL_KERNELS_OWN]);
    cuda_fixture_free(&r);
}
END_TEST

START_TEST(encoders_on_streams_do_not_meet)
{
    enum { ENCODERS = 2 };
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    oriel_encoder *encoders[ENCODERS];
    cudaStream_t streams[ENCODERS];
    device_buffer out[ENCODERS];

    sim_interleave((uint64_t)_i + 1);
    for (int i = 0; i < ENCODERS; i++) {
        encoders[i] = cuda_fixture_encoder(&r);
        streams[i] = cuda_fixture_stream();
        out[i] = device_output(r.embeddings_bytes);
    }
    for (int turn = 0; turn < 2; turn++)
        for (int i = 0; i < ENCODERS; i++)
            encode(encoders[i], &r, out[i], streams[i]);
    for (int i = 0; i < ENCODERS; i++) {
        cuda_fixture_expect(&r, out[i]);
        oriel_encoder_destroy(encoders[i]);
        MUST(cudaStreamDestroy(streams[i]));
        device_release(out[i]);
    }
    cuda_fixture_free(&r);
}
END_TEST

/* The first thing that an encoder does, in a process that has loaded nothing. */
START_TEST(a_capture_replays)
{
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    device_buffer out = device_output(r.embeddings_bytes);
    cudaStream_t stream = cuda_fixture_stream();
    oriel_encoder *encoder;
    cudaGraphExec_t exec;
    cudaGraph_t graph;

    sim_lt_unload();
    encoder = cuda_fixture_encoder(&r);
    MUST(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    encode(encoder, &r, out, stream);
    MUST(cudaStreamEndCapture(stream, &graph));
    MUST(cudaGraphInstantiate(&exec, graph, 0));
    MUST(cudaGraphDestroy(graph));
    for (int i = 0; i < 2; i++) {
        MUST(cudaMemsetAsync(out.data, 0xff, out.bytes, stream));
        MUST(cudaGraphLaunch(exec, stream));
        cuda_fixture_expect(&r, out);
    }
    MUST(cudaGraphExecDestroy(exec));
    oriel_encoder_destroy(encoder);
    MUST(cudaStreamDestroy(stream));
    device_release(out);
    cuda_fixture_free(&r);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_products");
    TCase *tc = tcase_create("cublaslt");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, use_cublaslt, use_whole_library);
    tcase_add_test(tc, algorithms_are_chosen_once);
    tcase_add_test(tc, a_wide_residual_is_ours_to_add_to);
    tcase_add_test(tc, a_device_without_clusters_keeps_none);
    tcase_add_loop_test(tc, own_products_do_not_ask_the_library, 0, 2);
    tcase_add_test(tc, what_is_missing_is_named);
    tcase_add_test(tc, the_table_is_overridden);
    tcase_add_test(tc, the_table_has_reasons);
    tcase_add_test(tc, auto_does_without_the_library);
    tcase_add_test(tc, auto_does_without_an_algorithm);
    tcase_add_test(tc, the_workspace_grows_with_gate_and_up);
    tcase_add_loop_test(tc, encoders_on_streams_do_not_meet, 0, 3);
    tcase_add_test(tc, a_capture_replays);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
