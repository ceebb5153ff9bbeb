/* SPDX-License-Identifier: Apache-2.0 */
/* Weights: one set a device and precision, whoever comes first, last, fails. */
#include "encode/encoder.h"
#include "encode/fake_backend.h"
#include "support/suite.h"
#include "support/tiny_model.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const oriel_hooks no_hooks = ORIEL_HOOKS_INIT;

static oriel_status
create(oriel_encoder **out, const oriel_model *model, int32_t device_index,
       const oriel_hooks *hooks, oriel_error *err)
{
    oriel_backend_config config = {0};

    config.device_index = device_index;
    config.precision = ORIEL_PRECISION_FP32;
    config.threads = 1;
    return oriel_encoder_create_on(out, model, fake_backend(),
                                   ORIEL_DEVICE_CUDA, &config, hooks, 0, err);
}

START_TEST(the_second_shares)
{
    tiny_model tiny = tiny_model_open(NULL);
    oriel_encoder *a, *b, *c;

    fake_reset();
    ck_assert_int_eq(create(&a, tiny.model, 0, &no_hooks, NULL), ORIEL_OK);
    ck_assert_int_eq(create(&b, tiny.model, 0, &no_hooks, NULL), ORIEL_OK);
    ck_assert_int_eq(fake.loads, 1);
    ck_assert_int_eq(create(&c, tiny.model, 1, &no_hooks, NULL), ORIEL_OK);
    ck_assert_int_eq(fake.loads, 2);
    oriel_encoder_destroy(a);
    ck_assert_int_eq(fake.frees, 0);
    oriel_encoder_destroy(b);
    ck_assert_int_eq(fake.frees, 1);
    /* Gone with the last: the next reads them again. */
    ck_assert_int_eq(create(&a, tiny.model, 0, &no_hooks, NULL), ORIEL_OK);
    ck_assert_int_eq(fake.loads, 3);
    oriel_encoder_destroy(c);
    oriel_encoder_destroy(a);
    ck_assert_int_eq(fake.frees, 3);
    tiny_model_close(&tiny);
}
END_TEST

START_TEST(an_encoder_keeps_its_model)
{
    tiny_model tiny = tiny_model_open(NULL);
    oriel_encoder *a, *b;

    fake_reset();
    ck_assert_int_eq(create(&a, tiny.model, 0, &no_hooks, NULL), ORIEL_OK);
    ck_assert_int_eq(create(&b, tiny.model, 0, &no_hooks, NULL), ORIEL_OK);
    oriel_model_destroy(tiny.model);
    oriel_encoder_destroy(a);
    oriel_encoder_destroy(b);
    ck_assert_int_eq(fake.frees, 1);
    tiny_model_free_bytes(&tiny);
}
END_TEST

enum { CROWD = 8 };

struct crowd {
    const oriel_model *model;
    pthread_barrier_t gate;
    oriel_encoder *encoders[CROWD];
    oriel_error errors[CROWD];
    atomic_int next;
};

static void *
join_crowd(void *argument)
{
    struct crowd *crowd = argument;
    int i = atomic_fetch_add(&crowd->next, 1);

    pthread_barrier_wait(&crowd->gate);
    create(&crowd->encoders[i], crowd->model, 0, &no_hooks, &crowd->errors[i]);
    return NULL;
}

/* All create at the same time; the load takes long enough for all to wait. */
static void
rush(struct crowd *crowd, const oriel_model *model)
{
    pthread_t threads[CROWD];

    memset(crowd, 0, sizeof(*crowd));
    crowd->model = model;
    fake.load_milliseconds = 200;
    pthread_barrier_init(&crowd->gate, NULL, CROWD);
    for (int i = 0; i < CROWD; i++)
        pthread_create(&threads[i], NULL, join_crowd, crowd);
    for (int i = 0; i < CROWD; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&crowd->gate);
}

START_TEST(a_crowd_loads_once)
{
    tiny_model tiny = tiny_model_open(NULL);
    struct crowd crowd;

    fake_reset();
    rush(&crowd, tiny.model);
    ck_assert_int_eq(fake.loads, 1);
    for (int i = 0; i < CROWD; i++) {
        ck_assert_ptr_nonnull(crowd.encoders[i]);
        oriel_encoder_destroy(crowd.encoders[i]);
    }
    ck_assert_int_eq(fake.frees, 1);
    tiny_model_close(&tiny);
}
END_TEST

