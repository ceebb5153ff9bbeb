/* SPDX-License-Identifier: Apache-2.0 */
/* test_cpu_cancel.c - a cancel is heard within a step, and leaves no trace */
#include "encode/encoder.h"
#include "support/fixture.h"
#include "support/results.h"
#include "support/suite.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * 64,680 patches in one frame of full attention: minutes on some machines, and
 * a step of it is most of that.  The hook says yes from within a step: when it
 * is asked so long after the last time that it can only be the clock.
 */
typedef struct impatience {
    pthread_t thread;
    double asked, said_yes, longest; /* times, and the longest pause, in s */
    int waits;
} impatience;

static double
seconds_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int32_t
grow_impatient(void *user)
{
    impatience *i = user;
    double now = seconds_now(), pause = now - i->asked;

    ck_assert(pthread_equal(i->thread, pthread_self()));
    if (i->asked > 0 && pause > i->longest)
        i->longest = pause;
    i->waits += i->asked > 0 && pause > 0.015;
    i->asked = now;
    if (i->waits < 8)
        return 0;
    i->said_yes = i->said_yes > 0 ? i->said_yes : now;
    return 1;
}

/* A plan of one frame, and what is encoded of it. */
typedef struct scene {
    oriel_plan *plan;
    float *pixels;
    oriel_input input;
    oriel_result result;
} scene;

static scene
make_scene(const fixture_model *m, const int64_t grid[1][3])
{
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    scene s = {.plan = fixture_plan(m, grid, 1)};
    size_t bytes;

    ck_assert_int_eq(oriel_plan_get_info(s.plan, &info, NULL), ORIEL_OK);
    s.pixels = fixture_pixels(s.plan, 6);
    s.input = fixture_input(s.plan, s.pixels);
    bytes = (size_t)info.tokens * (size_t)info.out_hidden_size * 4;
    s.result = embeddings_result(oracle_alloc(1, bytes), bytes);
    return s;
}

static oriel_status
encode(const scene *s, oriel_encoder *encoder, oriel_error *err)
{
    oriel_output output = output_of(&s->result, 1, ORIEL_MEMORY_HOST);

    return oriel_encode(encoder, s->plan, &s->input, &output, NULL, err);
}

static void
free_scene(scene *s)
{
    oriel_plan_destroy(s->plan);
    free(s->pixels);
    free(s->result.data);
}

static const int32_t precisions[] = {ORIEL_PRECISION_FP32,
                                     ORIEL_PRECISION_BF16};
static const int64_t large_grid[1][3] = {{1, 196, 330}};
static const int64_t small_grid[1][3] = {{1, 10, 14}};
enum { NEVER = -1000000 };

START_TEST(a_long_step_is_cancelled)
{
    fixture_model m = fixture_model_make(&fixture_tiny, 21);
    scene large = make_scene(&m, large_grid),
          small = make_scene(&m, small_grid);
    oriel_backend_config config = {.precision = precisions[_i], .threads = 2};
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    impatience i = {.thread = pthread_self(), .waits = NEVER};
    void *before = oracle_alloc(1, small.result.bytes);
    oriel_encoder *encoder;
    oriel_error err;

    hooks.user = &i;
    hooks.cancel = grow_impatient;
    ck_assert_int_eq(
        oriel_encoder_create_on(
            &encoder, m.model, fixture_backend(), ORIEL_DEVICE_CPU, &config,
            &hooks, fixture_workspace(large.plan, precisions[_i], 2), &err),
        ORIEL_OK);
    ck_assert_int_eq(encode(&small, encoder, &err), ORIEL_OK);
    memcpy(before, small.result.data, small.result.bytes);

    i = (impatience){.thread = pthread_self()};
    ck_assert_int_eq(encode(&large, encoder, &err), ORIEL_ERR_CANCELLED);
    ck_assert_str_eq(err.message, "cancelled by the caller's hook");
    /* Goals are 0.05 and 1; a loaded machine and a sanitizer get more. */
    ck_assert_double_le(i.longest, 2.0);
    ck_assert_double_le(seconds_now() - i.said_yes, 10.0);

    i = (impatience){.thread = pthread_self(), .waits = NEVER};
    memset(small.result.data, 0, small.result.bytes);
    ck_assert_int_eq(encode(&small, encoder, &err), ORIEL_OK);
    ck_assert_int_eq(memcmp(before, small.result.data, small.result.bytes), 0);
    free(before);
    oriel_encoder_destroy(encoder);
    free_scene(&large);
    free_scene(&small);
    fixture_model_free(&m);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cpu_cancel");
    TCase *tc = tcase_create("cancel");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, a_long_step_is_cancelled, 0, 2);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
