/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_known_answer.c - encoders on simulated GPUs that are broken
 *
 * A fault is planted in the simulated hardware or in the stand-in library before
 * the first encoder of the process: the known-answer test must find it, and the
 * encoder must say so or do without.  Each test is a process of its own.
 */
#include "base/half.h"
#include "cuda/cuda_fixture.h"
#include "cuda/known_values.h"
#include "encode/encoder.h"
#include "oracle/oracle.h"
#include "sim/control.h"
#include "sim/cublaslt.h"
#include "support/suite.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- An encoder without a fixture ------------------------------------------- */

/* Warnings, one after the other. */
static char warnings[2048];

static void
note(void *user, int32_t level, const char *line)
{
    const size_t at = strlen(warnings);

    (void)user;
    if (level == ORIEL_LOG_WARNING)
        snprintf(warnings + at, sizeof(warnings) - at, "%s\n", line);
}

static const oriel_hooks none = ORIEL_HOOKS_INIT;

static oriel_status
create(oriel_encoder **encoder, const fixture_model *m, int32_t kernels,
       const oriel_hooks *hooks, oriel_error *err)
{
    const oriel_backend_config config = {.precision = ORIEL_PRECISION_BF16,
                                         .threads = 1,
                                         .kernels = kernels,
                                         .residual = fixture_residual};

    return oriel_encoder_create_on(encoder, m->model, fixture_backend(),
                                   ORIEL_DEVICE_CUDA, &config, hooks, 0, err);
}

static void
expect_runs(const fixture_model *m, int32_t kernels, const char *description,
            const char *warning)
{
    oriel_encoder_info info = ORIEL_ENCODER_INFO_INIT;
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_encoder *encoder;
    oriel_error err;

    warnings[0] = '\0';
    hooks.log = note;
    ck_assert_msg(create(&encoder, m, kernels, &hooks, &err) == ORIEL_OK, "%s",
                  err.message);
    ck_assert_int_eq(oriel_encoder_get_info(encoder, &info, NULL), ORIEL_OK);
    ck_assert_msg(strstr(info.description, description), "%s",
                  info.description);
    ck_assert_msg(warning ? strstr(warnings, warning) != NULL : !warnings[0],
                  "%s", warnings);
    oriel_encoder_destroy(encoder);
    ck_assert_uint_eq(sim_lt_alive(), 0);
}

static void
expect_fails(const fixture_model *m, int32_t kernels, oriel_status status,
             const char *words)
{
    oriel_encoder *encoder;
    oriel_error err;

    ck_assert_msg(create(&encoder, m, kernels, &none, &err) == status, "%d: %s",
                  (int)err.status, err.message);
    ck_assert_ptr_null(encoder);
    ck_assert_msg(strstr(err.message, words), "no \"%s\" in: %s", words,
                  err.message);
    ck_assert_uint_eq(sim_lt_alive(), 0);
}

/* ---- What it finds ----------------------------------------------------------- */

/* By which op: faults of products show in the first of our own, those of one
   epilogue or of attention where they are used. */
static const struct {
    const char *fault, *words;
} faults[] = {
    {"mma-fragment", "linear_gelu, row "},
    {"mma-operands", "linear_gelu, row "},
    {"mma-depth", "linear_gelu, row "},
    {"mma-one-sm", "window_attention, row "},
    {"ldmatrix-row", "linear_gelu, row "},
    {"ldmatrix-trans", "window_attention, row "},
    {"shuffle", "rms_norm, row "},
    {"copy-bytes", "linear_gelu, row "},
    {"copy-zeros", "linear_gelu, row "},
    {"ex2", "window_attention, row "},
    {"rsqrt", "rms_norm, row "},
    {"round-bf16", "linear_gelu, row "},
    {"lost-block:rms_norm", "rms_norm, row "},
    {"lost-block:rope", "rope, row "},
    {"lost-block:window_attention", "window_attention, row "},
    {"lost-block:full_attention", "full_attention, row "},
    {"lost-block:linear_rows", "linear_rows, row "},
};

