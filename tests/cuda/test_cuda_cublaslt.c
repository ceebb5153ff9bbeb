/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_cublaslt.c - one product of cuBLASLt at a time, on the stand-in; and
 * the stand-in itself: what it must refuse or report
 */
#include "cuda/cublaslt.h"
#include "cuda/cublaslt_attributes.h"
#include "ops/linear.h"
#include "sim/cublaslt.h"
#include "support/suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MUST(call) ck_assert_int_eq(call, cudaSuccess)
#define MUST_LT(call) ck_assert_int_eq(call, ORIEL_LT_SUCCESS)

static const oriel_hooks none = ORIEL_HOOKS_INIT;

static oriel_lt
open_library(void)
{
    oriel_lt lt;
    oriel_error err;

    ck_assert_msg(oriel_lt_open(&lt, &none, 0, &err) == ORIEL_OK, "%s",
                  err.message);
    return lt;
}

static oriel_lt_product
choose(const oriel_lt *lt, const op_case *c, bool adds)
{
    oriel_lt_product product = {
        .op = "test", .columns = c->columns, .depth = c->depth, .adds = adds};
    oriel_error err;

    ck_assert_msg(oriel_lt_choose(lt, &product, &err) == ORIEL_OK, "%s",
                  err.message);
    return product;
}

/* ---- One product ---------------------------------------------------------- */

typedef struct run {
    op_case c; /* of op_linear */
    oriel_lt lt;
    oriel_lt_product product;
    uint16_t *before, *after; /* [rows, columns] */
    size_t n;
} run;

static run
make_run(op_shape shape, bool adds)
{
    random_stream random = {5};
    run r = {.lt = open_library()};

    ck_assert_int_eq(op_case_make(&r.c, &op_linear, &shape, 6), 0);
    r.product = choose(&r.lt, &r.c, adds);
    r.n = (size_t)(r.c.rows * r.c.columns);
    r.before = random_bf16(&random, r.n, 4, 0);
    r.after = malloc(r.n * 2);
    return r;
}

static void
free_run(run *r)
{
    oriel_lt_forget(&r->lt, &r->product);
    oriel_lt_close(&r->lt);
    ck_assert_uint_eq(sim_lt_alive(), 0);
    op_case_free(&r->c);
    free(r->before);
    free(r->after);
}

/* Rows first .. first + rows - 1 of x, into r->after. */
static void
run_rows(run *r, int64_t first, int64_t rows)
{
    size_t bytes = (size_t)(rows * r->c.columns) * 2;
    device_buffer out = device_upload(r->before + first * r->c.columns, bytes);
    const oriel_linear_args args =
        op_product_args(&r->c, first, rows, out.data);
    oriel_error err;

    ck_assert_msg(oriel_lt_run(&r->lt, &r->product, &args, NULL, &err) ==
                      ORIEL_OK,
                  "%s", err.message);
    ck_assert_str_eq(device_finish(), "");
    device_download(r->after, out);
    device_release(out);
}

static const op_shape shapes[] = {{.rows = 1, .columns = 16, .depth = 8},
                                  {.rows = 20, .columns = 48, .depth = 136},
                                  {.rows = 129, .columns = 144, .depth = 192},
                                  {.rows = 5, .columns = 256, .depth = 640}};

/* _i % 2: adds to what is there.  One rounding, and fp32 sums. */
START_TEST(matches_the_oracle)
{
    bool adds = _i % 2;
    run r = make_run(shapes[_i / 2], adds);
    double *exact = malloc(r.n * sizeof(*exact));
    double *slack = malloc(r.n * sizeof(*slack));

    op_product_exact(&r.c, 0, r.c.rows, exact, slack);
    run_rows(&r, 0, r.c.rows);
    for (size_t i = 0; i < r.n; i++) {
        double truth = exact[i] + (adds ? bf16_value(r.before[i]) : 0);
        /* The stand-in cuts at 2^-16 every 32 products, not at 2^-22 every
           16. */
        double sums = slack[i] * 64 + fabs(truth) * 0x1p-22;
        double value = bf16_value(r.after[i]);

        ck_assert_msg(fabs(value - truth) <= fabs(truth) * 0x1p-8 + sums,
                      "value %zu: %g, not %g", i, value, truth);
    }
    free(exact);
    free(slack);
    free_run(&r);
}
END_TEST

