/* SPDX-License-Identifier: Apache-2.0 */
#include "cuda/failing_call.h"

#include "encode/encoder.h"
#include "sim/control.h"
#include "sim/cublaslt.h"
#include "sim/cudnn.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

/* ---- Memory that hooks lend ------------------------------------------------ */

typedef struct lender {
    uint64_t failing, asked; /* counted from 1; 0: none fails */
    int64_t held;
} lender;

typedef struct lifetime {
    const scenario *s;
    lender host, device;
    oriel_hooks hooks;
    int warnings;
    input_case input_case;
    oriel_input input;
    oriel_output output;
    oriel_result results[2]; /* embeddings, hidden state 1 */
    device_buffer there[2];  /* where the results lie on the device */
    unsigned char *found[2], *good[2];
    oriel_encoder *encoder;
} lifetime;

static bool
refuses(lender *l)
{
    return ++l->asked == l->failing;
}

static void *
lend(void *user, size_t bytes, size_t alignment)
{
    lifetime *l = user;

    if (refuses(&l->host))
        return NULL;
    l->host.held++;
    return aligned_alloc(alignment,
                         (bytes + alignment) / alignment * alignment);
}

static void
take_back(void *user, void *memory)
{
    ((lifetime *)user)->host.held -= memory != NULL;
    free(memory);
}

static void *
lend_device(void *user, size_t bytes, int32_t device_index)
{
    lifetime *l = user;
    void *memory = NULL;

    ck_assert_int_eq(device_index, l->s->device);
    if (refuses(&l->device) || cudaMalloc(&memory, bytes) != cudaSuccess)
        return NULL;
    l->device.held++;
    return memory;
}

static void
take_device_back(void *user, void *memory, int32_t device_index)
{
    lifetime *l = user;

    ck_assert_int_eq(device_index, l->s->device);
    l->device.held--;
    ck_assert_int_eq(cudaFree(memory), cudaSuccess);
}

static void
count_warnings(void *user, int32_t level, const char *line)
{
    if (level != ORIEL_LOG_WARNING)
        return;
    ck_assert_msg(strstr(line, "cuda graphs: ") == line, "%s", line);
    ck_assert_msg(strstr(line, "one by one"), "%s", line);
    ((lifetime *)user)->warnings++;
}

/* ---- An encoder, from create to destroy ------------------------------------- */

static void
make_result(lifetime *l, int i, oriel_result result)
{
    const bool there = l->s->results == ORIEL_MEMORY_DEVICE;

    l->found[i] = oracle_alloc(1, result.bytes);
    l->good[i] = oracle_alloc(1, result.bytes);
    l->there[i] = device_output(there ? result.bytes : 0);
    result.data = there ? l->there[i].data : l->found[i];
    l->results[i] = result;
}

/* In place: the input points into the input_case, hooks to the lifetime. */
static void
make_lifetime(lifetime *l, const scenario *s)
{
    const oriel_hooks none = ORIEL_HOOKS_INIT;
    const oriel_network *network = s->whole  ? &fixture_tiny
                                   : s->pair ? cuda_fixture_pair()
                                             : cuda_fixture_shallow();

    *l = (lifetime){.s = s, .hooks = none};
    sim_devices(s->device + 1, 13000);
    fixture_kernels = s->kernels;
    /* Of 132 most would find nothing to do. */
    sim_multiprocessors(s->kernels == ORIEL_KERNELS_HOPPER ? 2 : 0);
    fixture_residual = s->residual;
    fixture_attention = s->attention;
    l->hooks.user = l;
    if (s->warnings)
        l->hooks.log = count_warnings;
    if (s->calls != RUNTIME) {
        l->hooks.alloc = lend;
        l->hooks.free = take_back;
        l->hooks.device_alloc = lend_device;
        l->hooks.device_free = take_device_back;
    }
    l->input_case = input_case_make(network, s->resample);
    l->input = input_case_input(&l->input_case, s->input);
    make_result(l, 0,
                embeddings_result(NULL, l->input_case.r.embeddings_bytes));
    make_result(l, 1,
                hidden_state_result(1, NULL,
                                    (size_t)l->input_case.r.info.patches *
                                        (size_t)network->hidden_size *
                                        sizeof(float)));
    l->output = output_of(l->results, s->state ? 2 : 1, s->results);
}