/* Without these steps there is no encoder, whatever was asked for. */
START_TEST(a_fault_of_all_kernels_is_found)
{
    fixture_model m = fixture_model_make(cuda_fixture_shallow(), 31);

    ck_assert(sim_plant(faults[_i].fault));
    for (int32_t kernels = ORIEL_KERNELS_AUTO;
         kernels <= ORIEL_KERNELS_CUBLASLT; kernels++) {
        expect_fails(&m, kernels, ORIEL_ERR_FAULT, faults[_i].words);
        expect_fails(&m, kernels, ORIEL_ERR_FAULT,
                     "own kernels: a wrong answer on CUDA device 0: ");
    }
    fixture_model_free(&m);
}
END_TEST

/* ---- What is done about it ---------------------------------------------------- */

/* In one library, or in one file of kernels, of which a block is lost. */
static const struct {
    const char *fault;
    bool of_cublaslt;
    const char *op;
} products[] = {
    {"cublaslt-bias", true, "product and bias"},
    {"cublaslt-residual", true, "product, bias and residual"},
    {"cublaslt-operands", true, "product and bias"},
    {"lost-block:linear", false, "linear"},
    {"lost-block:linear_swiglu", false, "linear_swiglu"},
};

/* The other runs, and that is said; what was asked for by name is refused.  The
   verdict stays when the fault has gone: nothing is asked twice. */
START_TEST(the_next_implementation_takes_over)
{
    const bool library = products[_i].of_cublaslt;
    const int32_t broken = library ? ORIEL_KERNELS_CUBLASLT : ORIEL_KERNELS_OWN;
    const int32_t whole = library ? ORIEL_KERNELS_OWN : ORIEL_KERNELS_CUBLASLT;
    fixture_model m = fixture_model_make(cuda_fixture_shallow(), 31);
    char words[128];

    ck_assert(sim_plant(products[_i].fault));
    sim_architecture(0, library ? 90 : 80); /* which the table gives to it */
    for (int turn = 0; turn < 2; turn++) {
        snprintf(words, sizeof(words),
                 "%s: a wrong answer on CUDA device 0: "
                 "%s, row ",
                 library ? "cuBLASLt" : "own products", products[_i].op);
        expect_fails(&m, broken, ORIEL_ERR_UNSUPPORTED, words);
        expect_runs(&m, whole, "(asked for)", NULL);
        expect_runs(&m, ORIEL_KERNELS_AUTO,
                    library
                        ? "own products (cuBLASLt failed its test)"
                        : "cuBLASLt 13.1 products (own ones failed their test)",
                    words);
        ck_assert(sim_plant(NULL));
    }
    fixture_model_free(&m);
}
END_TEST

/* ---- The kernels of sm_90a ----------------------------------------------------- */

#define LARGE "Hopper products: a wrong answer on CUDA device 0: "
#define FEW "Hopper products of few rows: a wrong answer on CUDA device 0: "
#define FRAMES "Hopper attention over frames: a wrong answer on CUDA device 0: "

/* Operands in registers and values along the keys are of attention alone; with large
   tiles the test has one block. */
static const struct {
    const char *fault, *words;
} hopper_faults[] = {
    {"wgmma-depth", LARGE "hopper_linear, row "},
    {"wgmma-fragment", FRAMES "hopper_full_attention, row "},
    {"wgmma-transposed", FRAMES "hopper_full_attention, row "},
    {"wgmma-stride", LARGE "hopper_linear, row "},
    {"wgmma-leading", FRAMES "hopper_full_attention, row "},
    {"wgmma-adds-not", LARGE "hopper_linear, row "},
    {"wgmma-clears-not", LARGE "hopper_linear, row "},
    {"wgmma-warp", LARGE "hopper_linear, row "},
    {"wgmma-one-sm", FEW "hopper_linear, row "},
    {"stmatrix-row", LARGE "hopper_linear, row "},
    {"tensor-row", LARGE "hopper_linear, row "},
    {"tensor-zeros", LARGE "hopper_linear, row "},
    {"tensor-swizzle", LARGE "hopper_linear, row "},
    {"mbarrier-bytes", LARGE "hopper_linear, row "},
    {"lost-block:hopper_linear", LARGE "hopper_linear, row "},
    {"lost-block:hopper_linear_swiglu", LARGE "hopper_linear_swiglu, row "},
    {"lost-block:hopper_linear_gelu", LARGE "hopper_linear_gelu, row "},
    {"lost-block:hopper_linear_rows", LARGE "hopper_linear_rows, row "},
    {"lost-block:hopper_full_attention", FRAMES "hopper_full_attention, row "},
};