/* Any number of rows from anywhere, and in pieces: a row has its bytes. */
START_TEST(rows_have_their_bytes_alone)
{
    static const int counts[] = {1, 4, 16, 64, 100, 1030};
    run r = make_run((op_shape){.rows = 1100, .columns = 48, .depth = 72}, _i);
    uint16_t *all = malloc(r.n * 2);

    run_rows(&r, 0, r.c.rows);
    memcpy(all, r.after, r.n * 2);
    for (size_t i = 0; i < COUNT(counts); i++)
        for (int first = 0; first <= 52; first += 52) {
            size_t bytes = (size_t)(counts[i] * r.c.columns) * 2;

            run_rows(&r, first, counts[i]);
            ck_assert_msg(memcmp(r.after, all + first * r.c.columns, bytes) ==
                              0,
                          "%d rows from %d", counts[i], first);
        }
    r.product.most_rows = 300;
    run_rows(&r, 0, r.c.rows);
    ck_assert(memcmp(r.after, all, r.n * 2) == 0);
    free(all);
    free_run(&r);
}
END_TEST

START_TEST(no_rows_are_nothing)
{
    run r = make_run(shapes[1], false);
    const oriel_linear_args args =
        op_product_args(&r.c, 0, 0, r.c.x.device.data);

    ck_assert_int_eq(oriel_lt_run(&r.lt, &r.product, &args, NULL, NULL),
                     ORIEL_OK);
    ck_assert_str_eq(device_finish(), "");
    free_run(&r);
}
END_TEST

/* ---- The stand-in --------------------------------------------------------- */

/* A call of cublasLtMatmul, whole and right until a test spoils it. */
typedef struct call {
    run r;
    oriel_lt_layout c_layout;
    float alpha, beta;
    const void *a, *b, *c;
    void *d, *workspace;
    size_t workspace_bytes;
    oriel_lt_algo algo;
    device_buffer out;
} call;

static void
make_call(call *k)
{
    static const op_shape shape = {.rows = 20, .columns = 48, .depth = 136};
    const void *bias;

    *k = (call){.r = make_run(shape, true), .alpha = 1, .beta = 1};
    k->out = device_upload(k->r.before, k->r.n * 2);
    k->a = k->r.c.weight.device.data;
    k->b = k->r.c.x.device.data;
    k->c = k->d = k->out.data;
    k->c_layout = k->r.product.out;
    k->algo = k->r.product.algo;
    k->workspace = k->r.lt.workspace;
    k->workspace_bytes = ORIEL_LT_WORKSPACE_BYTES;
    bias = k->r.c.bias.device.data;
    MUST_LT(oriel_lt_set_rows(&k->r.lt, &k->r.product, shape.rows));
    MUST_LT(k->r.lt.calls.MatmulDescSetAttribute(
        k->r.product.desc, ORIEL_LT_DESC_BIAS_POINTER, &bias, sizeof(bias)));
}

static oriel_lt_status
make(const call *k, cudaStream_t stream)
{
    const oriel_lt_product *p = &k->r.product;

    return k->r.lt.calls.Matmul(k->r.lt.handle, p->desc, &k->alpha, k->a,
                                p->weight, k->b, p->x, &k->beta, k->c,
                                k->c_layout, k->d, p->out, &k->algo,
                                k->workspace, k->workspace_bytes, stream);
}

static void
free_call(call *k)
{
    device_release(k->out);
    free_run(&k->r);
}

/* The device is lost: what the host has is all that can be freed. */
static void
abandon_call(call *k)
{
    oriel_lt_forget(&k->r.lt, &k->r.product);
    oriel_lt_close(&k->r.lt);
    free(k->r.c.x.host);
    free(k->r.c.weight.host);
    free(k->r.c.bias.host);
    free(k->r.before);
    free(k->r.after);
}

#define SET_DESC(attribute, type, number) \
    do { \
        const type value = (type)(number); \
        MUST_LT(k->r.lt.calls.MatmulDescSetAttribute( \
            k->r.product.desc, ORIEL_LT_DESC_##attribute, &value, \
            sizeof(value))); \
    } while (0)
#define SET_LAYOUT(which, attribute, type, number) \
    do { \
        const type value = (type)(number); \
        MUST_LT(k->r.lt.calls.MatrixLayoutSetAttribute( \
            k->r.product.which, ORIEL_LT_LAYOUT_##attribute, &value, \
            sizeof(value))); \
    } while (0)

