/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_cudnn.c - one attention of cuDNN at a time, on the stand-in; and runs that
 * the stand-in must refuse or report
 */
#include "ops/cudnn.h"
#include "sim/control.h"
#include "sim/cudnn.h"
#include "support/suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MUST(call) ck_assert_int_eq(call, cudaSuccess)

/* ---- One attention ---------------------------------------------------------- */

static op_case
make_case(const int32_t *cu, int32_t n, int32_t heads, int32_t head_dim)
{
    const op_shape shape = {.cu = cu,
                            .n_segments = n,
                            .heads = heads,
                            .head_dim = head_dim,
                            .scale = 3,
                            .v_mean = 0.5};
    op_case c;

    ck_assert_int_eq(op_case_make(&c, &op_full_attention, &shape, 11), 0);
    return c;
}

static uint16_t *
run_case(const op_case *c, const op_cudnn *by)
{
    const size_t bytes = op_case_out_bytes(c);
    device_buffer out = device_output(bytes);
    uint16_t *found = malloc(bytes);

    MUST(op_cudnn_run(c, by, out.data));
    ck_assert_str_eq(device_finish(), "");
    device_download(found, out);
    device_release(out);
    return found;
}

static uint16_t *
run_by(const op_case *c, int32_t sequences, int32_t rows)
{
    op_cudnn by;
    uint16_t *found;

    ck_assert_int_eq(op_cudnn_open(c, &by, sequences, rows), 0);
    found = run_case(c, &by);
    op_cudnn_close(&by);
    ck_assert_uint_eq(sim_cudnn_alive(), 0);
    return found;
}

static const int32_t one[] = {0, 1}, few[] = {0, 40, 44, 172},
                     long_one[] = {0, 300, 301};
static const struct {
    const int32_t *cu;
    int32_t n, heads, head_dim;
} shapes[] = {
    {one, 1, 1, 8}, {few, 3, 2, 80}, {few, 3, 3, 16}, {long_one, 2, 1, 128}};
static const int capabilities[] = {80, 86, 89, 90, 100, 120};

/* Each device's engine, whose bound is that of our own kernel. */
START_TEST(matches_the_oracle)
{
    const int32_t *cu = shapes[_i % COUNT(shapes)].cu;
    op_case c;
    uint16_t *found;
    double *exact, *bound;

    sim_architecture(0, capabilities[_i / COUNT(shapes)]);
    c = make_case(cu, shapes[_i % COUNT(shapes)].n,
                  shapes[_i % COUNT(shapes)].heads,
                  shapes[_i % COUNT(shapes)].head_dim);
    found = run_by(&c, 4, 1024);
    exact = calloc((size_t)c.columns, sizeof(*exact));
    bound = calloc((size_t)c.columns, sizeof(*bound));
    for (int64_t r = 0; r < c.rows; r++) {
        c.op->exact(&c, r, 1, exact, bound);
        for (int32_t j = 0; j < c.columns; j++) {
            const double value = bf16_value(found[r * c.columns + j]);

            ck_assert_msg(fabs(value - exact[j]) <= bound[j],
                          "row %d column %d: %g, not %g", (int)r, (int)j, value,
                          exact[j]);
        }
    }
    free(exact);
    free(bound);
    free(found);
    op_case_free(&c);
}
END_TEST

/* A plan's size does not show, nor which other sequences there are. */
START_TEST(a_sequence_has_its_bytes_in_any_plan)
{
    static const int32_t sizes[][2] = {{3, 128}, {4, 1024}, {16, 6144}};
    static const int32_t middle[] = {0, few[2] - few[1]};
    op_case all = make_case(few, 3, 2, 80), alone = make_case(middle, 1, 2, 80);
    uint16_t *expected = run_by(&all, 3, 128), *found;
    const size_t row = (size_t)all.columns * sizeof(uint16_t);

    for (size_t i = 1; i < COUNT(sizes); i++) {
        found = run_by(&all, sizes[i][0], sizes[i][1]);
        ck_assert(memcmp(found, expected, op_case_out_bytes(&all)) == 0);
        free(found);
    }
    memcpy(alone.x.host, (const char *)all.x.host + few[1] * 3 * row,
           (size_t)alone.rows * 3 * row);
    ck_assert_int_eq(op_array_send(&alone.x), 0);
    found = run_by(&alone, 1, 1024);
    ck_assert(memcmp(found, expected + few[1] * all.columns,
                     (size_t)alone.rows * row) == 0);
    free(found);
    free(expected);
    op_case_free(&alone);
    op_case_free(&all);
}
END_TEST

/* Who took another engine in another batch would be found out. */
START_TEST(engines_differ_in_their_bytes)
{
    op_case c = make_case(long_one, 2, 1, 80);
    uint16_t *of_90 = run_by(&c, 0, 0), *of_80;

    sim_architecture(0, 80);
    of_80 = run_by(&c, 0, 0);
    ck_assert(memcmp(of_90, of_80, op_case_out_bytes(&c)) != 0);
    free(of_90);
    free(of_80);
    op_case_free(&c);
}
END_TEST