/* They were asked for by name; all others run. */
START_TEST(a_fault_of_hopper_is_found)
{
    fixture_model m = fixture_model_make(&fixture_wide, 31);

    sim_architecture(0, 90);
    ck_assert(sim_plant(hopper_faults[_i].fault));
    for (int turn = 0; turn < 2; turn++) { /* the verdict stays */
        expect_fails(&m, ORIEL_KERNELS_HOPPER, ORIEL_ERR_UNSUPPORTED,
                     hopper_faults[_i].words);
        expect_fails(&m, ORIEL_KERNELS_HOPPER, ORIEL_ERR_UNSUPPORTED,
                     "expected other kernels");
        expect_runs(&m, ORIEL_KERNELS_OWN, "own products (asked for)", NULL);
        ck_assert(sim_plant(NULL));
    }
    fixture_model_free(&m);
}
END_TEST

START_TEST(whole_hopper_kernels_run)
{
    fixture_model m = fixture_model_make(&fixture_wide, 31);

    sim_architecture(0, 90);
    expect_runs(&m, ORIEL_KERNELS_HOPPER, "Hopper products (asked for)", NULL);
    fixture_model_free(&m);
}
END_TEST

/* ---- A wide residual ------------------------------------------------------------ */

/* A wide residual was asked for by name, and its kernels have an answer of their
   own; without it the library does all. */
START_TEST(a_wide_residual_is_tested_where_it_is_used)
{
    fixture_model m = fixture_model_make(cuda_fixture_shallow(), 31);

    ck_assert(sim_plant("lost-block:linear"));
    expect_runs(&m, ORIEL_KERNELS_CUBLASLT, "(asked for)", NULL);
    fixture_residual = ORIEL_RESIDUAL_WIDE;
    for (int turn = 0; turn < 2; turn++) { /* the verdict stays */
        expect_fails(&m, ORIEL_KERNELS_CUBLASLT, ORIEL_ERR_UNSUPPORTED,
                     "own kernels of a wide residual: a wrong answer on CUDA "
                     "device 0: linear_residual, hi, row ");
        expect_fails(&m, ORIEL_KERNELS_CUBLASLT, ORIEL_ERR_UNSUPPORTED,
                     "expected residual ORIEL_RESIDUAL_BF16");
        ck_assert(sim_plant(NULL));
    }
    fixture_residual = ORIEL_RESIDUAL_BF16;
    fixture_model_free(&m);
}
END_TEST

START_TEST(a_whole_wide_residual_runs)
{
    fixture_model m = fixture_model_make(cuda_fixture_shallow(), 31);

    fixture_residual = ORIEL_RESIDUAL_WIDE;
    expect_runs(&m, ORIEL_KERNELS_OWN, "wide residual", NULL);
    fixture_residual = ORIEL_RESIDUAL_BF16;
    fixture_model_free(&m);
}
END_TEST

/* Both wrong, or one wrong and the other missing. */
START_TEST(without_any_there_is_no_encoder)
{
    fixture_model m = fixture_model_make(cuda_fixture_shallow(), 31);

    sim_architecture(0, 80);
    ck_assert(sim_plant("lost-block:linear"));
    sim_lt_install(0);
    expect_fails(&m, ORIEL_KERNELS_AUTO, ORIEL_ERR_FAULT,
                 "no implementation of the matrix products is fit: own "
                 "products: a wrong answer");
    sim_lt_install(130100);
    expect_runs(&m, ORIEL_KERNELS_AUTO, "cuBLASLt 13.1 products", "");
    fixture_model_free(&m);
}
END_TEST