/* Each of these is wrong, and nothing is enqueued. */
static oriel_lt_status
spoil(call *k, int which)
{
    switch (which) {
    case 0:
        SET_LAYOUT(weight, LD, int64_t, 135);
        return ORIEL_LT_INVALID_VALUE;
    case 1:
        SET_LAYOUT(out, LD, int64_t, 47);
        return ORIEL_LT_INVALID_VALUE;
    case 2:
        SET_LAYOUT(x, ROWS, uint64_t, 128);
        return ORIEL_LT_INVALID_VALUE;
    case 3:
        SET_LAYOUT(x, COLS, uint64_t, 19);
        return ORIEL_LT_INVALID_VALUE;
    case 4:
        SET_LAYOUT(x, TYPE, uint32_t, ORIEL_LT_R_16F);
        return ORIEL_LT_NOT_SUPPORTED;
    case 5:
        SET_LAYOUT(weight, TYPE, uint32_t, ORIEL_LT_R_32F);
        return ORIEL_LT_NOT_SUPPORTED;
    case 6:
        SET_LAYOUT(out, ORDER, int32_t, 2);
        return ORIEL_LT_INVALID_VALUE;
    case 7:
        SET_LAYOUT(out, BATCH_COUNT, int32_t, 2);
        return ORIEL_LT_INVALID_VALUE;
    case 8:
        SET_DESC(TRANSA, int32_t, ORIEL_LT_OP_N);
        return ORIEL_LT_INVALID_VALUE;
    case 9:
        SET_DESC(TRANSC, int32_t, ORIEL_LT_OP_T);
        return ORIEL_LT_NOT_SUPPORTED;
    case 10:
        SET_DESC(COMPUTE_TYPE, int32_t, 64); /* in fp16 */
        return ORIEL_LT_NOT_SUPPORTED;
    case 11:
        SET_DESC(SCALE_TYPE, int32_t, ORIEL_LT_R_16BF);
        return ORIEL_LT_NOT_SUPPORTED;
    case 12:
        SET_DESC(POINTER_MODE, int32_t, 1); /* alpha on the device */
        return ORIEL_LT_NOT_SUPPORTED;
    case 13:
        SET_DESC(EPILOGUE, uint32_t, 8 | 128 | 16);
        return ORIEL_LT_NOT_SUPPORTED;
    case 14:
        SET_DESC(BIAS_DATA_TYPE, int32_t, ORIEL_LT_R_32F);
        return ORIEL_LT_NOT_SUPPORTED;
    case 15:
        SET_DESC(BIAS_POINTER, uintptr_t, 0);
        return ORIEL_LT_INVALID_VALUE;
    case 16:
        SET_DESC(BIAS_POINTER, uintptr_t,
                 (uintptr_t)k->r.c.bias.device.data + 2);
        return ORIEL_LT_INVALID_VALUE;
    case 17:
        k->b = (const char *)k->b + 8;
        return ORIEL_LT_INVALID_VALUE;
    case 18:
        k->c = NULL;
        return ORIEL_LT_INVALID_VALUE;
    case 19:
        k->d = k->r.c.weight.device.data;
        return ORIEL_LT_INVALID_VALUE;
    case 20:
        k->c = (const char *)k->d + 16; /* over a part of D */
        return ORIEL_LT_INVALID_VALUE;
    case 21:
        k->workspace_bytes = 16;
        return ORIEL_LT_INVALID_VALUE;
    case 22:
        k->workspace = (char *)k->workspace + 8;
        return ORIEL_LT_INVALID_VALUE;
    case 23:
        k->algo = (oriel_lt_algo){{0}};
        return ORIEL_LT_INVALID_VALUE;
    default:
        k->c_layout = k->r.product.x; /* of another size */
        return ORIEL_LT_INVALID_VALUE;
    }
}
enum { SPOILS = 25 };

START_TEST(refuses_what_is_wrong)
{
    uint16_t *after;
    call k;

    make_call(&k);
    after = malloc(k.r.n * 2);
    ck_assert_int_eq(make(&k, NULL), ORIEL_LT_SUCCESS);
    ck_assert_str_eq(device_finish(), "");
    device_download(k.r.after, k.out);
    ck_assert_int_eq(spoil(&k, _i), make(&k, NULL));
    ck_assert_str_eq(device_finish(), "");
    device_download(after, k.out);
    ck_assert(memcmp(after, k.r.after, k.r.n * 2) == 0);
    free(after);
    free_call(&k);
}
END_TEST

START_TEST(takes_each_attribute_in_its_size)
{
    oriel_lt lt = open_library();

    check_attributes(&lt.calls);
    oriel_lt_close(&lt);
    ck_assert_uint_eq(sim_lt_alive(), 0);
}
END_TEST

