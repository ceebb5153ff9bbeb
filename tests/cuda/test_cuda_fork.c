/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_fork.c - a child of a process that had used CUDA
 *
 * CUDA does not work there, so nothing of it may be called: the stand-in counts.
 */
#include "cuda/cuda_fixture.h"
#include "cuda/device.h"
#include "sim/control.h"
#include "support/child.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

/* A child may not call CUDA: the parent's events are lost to it. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(
    void);

const char *
__lsan_default_suppressions(void)
{
    return "leak:cudaEventCreateWithFlags\n";
}

/* ---- Memory that is counted -------------------------------------------------- */

static int live, device_frees;

static void *
count_alloc(void *user, size_t bytes, size_t alignment)
{
    void *memory = NULL;

    (void)user;
    if (posix_memalign(&memory, alignment, bytes ? bytes : 1))
        return NULL;
    live++;
    return memory;
}

static void
count_free(void *user, void *memory)
{
    (void)user;
    live -= memory != NULL;
    free(memory);
}

static void *
lend(void *user, size_t bytes, int32_t device_index)
{
    void *memory = NULL;

    (void)user;
    (void)device_index;
    return cudaMalloc(&memory, bytes) ? NULL : memory;
}

static void
take_back(void *user, void *memory, int32_t device_index)
{
    (void)user;
    (void)device_index;
    device_frees++;
    ck_assert_int_eq(cudaFree(memory), cudaSuccess);
}

/* ---- The encoder of a parent ------------------------------------------------- */

typedef struct parent {
    cuda_fixture r;
    oriel_encoder *encoder;
} parent;

static int
destroy_without_cuda(void *context)
{
    parent *p = context;
    oriel_input input = cuda_fixture_device_input(&p->r);
    oriel_output output =
        cuda_fixture_output(&p->r, p->r.expected, ORIEL_MEMORY_HOST);
    oriel_encoder_info info = ORIEL_ENCODER_INFO_INIT;
    oriel_error err;
    int before;

    sim_fail_call(0, cudaSuccess); /* calls are counted from here on */
    CHILD_MUST(oriel_encode(p->encoder, p->r.plan, &input, &output, NULL,
                            &err) == ORIEL_ERR_ARGUMENT);
    CHILD_MUST(strstr(err.message, "made before fork()") != NULL);
    CHILD_MUST(!oriel_encoder_get_info(p->encoder, &info, NULL));
    CHILD_MUST(info.device == ORIEL_DEVICE_CUDA);
    before = device_frees;
    oriel_encoder_destroy(p->encoder);
    CHILD_MUST(device_frees == before);
    CHILD_MUST(live == 0);
    CHILD_MUST(sim_calls() == 0);
    return 0;
}

/* By graph too, with the weights, the workspace, and memory that hooks lend. */
START_TEST(a_child_frees_host_memory_only)
{
    parent p = {.r = cuda_fixture_make(cuda_fixture_shallow())};
    device_buffer out = device_output(p.r.embeddings_bytes);
    oriel_input input = cuda_fixture_device_input(&p.r);
    oriel_output output =
        cuda_fixture_output(&p.r, out.data, ORIEL_MEMORY_DEVICE);
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_error err;

    hooks.alloc = count_alloc;
    hooks.free = count_free;
    if (_i) {
        hooks.device_alloc = lend;
        hooks.device_free = take_back;
    }
    p.encoder = cuda_fixture_try_encoder(&p.r, &hooks, &err);
    ck_assert_msg(p.encoder != NULL, "%s", err.message);
    for (int i = 0; i < DIRECT_CALLS + 1; i++)
        cuda_fixture_encode(p.encoder, p.r.plan, &input, &output, NULL);
    run_in_child(destroy_without_cuda, &p);
    cuda_fixture_encode(p.encoder, p.r.plan, &input, &output, NULL);
    cuda_fixture_expect(&p.r, out);
    oriel_encoder_destroy(p.encoder);
    ck_assert_int_eq(live, 0);
    device_release(out);
    cuda_fixture_free(&p.r);
}
END_TEST

/* ---- Devices ------------------------------------------------------------------ */

static oriel_status
describe(oriel_device_info *info, oriel_error *err)
{
    *info = (oriel_device_info)ORIEL_DEVICE_INFO_INIT;
    return fixture_backend()->describe(0, info, err);
}

static int
find_no_device(void *context)
{
    const int *cause = context; /* 0: Oriel's own words */
    oriel_device_info info;
    oriel_cuda_scope scope;
    oriel_error err;

    for (int i = 0; i < 2; i++) {
        CHILD_MUST(describe(&info, &err) == ORIEL_ERR_DEVICE);
        CHILD_MUST(err.cause == *cause);
        CHILD_MUST(*cause || strstr(err.message, "forked from process"));
    }
    CHILD_MUST(oriel_cuda_enter(&scope, 0, &err) == ORIEL_ERR_DEVICE);
    CHILD_MUST(err.cause == *cause);
    oriel_cuda_leave(&scope);
    return 0;
}

/* Where Oriel had used CUDA in the parent it says so itself ... */
START_TEST(no_device_after_oriel_used_it)
{
    oriel_device_info info;
    oriel_error err;
    int count, cause = 0;

    ck_assert_int_eq(describe(&info, &err), ORIEL_OK);
    run_in_child(find_no_device, &cause);
    ck_assert_int_eq(cudaGetDeviceCount(&count), cudaSuccess);
    ck_assert_int_eq(describe(&info, &err), ORIEL_OK);
}
END_TEST

/* ... and where the caller had, CUDA does. */
START_TEST(no_device_after_the_caller_used_it)
{
    int count, cause = cudaErrorInitializationError;

    ck_assert_int_eq(cudaGetDeviceCount(&count), cudaSuccess);
    run_in_child(find_no_device, &cause);
}
END_TEST

static int
find_a_device(void *context)
{
    oriel_device_info info;
    oriel_error err;

    (void)context;
    CHILD_MUST(!describe(&info, &err));
    return 0;
}

/* A child that is the first to use CUDA has it; its parent still has, too. */
START_TEST(a_device_for_who_comes_first)
{
    oriel_device_info info;
    oriel_error err;

    run_in_child(find_a_device, NULL);
    ck_assert_int_eq(describe(&info, &err), ORIEL_OK);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("cuda_fork");
    TCase *tc = tcase_create("fork");

    tcase_set_timeout(tc, 240);
    tcase_add_loop_test(tc, a_child_frees_host_memory_only, 0, 2);
    tcase_add_test(tc, no_device_after_oriel_used_it);
    tcase_add_test(tc, no_device_after_the_caller_used_it);
    tcase_add_test(tc, a_device_for_who_comes_first);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