/* The gate of both is ours, and so is its fault. */
START_TEST(both_may_be_wrong)
{
    fixture_model m = fixture_model_make(cuda_fixture_shallow(), 31);

    ck_assert(sim_plant("rcp"));
    for (int device = 0; device < 2; device++) {
        sim_architecture(0, device ? 90 : 80);
        expect_fails(&m, ORIEL_KERNELS_AUTO, ORIEL_ERR_FAULT,
                     "no implementation of the matrix products is fit: ");
        expect_fails(&m, ORIEL_KERNELS_AUTO, ORIEL_ERR_FAULT,
                     "own products: a wrong answer on CUDA device 0: "
                     "linear_swiglu, row ");
        expect_fails(&m, ORIEL_KERNELS_AUTO, ORIEL_ERR_FAULT,
                     "cuBLASLt: a wrong answer on CUDA device 0: swiglu, row ");
    }
    fixture_model_free(&m);
}
END_TEST

START_TEST(each_device_has_its_verdict)
{
    fixture_model m = fixture_model_make(cuda_fixture_shallow(), 31);

    oriel_backend_config config = {.precision = ORIEL_PRECISION_BF16,
                                   .threads = 1,
                                   .kernels = ORIEL_KERNELS_CUBLASLT};
    oriel_encoder *encoder;
    oriel_error err;

    sim_devices(2, 13000);
    ck_assert(sim_plant("cublaslt-bias"));
    expect_fails(&m, ORIEL_KERNELS_CUBLASLT, ORIEL_ERR_UNSUPPORTED,
                 "cuBLASLt: a wrong answer on CUDA device 0");
    ck_assert(sim_plant(NULL));
    config.device_index = 1;
    ck_assert_msg(oriel_encoder_create_on(&encoder, m.model, fixture_backend(),
                                          ORIEL_DEVICE_CUDA, &config, &none, 0,
                                          &err) == ORIEL_OK,
                  "%s", err.message);
    oriel_encoder_destroy(encoder);
    expect_fails(&m, ORIEL_KERNELS_CUBLASLT, ORIEL_ERR_UNSUPPORTED,
                 "cuBLASLt: a wrong answer on CUDA device 0");
    fixture_model_free(&m);
}
END_TEST

/* The call that fails, counted from when the test has its memory; then none. */
static uint64_t failing;

static void *
lend(void *user, size_t bytes, int32_t device_index)
{
    oriel_known_values v;
    void *memory = NULL;

    (void)user;
    (void)device_index;
    oriel_known_lay_out(&v, fixture_tiny.hidden_size / fixture_tiny.num_heads);
    (void)cudaMalloc(&memory, bytes);
    if (bytes == v.bytes && failing)
        sim_fail_call(failing, cudaErrorMemoryAllocation);
    return memory;
}

static void
take_back(void *user, void *memory, int32_t device_index)
{
    (void)user;
    (void)device_index;
    (void)cudaFree(memory);
}

/* A call that fails is no wrong answer: the next encoder asks again. */
START_TEST(a_test_that_cannot_run_is_not_kept)
{
    enum { CALLS = 9 }; /* a stream, 2 copies, 6 launches; all can fail */
    fixture_model m = fixture_model_make(cuda_fixture_shallow(), 31);
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_encoder *encoder;
    oriel_error err;

    hooks.device_alloc = lend;
    hooks.device_free = take_back;
    for (failing = 1; failing <= CALLS; failing++) {
        ck_assert_msg(create(&encoder, &m, ORIEL_KERNELS_OWN, &hooks, &err) ==
                          ORIEL_ERR_MEMORY,
                      "call %d: %s", (int)failing, err.message);
        sim_fail_call(0, cudaSuccess);
    }
    failing = 0;
    ck_assert_msg(create(&encoder, &m, ORIEL_KERNELS_OWN, &hooks, &err) ==
                      ORIEL_OK,
                  "%s", err.message);
    oriel_encoder_destroy(encoder);
    fixture_model_free(&m);
}
END_TEST

