/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_failing_call.c - a whole life of an encoder, its nth call of CUDA failing,
 * for every n
 *
 * From create through a direct, a recorded and a replayed encode, and more scratch
 * and a prepared plan, to destroy, by either kernels.  test_cuda_faults.c has more
 * kinds of errors, one function of ours at a time.
 */
#include "cuda/input_case.h"
#include "sim/control.h"
#include "support/suite.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ENCODES = 3 };

static const struct {
    input_kind input;
    int32_t resample, kernels, output;
} lives[] = {
    {INPUT_HOST_FRAMES, ORIEL_RESAMPLE_FLOAT, ORIEL_KERNELS_CUBLASLT,
     ORIEL_MEMORY_DEVICE},
    {INPUT_DEVICE_FRAMES, ORIEL_RESAMPLE_PILLOW, ORIEL_KERNELS_OWN,
     ORIEL_MEMORY_HOST},
};

typedef struct life {
    input_case input_case;
    oriel_input input;
    oriel_output output;
    oriel_result result;
    device_buffer device; /* embeddings there */
    float *host, *good;
} life;

/* In place: the input points into the input_case, the output to the result. */
static void
make_life(life *l, int kind)
{
    bool there = lives[kind].output == ORIEL_MEMORY_DEVICE;
    size_t bytes;

    l->input_case =
        input_case_make(cuda_fixture_shallow(), lives[kind].resample);
    bytes = l->input_case.r.embeddings_bytes;
    l->device = device_output(bytes);
    l->host = oracle_alloc(1, bytes);
    l->good = oracle_alloc(1, bytes);
    l->input = input_case_input(&l->input_case, lives[kind].input);
    l->result = embeddings_result(there ? l->device.data : l->host, bytes);
    l->output = output_of(&l->result, 1, lives[kind].output);
}

static void
free_life(life *l)
{
    device_release(l->device);
    free(l->host);
    free(l->good);
    input_case_free(&l->input_case);
}

/* What an encode left, wherever it was to go. */
static void
fetch(life *l)
{
    if (l->output.results_memory == ORIEL_MEMORY_DEVICE)
        device_download(l->host, l->device);
}

/* Not quietly: a status that stands for the error, and a line. */
static void
expect_told(oriel_status status, const oriel_error *err, uint64_t n)
{
    ck_assert_msg(status == ORIEL_ERR_FAULT, "call %d: status %d: %s", (int)n,
                  status, err->message);
    ck_assert_int_eq(err->status, status);
    ck_assert_int_eq(err->cause, cudaErrorIllegalAddress);
    ck_assert_msg(strchr(err->message, ':'), "call %d: %s", (int)n,
                  err->message);
}

/* Whether all went well, or was told. */
static bool
reserve_and_prepare(const life *l, oriel_encoder *encoder, uint64_t failing)
{
    const oriel_plan *plan = l->input_case.r.plan;
    size_t own = fixture_workspace(plan, ORIEL_PRECISION_BF16, 1);
    oriel_error err;
    oriel_status status = oriel_encoder_reserve(encoder, 2 * own, &err);

    if (!status)
        status = oriel_encoder_prepare(encoder, plan, &err);
    if (!status)
        status = oriel_encoder_status(encoder, &err);
    if (status)
        expect_told(status, &err, failing);
    return status == ORIEL_OK;
}

/* How many calls create makes, and the whole life. */
typedef struct calls {
    uint64_t created, all;
} calls;

/* Whether all went well; whatever did not was told, and nothing is left. */
static bool
live(life *l, uint64_t failing, calls *made)
{
    size_t before = sim_device_bytes();
    oriel_encoder *encoder;
    oriel_error err;
    bool whole;

    sim_fail_call(failing, cudaErrorIllegalAddress);
    encoder = cuda_fixture_try_encoder(&l->input_case.r, NULL, &err);
    made->created = sim_calls();
    whole = encoder != NULL;
    if (!whole)
        expect_told(err.status, &err, failing);
    for (int i = 0; i < ENCODES && whole; i++) {
        oriel_status status = oriel_encode(encoder, l->input_case.r.plan,
                                           &l->input, &l->output, NULL, &err);

        whole = status == ORIEL_OK;
        if (!whole) {
            expect_told(status, &err, failing);
            ck_assert_int_eq(oriel_encode(encoder, l->input_case.r.plan,
                                          &l->input, &l->output, NULL, &err),
                             ORIEL_ERR_FAULT);
        }
    }
    if (whole)
        whole = reserve_and_prepare(l, encoder, failing);
    oriel_encoder_destroy(encoder);
    made->all = sim_calls();
    sim_fail_call(0, cudaSuccess);
    ck_assert_str_eq(device_finish(), "");
    ck_assert_msg(sim_device_bytes() == before,
                  "call %d: device memory is left behind", (int)failing);
    return whole;
}

START_TEST(any_call_may_fail)
{
    uint64_t told = 0, first;
    calls made, ignored;
    life l;

    fixture_kernels = lives[_i].kernels;
    make_life(&l, _i);
    ck_assert(live(&l, 0, &made));
    fetch(&l);
    memcpy(l.good, l.host, l.input_case.r.embeddings_bytes);
    /* Creating with our own products: test_cuda_faults.c. */
    first = lives[_i].kernels == ORIEL_KERNELS_OWN ? made.created : 0;
    for (uint64_t n = first + 1; n <= made.all; n++) {
        memset(l.host, 0, l.input_case.r.embeddings_bytes);
        if (live(&l, n, &ignored)) {
            fetch(&l); /* what fails without a word harms nothing */
            ck_assert_msg(
                memcmp(l.host, l.good, l.input_case.r.embeddings_bytes) == 0,
                "call %d: the embeddings differ", (int)n);
        } else {
            told++;
        }
    }
    /* Giving back reports no status, nor do graphs, which fall back. */
    ck_assert_uint_gt(told, (made.all - first) / 2);
    ck_assert(live(&l, 0, &ignored));
    free_life(&l);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_failing_call");
    TCase *tc = tcase_create("lives");

    tcase_set_timeout(tc, 480);
    tcase_add_loop_test(tc, any_call_may_fail, 0, COUNT(lives));
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
