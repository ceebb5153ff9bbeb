/* SPDX-License-Identifier: Apache-2.0 */
/* Teams: every task once, on the team's own threads only. */
#include "base/team.h"
#include "support/suite.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { TASKS = 1000 };

struct tally {
    pthread_t caller;
    int32_t n_threads;
    atomic_int on_caller, out_of_range;
    int done[TASKS]; /* plain: a task that ran twice would be a race */
};

static void
count(void *context, int64_t task, int32_t thread)
{
    struct tally *tally = context;

    if (pthread_equal(pthread_self(), tally->caller))
        atomic_fetch_add(&tally->on_caller, 1);
    if (thread < 0 || thread >= tally->n_threads)
        atomic_fetch_add(&tally->out_of_range, 1);
    tally->done[task]++;
}

static const int32_t sizes[] = {1, 2, 3, 7};

START_TEST(runs_every_task_once)
{
    struct tally tally;
    oriel_team *team;
    int64_t wanted[] = {0, 1, 2, 5, TASKS};

    ck_assert_int_eq(oriel_team_create(&team, sizes[_i], NULL, NULL, NULL),
                     ORIEL_OK);
    ck_assert_int_eq(oriel_team_threads(team), sizes[_i]);
    for (int round = 0; round < 200; round++) {
        int64_t n = wanted[(size_t)round % COUNT(wanted)];

        memset(&tally, 0, sizeof(tally));
        tally.caller = pthread_self();
        tally.n_threads = sizes[_i];
        oriel_team_run(team, count, &tally, n);
        for (int64_t i = 0; i < TASKS; i++)
            ck_assert_int_eq(tally.done[i], i < n);
        ck_assert_int_eq(tally.on_caller, 0);
        ck_assert_int_eq(tally.out_of_range, 0);
    }
    oriel_team_destroy(team);
}
END_TEST

static atomic_int starts;

static void
started(int32_t thread)
{
    atomic_fetch_add(&starts, 1 << (4 * thread));
}

START_TEST(start_runs_once_a_thread)
{
    oriel_team *team;

    starts = 0;
    ck_assert_int_eq(oriel_team_create(&team, 3, started, NULL, NULL),
                     ORIEL_OK);
    oriel_team_destroy(team);
    ck_assert_int_eq(starts, 0x111);
    oriel_team_destroy(NULL);
}
END_TEST

static void *
refuse(void *user, size_t bytes, size_t alignment)
{
    (void)user, (void)bytes, (void)alignment;
    return NULL;
}

static void
never(void *user, void *memory)
{
    (void)user, (void)memory;
    abort();
}

START_TEST(out_of_memory)
{
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_team *team = (oriel_team *)&hooks;
    oriel_error err;

    hooks.alloc = refuse;
    hooks.free = never;
    ck_assert_int_eq(oriel_team_create(&team, 2, NULL, &hooks, &err),
                     ORIEL_ERR_MEMORY);
    ck_assert_ptr_null(team);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("team");
    TCase *tcase = tcase_create("team");

    tcase_add_loop_test(tcase, runs_every_task_once, 0, COUNT(sizes));
    tcase_add_test(tcase, start_runs_once_a_thread);
    tcase_add_test(tcase, out_of_memory);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
