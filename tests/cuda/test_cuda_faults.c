/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_faults.c - each call of the runtime fails in turn
 *
 * Whatever fails, and however: a status with a line, nothing left on the device,
 * and an encoder that works on, or says that it is lost.
 */
#include "cuda/cuda_fixture.h"
#include "sim/control.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

static const cudaError_t errors[] = {
    cudaErrorMemoryAllocation, cudaErrorIllegalAddress, cudaErrorNoDevice};
static const oriel_status statuses[] = {ORIEL_ERR_MEMORY, ORIEL_ERR_FAULT,
                                        ORIEL_ERR_DEVICE};

/* One create or encode that must not succeed quietly. */
static void
expect_failure(oriel_status status, const oriel_error *err, uint64_t call,
               size_t which)
{
    ck_assert_msg(status == statuses[which], "call %d: status %d: %s",
                  (int)call, status, err->message);
    ck_assert_int_eq(err->status, status);
    ck_assert_int_eq(err->cause, errors[which]);
    ck_assert_msg(err->message[0], "call %d: no message", (int)call);
}

START_TEST(a_create_fails_whole)
{
    size_t which = (size_t)_i;
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    size_t before = sim_device_bytes();
    uint64_t calls;
    oriel_encoder *encoder;
    oriel_error err;

    sim_fail_call(0, cudaSuccess);
    encoder = cuda_fixture_encoder(&r);
    calls = sim_calls();
    ck_assert_uint_gt(calls, 30);
    oriel_encoder_destroy(encoder);
    ck_assert_uint_eq(sim_device_bytes(), before);
    for (uint64_t n = 1; n <= calls; n++) {
        sim_fail_call(n, errors[which]);
        encoder = cuda_fixture_try_encoder(&r, NULL, &err);
        sim_fail_call(0, cudaSuccess);
        /* A function that gives things back returns no status. */
        if (encoder)
            oriel_encoder_destroy(encoder);
        else
            expect_failure(err.status, &err, n, which);
        ck_assert_msg(sim_device_bytes() == before,
                      "call %d: device memory is left behind", (int)n);
    }
    /* The model is none the worse for it. */
    oriel_encoder_destroy(cuda_fixture_encoder(&r));
    cuda_fixture_free(&r);
}
END_TEST

/* Frames of the host, a tap and embeddings to the host: every kind of call. */
typedef struct errand {
    cuda_fixture r;
    oriel_plan *from_grids;
    unsigned char pixels[3][16 * 14 * 3];
    const void *frames[3];
    oriel_input input;
    oriel_output output;
    oriel_result results[2]; /* embeddings, hidden state 2 */
    float *embeddings, *good;
    size_t bytes;
} errand;

static void
make_errand(errand *e)
{
    static const oriel_item items[] = {{16, 14, 2, 16, 8, 0},
                                       {14, 16, 1, 16, 16, 0}};
    random_stream random = {4};
    oriel_input input = ORIEL_INPUT_INIT;
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    size_t state_bytes;

    e->r = cuda_fixture_make(&fixture_tiny);
    e->from_grids = e->r.plan;
    ck_assert_int_eq(oriel_plan_create(&e->r.plan, e->r.m.model, items,
                                       COUNT(items), NULL, NULL),
                     ORIEL_OK);
    ck_assert_int_eq(oriel_plan_get_info(e->r.plan, &info, NULL), ORIEL_OK);
    for (int f = 0; f < 3; f++) {
        e->frames[f] = e->pixels[f];
        for (size_t i = 0; i < sizeof(e->pixels[f]); i++)
            e->pixels[f][i] = (unsigned char)random_u64(&random);
    }
    e->bytes = (size_t)info.tokens * 24 * sizeof(float);
    e->r.embeddings_bytes = e->bytes;
    e->embeddings = oracle_alloc(1, e->bytes);
    e->good = oracle_alloc(1, e->bytes);
    input.frames = e->frames;
    e->input = input;
    state_bytes = (size_t)info.patches * 32 * sizeof(float);
    e->results[0] = embeddings_result(e->embeddings, e->bytes);
    e->results[1] =
        hidden_state_result(2, oracle_alloc(1, state_bytes), state_bytes);
    e->output = output_of(e->results, 2, ORIEL_MEMORY_HOST);
}

static void
free_errand(errand *e)
{
    free(e->embeddings);
    free(e->good);
    free(e->results[1].data);
    oriel_plan_destroy(e->r.plan);
    e->r.plan = e->from_grids;
    cuda_fixture_free(&e->r);
}

static oriel_status
run_errand(const errand *e, oriel_encoder *encoder, oriel_error *err)
{
    memset(e->embeddings, 0xff, e->bytes);
    return oriel_encode(encoder, e->r.plan, &e->input, &e->output, NULL, err);
}