/* ---- Once --------------------------------------------------------------------- */

static uint64_t
waits_of_creating(const fixture_model *m)
{
    const uint64_t before = sim_waits();
    oriel_encoder *encoder;
    oriel_error err;

    ck_assert_msg(create(&encoder, m, ORIEL_KERNELS_OWN, &none, &err) ==
                      ORIEL_OK,
                  "%s", err.message);
    oriel_encoder_destroy(encoder);
    return sim_waits() - before;
}

/* A line of the log for each that ran. */
static void
count_answers(void *user, int32_t level, const char *line)
{
    double ms;
    const char *time = strrchr(line, ',');

    if (level != ORIEL_LOG_DEBUG || strncmp(line, "known answer of ", 16) != 0)
        return;
    ck_assert_msg(time && sscanf(time, ", %lf ms", &ms) == 1, "%s", line);
    ck_assert_ptr_nonnull(strstr(line, " on CUDA device 0: right, "));
    ++*(int *)user;
}

START_TEST(its_time_is_logged)
{
    fixture_model m = fixture_model_make(cuda_fixture_shallow(), 31);
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    int lines = 0;
    oriel_error err;

    hooks.log = count_answers;
    hooks.user = &lines;
    for (int i = 0; i < 2; i++) {
        oriel_encoder *encoder;

        ck_assert_msg(!create(&encoder, &m, ORIEL_KERNELS_OWN, &hooks, &err),
                      "%s", err.message);
        oriel_encoder_destroy(encoder);
        ck_assert_int_eq(lines, 2); /* own kernels, own products */
    }
    fixture_model_free(&m);
}
END_TEST

/* Once a device and size of head; what is already known costs no wait. */
START_TEST(it_runs_once)
{
    fixture_model m = fixture_model_make(cuda_fixture_shallow(), 31);
    const uint64_t first = waits_of_creating(&m);
    const uint64_t second = waits_of_creating(&m);

    ck_assert_uint_gt(first, second);
    ck_assert_uint_eq(waits_of_creating(&m), second);
    fixture_model_free(&m);
}
END_TEST

static void *
create_one(void *model)
{
    oriel_encoder *encoder;
    oriel_error err;

    if (create(&encoder, model, ORIEL_KERNELS_OWN, &none, &err))
        return strdup(err.message);
    oriel_encoder_destroy(encoder);
    return NULL;
}

START_TEST(two_may_come_at_once)
{
    enum { CREATORS = 4 };
    fixture_model m = fixture_model_make(cuda_fixture_shallow(), 31);
    pthread_t threads[CREATORS];

    for (int i = 0; i < CREATORS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, create_one, &m), 0);
    for (int i = 0; i < CREATORS; i++) {
        void *message;

        pthread_join(threads[i], &message);
        ck_assert_msg(!message, "%s", (char *)message);
    }
    fixture_model_free(&m);
}
END_TEST

/* ---- Its own arithmetic -------------------------------------------------------- */

/* Against the oracle of the tests: another formulation, in double precision. */
START_TEST(attention_is_the_oracles)
{
    enum { ROWS = ORIEL_KNOWN_ROWS, HEADS = ORIEL_KNOWN_HEADS, DIM = 16 };
    oriel_known_values v;
    double exact[HEADS * DIM], bound[HEADS * DIM], expected[DIM];
    double qkv[ROWS * 3 * HEADS * DIM], weights[ROWS];
    int64_t keys[ROWS];

    oriel_known_lay_out(&v, DIM);
    v.memory = malloc(v.bytes);
    oriel_known_fill(&v);
    for (int i = 0; i < ROWS * 3 * HEADS * DIM; i++)
        qkv[i] = oriel_known_value(&v, ORIEL_KNOWN_QKV, i / (3 * HEADS * DIM),
                                   i % (3 * HEADS * DIM));
    for (int i = 0; i < ROWS; i++)
        keys[i] = i;
    for (int r = 0; r < ROWS; r++) {
        oriel_known_frame(&v, r, exact, bound);
        for (int h = 0; h < HEADS; h++) {
            const double *q = qkv + (3 * r * HEADS + h) * DIM;

            oracle_attention_row(expected, q, qkv + (HEADS + h) * DIM,
                                 qkv + (2 * HEADS + h) * DIM, 3 * HEADS * DIM,
                                 DIM, keys, ROWS, weights);
            for (int d = 0; d < DIM; d++)
                ck_assert_double_eq_tol(exact[h * DIM + d], expected[d], 1e-12);
        }
    }
    free(v.memory);
}
END_TEST