static void
free_lifetime(lifetime *l)
{
    for (int i = 0; i < 2; i++) {
        device_release(l->there[i]);
        free(l->found[i]);
        free(l->good[i]);
    }
    input_case_free(&l->input_case);
}

/* ---- Steps ----------------------------------------------------------------- */

static oriel_status
create(lifetime *l, oriel_error *err)
{
    const oriel_plan *plan = l->input_case.r.plan;
    const oriel_backend_config config = {.device_index = l->s->device,
                                         .precision = ORIEL_PRECISION_BF16,
                                         .threads = 1,
                                         .kernels = l->s->kernels,
                                         .residual = l->s->residual,
                                         .attention = l->s->attention,
                                         .graphs = l->s->graphs,
                                         .checks = l->s->checks,
                                         .profile = l->s->profile};

    return oriel_encoder_create_on(
        &l->encoder, l->input_case.r.m.model, fixture_backend(),
        ORIEL_DEVICE_CUDA, &config, &l->hooks,
        fixture_workspace(plan, ORIEL_PRECISION_BF16, 1), err);
}

/* Into results that hold something else. */
static oriel_status
encode(lifetime *l, oriel_error *err)
{
    for (int i = 0; i < l->output.n_results; i++)
        memset(l->found[i], 0x55, l->results[i].bytes);
    return oriel_encode(l->encoder, l->input_case.r.plan, &l->input, &l->output,
                        NULL, err);
}

/* More scratch than a plan wants. */
static oriel_status
reserve(lifetime *l, oriel_error *err)
{
    const size_t own =
        fixture_workspace(l->input_case.r.plan, ORIEL_PRECISION_BF16, 1);

    return oriel_encoder_reserve(l->encoder, 2 * own, err);
}

static oriel_status
prepare(lifetime *l, oriel_error *err)
{
    return oriel_encoder_prepare(l->encoder, l->input_case.r.plan, err);
}

static oriel_status
ask_status(lifetime *l, oriel_error *err)
{
    return oriel_encoder_status(l->encoder, err);
}

static oriel_status
destroy(lifetime *l, oriel_error *err)
{
    (void)err;
    oriel_encoder_destroy(l->encoder);
    l->encoder = NULL;
    return ORIEL_OK;
}

static const struct {
    char letter;
    oriel_status (*run)(lifetime *l, oriel_error *err);
} steps[] = {{'c', create},  {'e', encode},     {'r', reserve},
             {'p', prepare}, {'s', ask_status}, {'d', destroy}};

/* Until one fails. */
static oriel_status
run_steps(lifetime *l, const char *letters, oriel_error *err)
{
    oriel_status status = ORIEL_OK;

    for (; letters && *letters && !status; letters++)
        for (size_t i = 0; i < COUNT(steps); i++)
            if (steps[i].letter == *letters && !status)
                status = steps[i].run(l, err);
    return status;
}

static void
must_run_steps(lifetime *l, const char *letters, uint64_t n)
{
    oriel_error err;

    ck_assert_msg(run_steps(l, letters, &err) == ORIEL_OK,
                  "%s, call %d: what follows fails: %s", l->s->name, (int)n,
                  err.message);
}

/* ---- One call fails --------------------------------------------------------- */

/* A sanitizer makes a scenario five times slower: it sees every fifth call fail. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STRIDE = 5 };
#else
enum { STRIDE = 1 };
#endif

/* What each kind of failure is told as; those of a library in turn. */
typedef struct failure {
    int error;
    oriel_status status;
} failure;
static const failure of_runtime[] = {
    {cudaErrorMemoryAllocation, ORIEL_ERR_MEMORY},
    {cudaErrorIllegalAddress, ORIEL_ERR_FAULT},
    {cudaErrorNoDevice, ORIEL_ERR_DEVICE}};
