/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cpu_faults.c - allocations of the cpu backend that fail, reads that fail,
 * loading that is cancelled; and hooks only on the caller's thread
 */
#include "base/fail.h"
#include "cpu/cpu_scene.h"
#include "encode/encoder.h"
#include "model/model.h"
#include "support/suite.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Hooks that count, fail at will, and insist on the caller's thread. */
typedef struct alloc_counter {
    pthread_t thread;
    int64_t calls, live, fail_at; /* fail_at -1: never */
    int cancel_after;             /* polls; -1: never */
    int polls;
} alloc_counter;

static void *
alloc_counter_alloc(void *user, size_t bytes, size_t alignment)
{
    alloc_counter *l = user;
    void *p = NULL;

    ck_assert(pthread_equal(l->thread, pthread_self()));
    if (l->calls++ == l->fail_at)
        return NULL;
    if (posix_memalign(&p, alignment, bytes))
        return NULL;
    memset(p, 0xcd, bytes);
    l->live++;
    return p;
}

static void
alloc_counter_free(void *user, void *memory)
{
    alloc_counter *l = user;

    ck_assert(pthread_equal(l->thread, pthread_self()));
    l->live--;
    free(memory);
}

static int32_t
alloc_counter_cancel(void *user)
{
    alloc_counter *l = user;

    ck_assert(pthread_equal(l->thread, pthread_self()));
    return l->cancel_after >= 0 && l->polls++ >= l->cancel_after;
}

static oriel_hooks
hooks_of(alloc_counter *l)
{
    oriel_hooks hooks = ORIEL_HOOKS_INIT;

    hooks.user = l;
    hooks.alloc = alloc_counter_alloc;
    hooks.free = alloc_counter_free;
    hooks.cancel = alloc_counter_cancel;
    return hooks;
}

/* Weights, context and workspace through the table; the first failure. */
static oriel_status
build_all(const cpu_scene *s, alloc_counter *l, oriel_error *err)
{
    const oriel_backend *backend = fixture_backend();
    oriel_weight_reader reader = oriel_model_reader(s->m.model);
    oriel_hooks hooks = hooks_of(l);
    oriel_backend_config config = {.precision = s->precision,
                                   .threads = 2,
                                   .hooks = &hooks,
                                   .call = &hooks};
    oriel_backend_weights *weights = NULL;
    oriel_backend_context *context = NULL;
    void *workspace = NULL;
    oriel_status status = backend->load_weights(
        &weights, oriel_model_network(s->m.model), &reader, &config, err);

    if (!status)
        status = backend->create_context(&context, weights, &config, err);
    if (!status)
        status = backend->alloc_workspace(&workspace, 10000, &config, err);
    if (!status)
        ck_assert_uint_eq((uintptr_t)workspace % 256, 0);
    backend->free_workspace(workspace, &config);
    backend->destroy_context(context);
    backend->free_weights(weights);
    return status;
}

START_TEST(any_allocation_may_fail)
{
    cpu_scene s = cpu_scene_make(cpu_scene_precisions[_i]);
    alloc_counter l = {
        .thread = pthread_self(), .fail_at = -1, .cancel_after = -1};
    int64_t calls;
    oriel_error err;

    ck_assert_int_eq(build_all(&s, &l, &err), ORIEL_OK);
    ck_assert_int_eq(l.live, 0);
    calls = l.calls;
    ck_assert_int_gt(calls, 10);
    for (int64_t n = 0; n < calls; n++) {
        l.calls = 0;
        l.fail_at = n;
        ck_assert_int_eq(build_all(&s, &l, &err), ORIEL_ERR_MEMORY);
        ck_assert_ptr_nonnull(strstr(err.message, "out of memory"));
        ck_assert_msg(l.live == 0, "allocation %d leaked %d", (int)n,
                      (int)l.live);
    }
    cpu_scene_free(&s);
}
END_TEST

START_TEST(loading_can_be_cancelled)
{
    cpu_scene s = cpu_scene_make(ORIEL_PRECISION_FP32);
    alloc_counter l = {.thread = pthread_self(), .fail_at = -1};
    oriel_error err;

    for (l.cancel_after = 0; l.cancel_after < 5; l.cancel_after++) {
        l.polls = 0; /* at least one before the ends and each of four blocks */
        ck_assert_int_eq(build_all(&s, &l, &err), ORIEL_ERR_CANCELLED);
        ck_assert_int_eq(l.live, 0);
    }
    l.cancel_after = -1;
    ck_assert_int_eq(build_all(&s, &l, &err), ORIEL_OK);
    cpu_scene_free(&s);
}
END_TEST

typedef struct broken_reader {
    oriel_weight_reader reader;
    oriel_tensor tensor;
    int32_t block;
} broken_reader;

static oriel_status
read_broken(const void *model, oriel_tensor tensor, int32_t block,
            int64_t first_row, int64_t rows, int32_t dtype, void *out,
            oriel_error *err)
{
    const broken_reader *b = model;

    if (tensor == b->tensor && (block == b->block || b->block < 0))
        return oriel_fail(err, ORIEL_ERR_IO, "tensor %d of block %d is gone",
                          (int)tensor, (int)block);
    return b->reader.read(b->reader.model, tensor, block, first_row, rows,
                          dtype, out, err);
}

START_TEST(a_failing_read_is_reported)
{
    const oriel_backend *backend = fixture_backend();
    cpu_scene s = cpu_scene_make(cpu_scene_precisions[_i % 2]);
    alloc_counter l = {
        .thread = pthread_self(), .fail_at = -1, .cancel_after = -1};
    oriel_hooks hooks = hooks_of(&l);
    oriel_backend_config config = {.precision = s.precision,
                                   .threads = 3,
                                   .hooks = &hooks,
                                   .call = &hooks};

    for (int32_t t = 0; t < ORIEL_N_TENSORS; t++) {
        broken_reader b = {oriel_model_reader(s.m.model), (oriel_tensor)t,
                           oriel_tensor_in_block((oriel_tensor)t) ? 2 : -1};
        oriel_weight_reader reader = {&b, read_broken};
        oriel_backend_weights *weights;
        oriel_error err;

        ck_assert_int_eq(backend->load_weights(&weights, &fixture_tiny, &reader,
                                               &config, &err),
                         ORIEL_ERR_IO);
        ck_assert_ptr_null(weights);
        ck_assert_ptr_nonnull(strstr(err.message, "is gone"));
        ck_assert_int_eq(l.live, 0);
    }
    cpu_scene_free(&s);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cpu_faults");
    TCase *tc = tcase_create("faults");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, any_allocation_may_fail, 0, 2);
    tcase_add_test(tc, loading_can_be_cancelled);
    tcase_add_loop_test(tc, a_failing_read_is_reported, 0, 2);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