START_TEST(a_failure_reaches_all_who_wait)
{
    tiny_model tiny = tiny_model_open(NULL);
    struct crowd crowd;
    oriel_encoder *later;

    fake_reset();
    fake.load_fails = 1;
    fake.load_status = ORIEL_ERR_IO;
    rush(&crowd, tiny.model);
    ck_assert_int_eq(fake.loads, 1);
    for (int i = 0; i < CROWD; i++) {
        ck_assert_ptr_null(crowd.encoders[i]);
        ck_assert_int_eq(crowd.errors[i].status, ORIEL_ERR_IO);
        ck_assert_str_eq(crowd.errors[i].message, "the load fails");
    }
    ck_assert_int_eq(create(&later, tiny.model, 0, &no_hooks, NULL), ORIEL_OK);
    oriel_encoder_destroy(later);
    tiny_model_close(&tiny);
}
END_TEST

static int32_t
always(void *user)
{
    (void)user;
    return 1;
}

START_TEST(one_callers_cancel_is_not_anothers)
{
    tiny_model tiny = tiny_model_open(NULL);
    oriel_hooks impatient = ORIEL_HOOKS_INIT;
    oriel_encoder *a;
    oriel_error err;

    fake_reset();
    impatient.cancel = always;
    ck_assert_int_eq(create(&a, tiny.model, 0, &impatient, &err),
                     ORIEL_ERR_CANCELLED);
    ck_assert_ptr_null(a);
    ck_assert_int_eq(create(&a, tiny.model, 0, &no_hooks, &err), ORIEL_OK);
    oriel_encoder_destroy(a);
    tiny_model_close(&tiny);
}
END_TEST

/* ---- Out of memory, at every allocation -------------------------------- */

struct alloc_counter {
    int live, left;
};

static void *
alloc_counter_alloc(void *user, size_t bytes, size_t alignment)
{
    struct alloc_counter *alloc_counter = user;

    if (alloc_counter->left-- == 0)
        return NULL;
    alloc_counter->live++;
    return aligned_alloc(alignment, bytes);
}

static void
alloc_counter_free(void *user, void *memory)
{
    ((struct alloc_counter *)user)->live--;
    free(memory);
}

START_TEST(every_allocation_can_fail)
{
    struct alloc_counter alloc_counter = {0, -1};
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    tiny_model tiny;
    oriel_encoder *encoder = NULL;
    oriel_error err;
    int before, failures = 0;

    hooks.user = &alloc_counter;
    hooks.alloc = alloc_counter_alloc;
    hooks.free = alloc_counter_free;
    tiny = tiny_model_open(&hooks);
    before = alloc_counter.live;
    fake_reset();
    for (int n = 0; n < 100 && !encoder; n++) {
        alloc_counter.left = n;
        if (create(&encoder, tiny.model, 0, &hooks, &err)) {
            ck_assert_int_eq(err.status, ORIEL_ERR_MEMORY);
            ck_assert_ptr_null(encoder);
            ck_assert_int_eq(alloc_counter.live, before);
            failures++;
        }
    }
    ck_assert_ptr_nonnull(encoder);
    ck_assert_int_ge(failures, 4);
    oriel_encoder_destroy(encoder);
    ck_assert_int_eq(alloc_counter.live, before);
    tiny_model_close(&tiny);
    ck_assert_int_eq(alloc_counter.live, 0);
}
END_TEST

START_TEST(what_the_backend_refuses)
{
    tiny_model tiny = tiny_model_open(NULL);
    oriel_backend_config config = {0};
    oriel_encoder *encoder;
    oriel_error err;

    fake_reset();
    config.precision = ORIEL_PRECISION_BF16;
    config.threads = 1;
    ck_assert_int_eq(oriel_encoder_create_on(&encoder, tiny.model,
                                             fake_backend(), ORIEL_DEVICE_CUDA,
                                             &config, &no_hooks, 0, &err),
                     ORIEL_ERR_UNSUPPORTED);
    ck_assert_int_eq(fake.loads, 0);
    fake.context_fails = 1;
    ck_assert_int_eq(create(&encoder, tiny.model, 0, &no_hooks, &err),
                     ORIEL_ERR_MEMORY);
    ck_assert_ptr_null(encoder);
    ck_assert_int_eq(fake.frees, 1);
    tiny_model_close(&tiny);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("shared");
    TCase *tcase = tcase_create("shared");

    tcase_add_test(tcase, the_second_shares);
    tcase_add_test(tcase, an_encoder_keeps_its_model);
    tcase_add_test(tcase, a_crowd_loads_once);
    tcase_add_test(tcase, a_failure_reaches_all_who_wait);
    tcase_add_test(tcase, one_callers_cancel_is_not_anothers);
    tcase_add_test(tcase, every_allocation_can_fail);
    tcase_add_test(tcase, what_the_backend_refuses);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