static const failure of_cudnn[] = {
    {ORIEL_CUDNN_HOST_ALLOCATION_FAILED, ORIEL_ERR_MEMORY},
    {ORIEL_CUDNN_DEVICE_ALLOCATION_FAILED, ORIEL_ERR_MEMORY},
    {ORIEL_CUDNN_NOT_INITIALIZED, ORIEL_ERR_DEVICE},
    {ORIEL_CUDNN_NOT_SUPPORTED, ORIEL_ERR_UNSUPPORTED},
    {ORIEL_CUDNN_BAD_PARAM, ORIEL_ERR_INTERNAL},
    {ORIEL_CUDNN_INTERNAL_ERROR, ORIEL_ERR_FAULT},
    {ORIEL_CUDNN_EXECUTION_FAILED, ORIEL_ERR_FAULT},
};
static const failure of_cublaslt[] = {
    {ORIEL_LT_ALLOC_FAILED, ORIEL_ERR_MEMORY},
    {ORIEL_LT_NOT_INITIALIZED, ORIEL_ERR_DEVICE},
    {ORIEL_LT_ARCH_MISMATCH, ORIEL_ERR_UNSUPPORTED},
    {ORIEL_LT_INVALID_VALUE, ORIEL_ERR_INTERNAL},
    {ORIEL_LT_EXECUTION_FAILED, ORIEL_ERR_FAULT},
};

static failure
failure_of(const scenario *s, uint64_t n)
{
    if (s->calls == CUBLASLT)
        return of_cublaslt[n % COUNT(of_cublaslt)];
    if (s->calls == CUDNN)
        return of_cudnn[n % COUNT(of_cudnn)];
    for (size_t i = 0; s->calls == RUNTIME && i < COUNT(of_runtime); i++)
        if (of_runtime[i].error == (int)s->error)
            return of_runtime[i];
    return (failure){0, ORIEL_ERR_MEMORY};
}

static void
arm(lifetime *l, uint64_t n)
{
    const scenario *s = l->s;
    const int error = failure_of(s, n).error;

    l->host.asked = l->device.asked = 0;
    sim_fail_call(s->calls == RUNTIME ? n : 0, s->error);
    sim_lt_fail_call(s->calls == CUBLASLT ? n : 0, (oriel_lt_status)error);
    sim_cudnn_fail_call(s->calls == CUDNN ? n : 0, error);
    l->host.failing = s->calls == HOST_MEMORY ? n : 0;
    l->device.failing = s->calls == DEVICE_MEMORY ? n : 0;
}

/* How many calls there were. */
static uint64_t
disarm(lifetime *l)
{
    const uint64_t counts[] = {[RUNTIME] = sim_calls(),
                               [CUBLASLT] = sim_lt_calls(),
                               [CUDNN] = sim_cudnn_calls(),
                               [HOST_MEMORY] = l->host.asked,
                               [DEVICE_MEMORY] = l->device.asked};

    arm(l, 0);
    return counts[l->s->calls];
}

/* Not quietly: a status that stands for the error, and a line. */
static void
expect_told(const lifetime *l, oriel_status status, const oriel_error *err,
            uint64_t n)
{
    const scenario *s = l->s;
    const failure expected = failure_of(s, n);

    ck_assert_msg(status == expected.status && err->status == status,
                  "%s, call %d: status %d: %s", s->name, (int)n, status,
                  err->message);
    ck_assert_int_eq(err->cause, expected.error);
    ck_assert_msg(strchr(err->message, ':') &&
                      strstr(err->message, s->words ? s->words : ""),
                  "%s, call %d: %s", s->name, (int)n, err->message);
}