/* Attributes have sizes, and some names do not exist. */
START_TEST(refuses_unknown_attributes)
{
    const oriel_lt_library *l;
    const int64_t value = 16;
    call k;

    make_call(&k);
    l = &k.r.lt.calls;
    ck_assert_int_eq(
        l->MatrixLayoutSetAttribute(k.c_layout, ORIEL_LT_LAYOUT_LD, &value, 4),
        ORIEL_LT_INVALID_VALUE);
    ck_assert_int_eq(
        l->MatrixLayoutSetAttribute(k.c_layout, 77, &value, sizeof(value)),
        ORIEL_LT_INVALID_VALUE);
    ck_assert_int_eq(l->MatmulDescSetAttribute(k.r.product.desc,
                                               ORIEL_LT_DESC_TRANSA, NULL, 4),
                     ORIEL_LT_INVALID_VALUE);
    ck_assert_int_eq(
        l->MatmulAlgoConfigSetAttribute(&k.algo, ORIEL_LT_CONFIG_ID, &value, 4),
        ORIEL_LT_INVALID_VALUE);
    free_call(&k);
}
END_TEST

/* Accepted at the call, a fault when the stream gets there. */
START_TEST(reports_memory_of_the_host)
{
    static const _Alignas(16) uint16_t bias[48];
    call whole, *k = &whole;

    make_call(k);
    SET_DESC(BIAS_POINTER, uintptr_t, bias);
    MUST_LT(make(k, NULL));
    ck_assert_ptr_nonnull(
        strstr(device_finish(), "not wholly in device memory"));
    abandon_call(k);
}
END_TEST

/* Two streams, one workspace: under some interleaving they meet. */
START_TEST(reports_a_workspace_that_is_shared)
{
    cudaStream_t streams[2];
    call k;

    make_call(&k);
    for (int i = 0; i < 2; i++)
        MUST(cudaStreamCreateWithFlags(&streams[i], cudaStreamNonBlocking));
    for (int i = 0; i < 16; i++)
        MUST_LT(make(&k, streams[i % 2]));
    ck_assert_ptr_nonnull(strstr(device_finish(), "workspace was written"));
    for (int i = 0; i < 2; i++)
        MUST(cudaStreamDestroy(streams[i]));
    free_call(&k);
}
END_TEST

/* What the heuristic offers first for few rows and for many are not one: who
   asked for the rows at hand would be found out. */
START_TEST(algorithms_differ_in_their_bytes)
{
    static const int32_t rows[] = {4, 4096};
    run r =
        make_run((op_shape){.rows = 40, .columns = 48, .depth = 136}, false);
    uint16_t *first = malloc(r.n * 2);
    oriel_lt_preference preference;
    const uint64_t workspace = ORIEL_LT_WORKSPACE_BYTES;
    const uint32_t mask = (uint32_t)_i;

    MUST_LT(r.lt.calls.MatmulPreferenceCreate(&preference));
    MUST_LT(r.lt.calls.MatmulPreferenceSetAttribute(
        preference, ORIEL_LT_PREF_WORKSPACE_BYTES, &workspace,
        sizeof(workspace)));
    MUST_LT(r.lt.calls.MatmulPreferenceSetAttribute(
        preference, ORIEL_LT_PREF_REDUCTION_MASK, &mask, sizeof(mask)));
    for (int i = 0; i < 2; i++) {
        oriel_lt_heuristic offered;
        int n = 0;

        MUST_LT(oriel_lt_set_rows(&r.lt, &r.product, rows[i]));
        MUST_LT(r.lt.calls.MatmulAlgoGetHeuristic(
            r.lt.handle, r.product.desc, r.product.weight, r.product.x,
            r.product.out, r.product.out, preference, 1, &offered, &n));
        ck_assert_int_eq(n, 1);
        r.product.algo = offered.algo;
        run_rows(&r, 0, r.c.rows);
        if (i == 0)
            memcpy(first, r.after, r.n * 2);
    }
    ck_assert(memcmp(first, r.after, r.n * 2) != 0);
    MUST_LT(r.lt.calls.MatmulPreferenceDestroy(preference));
    free(first);
    free_run(&r);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_cublaslt");
    TCase *product = tcase_create("product");
    TCase *standin = tcase_create("standin");

    tcase_set_timeout(product, 120);
    tcase_add_loop_test(product, matches_the_oracle, 0, 2 * COUNT(shapes));
    tcase_add_loop_test(product, rows_have_their_bytes_alone, 0, 2);
    tcase_add_test(product, no_rows_are_nothing);
    tcase_set_timeout(standin, 60);
    tcase_add_loop_test(standin, refuses_what_is_wrong, 0, SPOILS);
    tcase_add_test(standin, takes_each_attribute_in_its_size);
    tcase_add_test(standin, refuses_unknown_attributes);
    tcase_add_test(standin, reports_memory_of_the_host);
    tcase_add_test(standin, reports_a_workspace_that_is_shared);
    tcase_add_loop_test(standin, algorithms_differ_in_their_bytes, 0, 3);
    suite_add_tcase(suite, product);
    suite_add_tcase(suite, standin);
    return run_suite(suite);
}