/* The sums are what they are said to be: exact, and of each sign and size. */
START_TEST(sums_are_exact)
{
    oriel_known_values v;
    int large = 0, inexact = 0, rest = 0;

    oriel_known_lay_out(&v, 16);
    v.memory = malloc(v.bytes);
    oriel_known_fill(&v);
    for (int r = 0; r < ORIEL_KNOWN_ROWS; r++)
        for (int j = 0; j < ORIEL_KNOWN_COLUMNS; j++) {
            double sum = oriel_known_value(&v, ORIEL_KNOWN_BIAS, 0, j);
            double found = oriel_known_value(&v, ORIEL_KNOWN_SUMS, r, j);

            for (int k = 0; k < ORIEL_KNOWN_DEPTH; k++)
                sum += oriel_known_value(&v, ORIEL_KNOWN_INPUT, r, k) *
                       oriel_known_value(&v, ORIEL_KNOWN_WEIGHT, j, k);
            ck_assert_double_eq(found, sum);
            large += fabs(found) > 4;
            inexact +=
                found != (double)bf16_value(oriel_f32_to_bf16((float)found));
        }
    for (int r = 0; r < ORIEL_KNOWN_ROWS; r++) {
        double hi[ORIEL_KNOWN_COLUMNS], lo[ORIEL_KNOWN_COLUMNS];
        double bound[ORIEL_KNOWN_COLUMNS];

        oriel_known_hi(&v, r, hi, bound);
        oriel_known_lo(&v, r, lo, bound);
        for (int j = 0; j < ORIEL_KNOWN_COLUMNS; j++) {
            double sum = oriel_known_value(&v, ORIEL_KNOWN_SUMS, r, j) +
                         oriel_known_value(&v, ORIEL_KNOWN_HI, r, j) +
                         oriel_known_value(&v, ORIEL_KNOWN_LO, r, j);

            /* In one sum of three: fp32 holds it, whatever the order. */
            ck_assert_double_eq(sum, (double)(float)sum);
            ck_assert_double_le(fabs(hi[j] + lo[j] - sum), fabs(sum) * 0x1p-17);
            rest += lo[j] != 0 && hi[j] + lo[j] != sum;
        }
    }
    /* Else the rounding of an epilogue would not show. */
    ck_assert_int_gt(large, 300);
    ck_assert_int_gt(inexact, 300);
    ck_assert_int_gt(rest, 300);
    free(v.memory);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_known_answer");
    TCase *tc = tcase_create("known_answer");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, a_fault_of_all_kernels_is_found, 0, COUNT(faults));
    tcase_add_loop_test(tc, the_next_implementation_takes_over, 0,
                        COUNT(products));
    tcase_add_loop_test(tc, a_fault_of_hopper_is_found, 0,
                        COUNT(hopper_faults));
    tcase_add_test(tc, whole_hopper_kernels_run);
    tcase_add_test(tc, a_wide_residual_is_tested_where_it_is_used);
    tcase_add_test(tc, a_whole_wide_residual_runs);
    tcase_add_test(tc, without_any_there_is_no_encoder);
    tcase_add_test(tc, both_may_be_wrong);
    tcase_add_test(tc, each_device_has_its_verdict);
    tcase_add_test(tc, a_test_that_cannot_run_is_not_kept);
    tcase_add_test(tc, it_runs_once);
    tcase_add_test(tc, its_time_is_logged);
    tcase_add_test(tc, two_may_come_at_once);
    tcase_add_test(tc, attention_is_the_oracles);
    tcase_add_test(tc, sums_are_exact);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
