/* SPDX-License-Identifier: Apache-2.0 */
/* Progress: rising, rare, complete on success, and silent without a hook. */
#include "base/progress.h"
#include "support/hook_log.h"
#include "support/suite.h"

#include <time.h>

enum { WHAT = ORIEL_PROGRESS_LOADING };

static void
wait_for_the_pause(void)
{
    const double until = oriel_milliseconds() + ORIEL_PROGRESS_PAUSE_MS;

    while (oriel_milliseconds() < until)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
}

START_TEST(after_a_pause_each_step_is_told)
{
    hook_log l;
    oriel_hooks hooks = hook_log_hooks(&l);
    oriel_progress p;

    oriel_progress_begin(&p, &hooks, WHAT, 100);
    ck_assert_int_eq(l.calls, 0);
    wait_for_the_pause();
    oriel_progress_add(&p, 30);
    wait_for_the_pause();
    oriel_progress_set(&p, 70);
    oriel_progress_end(&p);
    ck_assert_int_eq(l.calls, 3);
    ck_assert_int_eq(l.what, WHAT);
    ck_assert_int_eq(l.of, 100);
    ck_assert_int_eq(l.done[0], 30);
    ck_assert_int_eq(l.done[1], 70);
    ck_assert_int_eq(l.done[2], 100);
}
END_TEST

START_TEST(calls_are_no_closer_than_the_pause)
{
    hook_log l;
    oriel_hooks hooks = hook_log_hooks(&l);
    oriel_progress p;
    double began = oriel_milliseconds(), took;

    oriel_progress_begin(&p, &hooks, WHAT, INT64_MAX);
    for (int64_t i = 1; oriel_milliseconds() < began + 120; i++)
        oriel_progress_set(&p, i);
    took = oriel_milliseconds() - began;
    ck_assert_int_ge(l.calls, 1);
    ck_assert_int_le(l.calls, (int)(took / ORIEL_PROGRESS_PAUSE_MS));
}
END_TEST

/* Nothing new is not told, nor is the end before it is certain. */
START_TEST(the_end_is_told_once_and_by_end_alone)
{
    hook_log l;
    oriel_hooks hooks = hook_log_hooks(&l);
    oriel_progress p;

    oriel_progress_begin(&p, &hooks, WHAT, 10);
    wait_for_the_pause();
    oriel_progress_set(&p, 0);
    oriel_progress_set(&p, 10);
    oriel_progress_add(&p, INT64_MAX);
    ck_assert_int_eq(l.calls, 0);
    oriel_progress_end(&p);
    ck_assert_int_eq(l.calls, 1);
    ck_assert_int_eq(l.done[0], 10);
}
END_TEST

START_TEST(without_a_hook_nobody_is_told)
{
    oriel_hooks none = ORIEL_HOOKS_INIT;
    const oriel_hooks *hooks[] = {NULL, &none};

    for (size_t i = 0; i < COUNT(hooks); i++) {
        oriel_progress p;

        oriel_progress_begin(&p, hooks[i], WHAT, 2);
        wait_for_the_pause();
        oriel_progress_add(&p, 1);
        oriel_progress_end(&p);
    }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("progress");
    TCase *tc = tcase_create("progress");

    tcase_add_test(tc, after_a_pause_each_step_is_told);
    tcase_add_test(tc, calls_are_no_closer_than_the_pause);
    tcase_add_test(tc, the_end_is_told_once_and_by_end_alone);
    tcase_add_test(tc, without_a_hook_nobody_is_told);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