/* It fails with its status, and then works again or stays lost. */
START_TEST(an_encode_fails_whole)
{
    size_t which = (size_t)_i;
    errand e;
    oriel_encoder *encoder;
    uint64_t calls;
    oriel_error err;

    make_errand(&e);
    encoder = cuda_fixture_encoder_with(
        &e.r, ORIEL_GRAPHS_OFF); /* test_cuda_graphs.c */
    /* The second time on, pinned slots have been sent before. */
    for (int i = 0; i < 2; i++) {
        sim_fail_call(0, cudaSuccess);
        ck_assert_int_eq(run_errand(&e, encoder, &err), ORIEL_OK);
        calls = sim_calls();
    }
    memcpy(e.good, e.embeddings, e.bytes);
    for (uint64_t n = 1; n <= calls; n++) {
        oriel_status status;

        sim_fail_call(n, errors[which]);
        status = run_errand(&e, encoder, &err);
        sim_fail_call(0, cudaSuccess);
        if (status)
            expect_failure(status, &err, n, which);
        else
            ck_assert_msg(memcmp(e.good, e.embeddings, e.bytes) == 0,
                          "call %d: fails without a word", (int)n);
        if (status == ORIEL_ERR_FAULT) {
            ck_assert_int_eq(run_errand(&e, encoder, &err), ORIEL_ERR_FAULT);
            oriel_encoder_destroy(encoder);
            encoder = cuda_fixture_encoder_with(&e.r, ORIEL_GRAPHS_OFF);
        }
        if (n % 4 == 0 || n == calls) {
            ck_assert_int_eq(run_errand(&e, encoder, &err), ORIEL_OK);
            ck_assert_mem_eq(e.good, e.embeddings, e.bytes);
        }
    }
    oriel_encoder_destroy(encoder);
    cuda_fixture_expect_silence();
    free_errand(&e);
}
END_TEST

/* A kernel or a copy faults after the call that enqueued it: the call was fine,
   the wait for it is not, nor is the next call, and the encoder stays lost.  It
   is destroyed all the same. */
START_TEST(a_fault_surfaces_later)
{
    cuda_fixture r = cuda_fixture_make(&fixture_tiny);
    oriel_encoder *encoder = cuda_fixture_encoder(&r);
    device_buffer out = device_output(r.embeddings_bytes);
    oriel_input input = cuda_fixture_device_input(&r);
    oriel_output output =
        cuda_fixture_output(&r, out.data, ORIEL_MEMORY_DEVICE);
    oriel_error err;

    for (int i = 0; i < 3; i++) /* from then on by a graph */
        ck_assert_int_eq(
            oriel_encode(encoder, r.plan, &input, &output, NULL, &err),
            ORIEL_OK);
    cuda_fixture_expect(&r, out);
    sim_fault_operation(1 + (uint64_t)_i * 4, cudaErrorIllegalAddress);
    ck_assert_int_eq(oriel_encode(encoder, r.plan, &input, &output, NULL, &err),
                     ORIEL_OK);
    ck_assert_int_eq(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(
            oriel_encode(encoder, r.plan, &input, &output, NULL, &err),
            ORIEL_ERR_FAULT);
        ck_assert_msg(err.message[0], "no message");
    }
    oriel_encoder_destroy(encoder);
    /* The device gives nothing back any more: the host's side of the cuda_fixture. */
    free(r.pixels);
    free(r.expected);
    oriel_plan_destroy(r.plan);
    fixture_model_free(&r.m);
}
END_TEST

/* ---- Host memory ---------------------------------------------------------- */

typedef struct alloc_counter {
    int64_t until_failure; /* allocations; negative: none fails */
    int64_t held;
    int64_t held_on_device;
    int refuse_device;
} alloc_counter;

static void *
lend(void *user, size_t bytes, size_t alignment)
{
    alloc_counter *l = user;

    if (l->until_failure-- == 0)
        return NULL;
    l->held++;
    return aligned_alloc(alignment,
                         (bytes + alignment) / alignment * alignment);
}

static void
take_back(void *user, void *memory)
{
    ((alloc_counter *)user)->held -= memory != NULL;
    free(memory);
}

static void *
lend_device(void *user, size_t bytes, int32_t device_index)
{
    alloc_counter *l = user;
    void *memory = NULL;

    ck_assert_int_eq(device_index, 0);
    if (l->refuse_device || cudaMalloc(&memory, bytes) != cudaSuccess)
        return NULL;
    l->held_on_device++;
    return memory;
}