/* ---- Runs that are wrong --------------------------------------------------------- */

/* A run, whole and right until a test spoils it. */
typedef struct call {
    op_case c;
    op_cudnn by;
    oriel_cudnn_args args;
    device_buffer out;
} call;

static void
make_call(call *k)
{
    k->c = make_case(few, 3, 2, 80);
    ck_assert_int_eq(op_cudnn_open(&k->c, &k->by, 4, 1024), 0);
    k->out = device_output(op_case_out_bytes(&k->c));
    k->args = op_cudnn_args(&k->c, &k->by, k->out.data);
}

static oriel_status
run_call(const call *k, cudaStream_t stream, oriel_error *err)
{
    return oriel_cudnn_run(&k->by.cudnn, &k->by.plan, &k->args, stream, err);
}

static void
free_call(call *k)
{
    device_release(k->out);
    op_cudnn_close(&k->by);
    op_case_free(&k->c);
    ck_assert_uint_eq(sim_cudnn_alive(), 0);
}

/* Refused at the call: nothing is enqueued. */
static void
spoil_call(call *k, int which)
{
    switch (which) {
    case 0:
        k->args.qkv += 4;
        return;
    case 1:
        k->args.out += 1;
        return;
    case 2:
        k->args.lengths = NULL;
        return;
    case 3:
        k->args.lengths += 1;
        return;
    case 4:
        k->args.qkv_offsets += 1;
        return;
    case 5:
        k->args.out_offsets = NULL;
        return;
    case 6:
        k->args.workspace = NULL;
        return;
    default:
        k->args.workspace = (char *)k->args.workspace + 16;
        return;
    }
}
enum { CALL_SPOILS = 8 };

START_TEST(refuses_wrong_operands)
{
    uint64_t runs;
    oriel_error err;
    call k;

    make_call(&k);
    ck_assert_int_eq(run_call(&k, NULL, &err), ORIEL_OK);
    ck_assert_str_eq(device_finish(), "");
    runs = sim_cudnn_runs();
    spoil_call(&k, _i);
    ck_assert_int_eq(run_call(&k, NULL, &err), ORIEL_ERR_INTERNAL);
    ck_assert_ptr_nonnull(strstr(err.message, "operands are missing"));
    ck_assert_uint_eq(sim_cudnn_runs(), runs);
    ck_assert_str_eq(device_finish(), "");
    free_call(&k);
}
END_TEST