/* What the last encode left is what the first one made. */
static void
expect_results(lifetime *l, uint64_t n)
{
    for (int i = 0; i < l->output.n_results; i++) {
        if (l->s->results == ORIEL_MEMORY_DEVICE)
            device_download(l->found[i], l->there[i]);
        ck_assert_msg(memcmp(l->found[i], l->good[i], l->results[i].bytes) == 0,
                      "%s, call %d: result %d differs", l->s->name, (int)n, i);
    }
}

static bool
ends_in_encode(const char *letters)
{
    return letters && strchr(letters, 'e');
}

/* With results to judge, or, n = 0, to keep. */
static void
judge_results(lifetime *l, uint64_t n)
{
    if (n == 0)
        for (int i = 0; i < l->output.n_results; i++) {
            if (l->s->results == ORIEL_MEMORY_DEVICE)
                device_download(l->found[i], l->there[i]);
            memcpy(l->good[i], l->found[i], l->results[i].bytes);
        }
    expect_results(l, n);
}

/* After the failing steps: a lost encoder stays lost, any other works. */
static void
go_on(lifetime *l, oriel_status status, uint64_t n)
{
    oriel_error err;

    if (!l->encoder)
        return;
    if (status == ORIEL_ERR_FAULT) {
        ck_assert_int_eq(encode(l, &err), ORIEL_ERR_FAULT);
        return;
    }
    must_run_steps(l, l->s->after, n);
    if (ends_in_encode(l->s->after))
        expect_results(l, n);
}

static void
expect_nothing_left(const lifetime *l, size_t bytes, uint64_t n)
{
    int device = -1;

    ck_assert_str_eq(device_finish(), "");
    ck_assert_msg(sim_device_bytes() == bytes,
                  "%s, call %d: device memory is left", l->s->name, (int)n);
    ck_assert_int_eq(cudaGetDevice(&device), cudaSuccess);
    ck_assert_int_eq(device, 0);
    if (l->encoder)
        return;
    ck_assert_uint_eq(sim_lt_alive(), 0);
    ck_assert_uint_eq(sim_cudnn_alive(), 0);
    ck_assert_int_eq(l->host.held, 0);
    ck_assert_int_eq(l->device.held, 0);
}

/* n = 0: none fails.  Whether something was told; 'made': calls in all. */
static bool
fail_call(lifetime *l, uint64_t n, uint64_t *made)
{
    const scenario *s = l->s;
    const size_t without = sim_device_bytes();
    const bool fresh = !l->encoder;
    oriel_status status;
    oriel_error err;
    size_t with;

    if (fresh)
        must_run_steps(l, s->before, n);
    with = sim_device_bytes();
    arm(l, n);
    status = run_steps(l, s->failing, &err);
    *made = disarm(l);
    if (status)
        expect_told(l, status, &err, n);
    else if (ends_in_encode(s->failing))
        judge_results(l, n);
    if (s->kept)
        expect_nothing_left(l, with, n);
    go_on(l, status, n);
    if (!s->kept || status == ORIEL_ERR_FAULT)
        destroy(l, &err);
    if (fresh && !l->encoder)
        expect_nothing_left(l, without, n);
    return status != ORIEL_OK;
}

void
failing_call_check(const scenario *s)
{
    uint64_t told = 0, made, least, ignored;
    lifetime l;

    make_lifetime(&l, s);
    ck_assert(!fail_call(&l, 0, &made));
    for (uint64_t n = s->first ? s->first : 1; n <= made;
         n += (s->apart ? s->apart : 1) * STRIDE)
        told += fail_call(&l, n, &ignored);
    /* Giving back reports no status, nor do graphs, which fall back. */
    least = STRIDE == 1 ? s->told : s->told >= 2 * STRIDE;
    ck_assert_msg(told >= least && (!s->told_most || told <= s->told_most),
                  "%s: %d of %d calls were told", s->name, (int)told,
                  (int)made);
    if (s->warnings && STRIDE == 1)
        ck_assert_int_eq(l.warnings, s->warnings);
    ck_assert(!fail_call(&l, 0, &ignored));
    oriel_encoder_destroy(l.encoder);
    free_lifetime(&l);
}