static void
take_device_back(void *user, void *memory, int32_t device_index)
{
    ck_assert_int_eq(device_index, 0);
    ((alloc_counter *)user)->held_on_device--;
    ck_assert_int_eq(cudaFree(memory), cudaSuccess);
}

static oriel_hooks
hooks_of(alloc_counter *l)
{
    oriel_hooks hooks = ORIEL_HOOKS_INIT;

    hooks.user = l;
    hooks.alloc = lend;
    hooks.free = take_back;
    hooks.device_alloc = lend_device;
    hooks.device_free = take_device_back;
    return hooks;
}

START_TEST(host_memory_runs_out)
{
    errand e;
    alloc_counter l = {.until_failure = -1};
    oriel_hooks hooks = hooks_of(&l);
    oriel_encoder *encoder;
    oriel_error err;
    int failures = 0;

    make_errand(&e);
    for (int64_t n = 0;; n++) {
        l.until_failure = n;
        encoder = cuda_fixture_try_encoder(&e.r, &hooks, &err);
        if (!encoder) {
            ck_assert_int_eq(err.status, ORIEL_ERR_MEMORY);
            failures++;
        } else if (run_errand(&e, encoder, &err) != ORIEL_OK) {
            ck_assert_int_eq(err.status, ORIEL_ERR_MEMORY);
            failures++;
            l.until_failure = -1;
            ck_assert_int_eq(run_errand(&e, encoder, &err), ORIEL_OK);
        }
        oriel_encoder_destroy(encoder);
        ck_assert_int_eq(l.held, 0);
        ck_assert_int_eq(l.held_on_device, 0);
        if (l.until_failure > 0)
            break;
    }
    ck_assert_int_ge(failures, 3);
    free_errand(&e);
}
END_TEST

START_TEST(lent_device_memory_runs_out)
{
    errand e;
    alloc_counter l = {.until_failure = -1, .refuse_device = 1};
    oriel_hooks hooks = hooks_of(&l);
    oriel_error err;

    make_errand(&e);
    ck_assert_ptr_null(cuda_fixture_try_encoder(&e.r, &hooks, &err));
    ck_assert_int_eq(err.status, ORIEL_ERR_MEMORY);
    ck_assert_msg(strstr(err.message, "the workspace"), "%s", err.message);
    ck_assert_int_eq(l.held, 0);
    free_errand(&e);
}
END_TEST

/* ---- Devices that cannot be used ------------------------------------------ */

static const struct {
    int count, driver, architecture, index;
    const char *words; /* NULL: it can be used */
} machines[] = {
    {1, 13000, 90, 0, NULL},
    {1, 13010, 80, 0, NULL},
    {0, 0, 90, 0, "no NVIDIA driver is installed"},
    {1, 12090, 90, 0, "of CUDA 12.9, expected R580"},
    {0, 13000, 90, 0, "cudaGetDeviceCount"},
    {1, 13000, 90, 1, "device_index is 1, but there is 1 device"},
    {2, 13000, 90, -1, "device_index is -1, but there are 2 devices"},
    {1, 13000, 75, 0, "compute capability 7.5, expected 8.0"},
};

START_TEST(devices_are_told_apart)
{
    oriel_device_info info = ORIEL_DEVICE_INFO_INIT;
    oriel_error err;
    oriel_status status;

    sim_devices(machines[_i].count, machines[_i].driver);
    sim_architecture(0, machines[_i].architecture);
    status = fixture_backend()->describe(machines[_i].index, &info, &err);
    if (machines[_i].words) {
        ck_assert_int_eq(status, ORIEL_ERR_DEVICE);
        ck_assert_msg(strstr(err.message, machines[_i].words), "%s",
                      err.message);
        return;
    }
    ck_assert_msg(status == ORIEL_OK, "%s", err.message);
    ck_assert_int_eq(info.precision, ORIEL_PRECISION_BF16);
    ck_assert_uint_eq(info.memory_bytes, UINT64_C(80) << 30);
    ck_assert_ptr_nonnull(strstr(
        info.description, machines[_i].architecture == 90
                              ? "Simulated GPU, sm_90 by sm_90a machine"
                              : "Simulated GPU, sm_80 by sm_80 machine"));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_faults");
    TCase *tc = tcase_create("faults");

    tcase_set_timeout(tc, 240);
    tcase_add_loop_test(tc, a_create_fails_whole, 0, COUNT(errors));
    tcase_add_loop_test(tc, an_encode_fails_whole, 0, COUNT(errors));
    tcase_add_loop_test(tc, a_fault_surfaces_later, 0, 6);
    tcase_add_test(tc, host_memory_runs_out);
    tcase_add_test(tc, lent_device_memory_runs_out);
    tcase_add_loop_test(tc, devices_are_told_apart, 0, COUNT(machines));
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