/* Numbers of the pack: one too few, one twice. */
START_TEST(refuses_other_packs)
{
    const oriel_cudnn_library *l;
    oriel_cudnn_descriptor pack;
    int64_t ids[ORIEL_CUDNN_IDS];
    void *pointers[ORIEL_CUDNN_IDS];
    call k;

    make_call(&k);
    l = &k.by.cudnn.calls;
    for (int i = 0; i < ORIEL_CUDNN_IDS; i++) {
        ids[i] = i + 1;
        pointers[i] = k.out.data;
    }
    if (_i)
        ids[1] = 1;
    ck_assert_int_eq(l->BackendCreateDescriptor(ORIEL_CUDNN_PACK, &pack), 0);
#define SET(attribute, type, n, value) \
    ck_assert_int_eq(l->BackendSetAttribute(pack, \
                                            ORIEL_CUDNN_PACK_##attribute, \
                                            ORIEL_CUDNN_IS_##type, n, value), \
                     ORIEL_CUDNN_SUCCESS)
    SET(IDS, INT64, ORIEL_CUDNN_IDS - !_i, ids);
    SET(POINTERS, POINTER, ORIEL_CUDNN_IDS - !_i, pointers);
    SET(WORKSPACE, POINTER, 1, &k.args.workspace);
#undef SET
    ck_assert_int_eq(l->BackendFinalize(pack), ORIEL_CUDNN_SUCCESS);
    ck_assert_int_eq(l->BackendExecute(k.by.cudnn.handle, k.by.plan.plan, pack),
                     ORIEL_CUDNN_BAD_PARAM);
    ck_assert_int_eq(l->BackendDestroyDescriptor(pack), ORIEL_CUDNN_SUCCESS);
    free_call(&k);
}
END_TEST

/* What only the device can see: a fault, when the stream gets there. */
static const char *
spoil_memory(call *k, int which)
{
    static const _Alignas(16) int32_t of_host[4] = {1};
    int32_t *lengths = k->by.lengths.host;
    int64_t *qkv = k->by.qkv_offsets.host;

    switch (which) {
    case 0:
        k->args.lengths = of_host;
        return "not in device memory";
    case 1:
        lengths[2] = 1025;
        return "longer than the plan's";
    case 2:
        lengths[0] = -1;
        return "longer than the plan's";
    case 3:
        lengths[0]++;
        return "ends after the next one begins";
    case 4:
        qkv[1] += 4;
        return "not aligned";
    case 5:
        qkv[2] += 480;
        qkv[3] += 480;
        qkv[4] += 480;
        return "not wholly in device memory";
    default:
        ((int64_t *)k->by.out_offsets.host)[0] = -8;
        return "not aligned";
    }
}
enum { MEMORY_SPOILS = 7 };

START_TEST(reports_memory_that_is_wrong)
{
    const char *words;
    call k;

    make_call(&k);
    words = spoil_memory(&k, _i);
    ck_assert_int_eq(op_array_send(&k.by.lengths), 0);
    ck_assert_int_eq(op_array_send(&k.by.qkv_offsets), 0);
    ck_assert_int_eq(op_array_send(&k.by.out_offsets), 0);
    ck_assert_int_eq(run_call(&k, NULL, NULL), ORIEL_OK);
    ck_assert_ptr_nonnull(strstr(device_finish(), words));
    sim_recover();
    free_call(&k);
}
END_TEST

/* Lengths and offsets are those that the stream finds, not those of the call. */
START_TEST(reads_lengths_when_it_runs)
{
    cudaStream_t stream;
    uint16_t *found, *expected;
    size_t bytes;
    call k;

    make_call(&k);
    bytes = op_case_out_bytes(&k.c);
    found = malloc(bytes);
    expected = run_case(&k.c, &k.by);
    MUST(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    MUST(cudaMemsetAsync(k.by.lengths.device.data, 0xff, 4 * sizeof(int32_t),
                         stream));
    MUST(cudaStreamSynchronize(stream));
    MUST(cudaMemcpyAsync(k.by.lengths.device.data, k.by.lengths.host,
                         4 * sizeof(int32_t), cudaMemcpyHostToDevice, stream));
    ck_assert_int_eq(run_call(&k, stream, NULL), ORIEL_OK);
    ck_assert_str_eq(device_finish(), "");
    device_download(found, k.out);
    ck_assert(memcmp(found, expected, bytes) == 0);
    MUST(cudaStreamDestroy(stream));
    free(found);
    free(expected);
    free_call(&k);
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
        ck_assert_int_eq(run_call(&k, streams[i % 2], NULL), ORIEL_OK);
    ck_assert_ptr_nonnull(strstr(device_finish(), "workspace was written"));
    for (int i = 0; i < 2; i++)
        MUST(cudaStreamDestroy(streams[i]));
    free_call(&k);
}
END_TEST

/* A plan that is destroyed while it runs. */
START_TEST(reports_a_plan_that_is_gone)
{
    call k;

    make_call(&k);
    ck_assert_int_eq(run_call(&k, NULL, NULL), ORIEL_OK);
    oriel_cudnn_plan_destroy(&k.by.plan);
    ck_assert_ptr_nonnull(strstr(device_finish(), "the plan is gone"));
    sim_recover();
    free_call(&k);
}
END_TEST

/* In a capture a plan may run that has run before. */
START_TEST(a_capture_takes_what_has_run)
{
    cudaStream_t stream;
    cudaGraph_t graph = NULL;
    call k;

    make_call(&k);
    MUST(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    if (_i)
        ck_assert_int_eq(run_call(&k, stream, NULL), ORIEL_OK);
    MUST(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed));
    ck_assert_int_eq(run_call(&k, stream, NULL),
                     _i ? ORIEL_OK : ORIEL_ERR_FAULT);
    ck_assert_int_eq(cudaStreamEndCapture(stream, &graph) == cudaSuccess, _i);
    if (_i)
        ck_assert_str_eq(device_finish(), "");
    else
        ck_assert_ptr_nonnull(
            strstr(device_finish(), "first runs in a capture"));
    if (graph)
        MUST(cudaGraphDestroy(graph));
    MUST(cudaStreamDestroy(stream));
    free_call(&k);
}
END_TEST

static TCase *
of_standin(void)
{
    TCase *tc = tcase_create("standin");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, refuses_wrong_operands, 0, CALL_SPOILS);
    tcase_add_loop_test(tc, refuses_other_packs, 0, 2);
    tcase_add_loop_test(tc, reports_memory_that_is_wrong, 0, MEMORY_SPOILS);
    tcase_add_test(tc, reads_lengths_when_it_runs);
    tcase_add_test(tc, reports_a_workspace_that_is_shared);
    tcase_add_test(tc, reports_a_plan_that_is_gone);
    tcase_add_loop_test(tc, a_capture_takes_what_has_run, 0, 2);
    return tc;
}

int
main(void)
{
    Suite *suite = suite_create("cuda_cudnn");
    TCase *tc = tcase_create("attention");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, matches_the_oracle, 0,
                        COUNT(shapes) * COUNT(capabilities));
    tcase_add_test(tc, a_sequence_has_its_bytes_in_any_plan);
    tcase_add_test(tc, engines_differ_in_their_bytes);
    suite_add_tcase(suite, tc);
    suite_add_tcase(suite, of_standin());
    return run_suite(suite);
}
