/* SPDX-License-Identifier: Apache-2.0 */
/* Teams: every task once, on the team's own threads only; cancel stops them. */
#include "base/progress.h"
#include "base/team.h"
#include "support/suite.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

/* ---- Cancel ------------------------------------------------------------- */

typedef struct trial {
    const atomic_bool *stop;
    pthread_t caller;
    int polls, yes_at; /* -1: never */
    atomic_bool said_yes;
    atomic_long begun, begun_after;
} trial;

static int32_t
ask(void *user)
{
    trial *t = user;

    ck_assert(pthread_equal(t->caller, pthread_self()));
    if (t->polls++ != t->yes_at)
        return 0;
    atomic_store(&t->said_yes, true);
    return 1;
}

static void
rest(long milliseconds)
{
    struct timespec t = {0, milliseconds * 1000000L};

    nanosleep(&t, NULL);
}

static void
short_task(void *context, int64_t task, int32_t thread)
{
    trial *t = context;

    (void)task, (void)thread;
    atomic_fetch_add(&t->begun, 1);
    if (atomic_load(&t->said_yes))
        atomic_fetch_add(&t->begun_after, 1);
    rest(1);
}

/* One that would not end by itself, but looks at the flag. */
static void
endless_task(void *context, int64_t task, int32_t thread)
{
    trial *t = context;

    (void)task, (void)thread;
    atomic_fetch_add(&t->begun, 1);
    while (!atomic_load(t->stop))
        rest(1);
}

START_TEST(cancel_ends_a_run)
{
    enum { MANY = 10000000 }; /* hours of short tasks */
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    trial t = {.caller = pthread_self(), .yes_at = 2};
    oriel_team *team;
    bool all;

    hooks.user = &t;
    hooks.cancel = ask;
    ck_assert_int_eq(oriel_team_create(&team, sizes[_i], NULL, NULL, NULL),
                     ORIEL_OK);
    t.stop = oriel_team_stop_flag(team);
    all = oriel_team_run_unless_cancelled(team, short_task, &t, MANY, &hooks);
    ck_assert(!all);
    ck_assert_int_eq(t.polls, 3); /* a yes is not asked for again */
    /* One each may slip in between the answer and the flag; a caller that is
       held up there lets a few more. */
    ck_assert_int_le(atomic_load(&t.begun_after), 100 * sizes[_i]);

    t.polls = 0;
    atomic_store(&t.begun, 0);
    all = oriel_team_run_unless_cancelled(team, endless_task, &t, MANY, &hooks);
    ck_assert(!all);
    ck_assert_int_eq(atomic_load(&t.begun), sizes[_i]);

    /* The team is as before. */
    t.yes_at = -1;
    atomic_store(&t.begun, 0);
    all = oriel_team_run_unless_cancelled(team, short_task, &t, 100, &hooks);
    ck_assert(all);
    ck_assert(!atomic_load(t.stop));
    ck_assert_int_eq(atomic_load(&t.begun), 100);
    oriel_team_destroy(team);
}
END_TEST

/* 600 ms of one task, or more on a loaded machine: the hook is asked all the
   while. */
static void
long_task(void *context, int64_t task, int32_t thread)
{
    (void)context, (void)task, (void)thread;
    rest(600);
}

START_TEST(cancel_is_asked_during_a_task)
{
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    trial t = {.caller = pthread_self(), .yes_at = -1};
    oriel_team *team;
    double began, took;

    hooks.user = &t;
    hooks.cancel = ask;
    ck_assert_int_eq(oriel_team_create(&team, 2, NULL, NULL, NULL), ORIEL_OK);
    began = oriel_milliseconds();
    ck_assert(oriel_team_run_unless_cancelled(team, long_task, &t, 1, &hooks));
    took = oriel_milliseconds() - began;
    ck_assert_int_ge(t.polls, 600 / 50 / 2); /* half, on a loaded machine */
    ck_assert_int_le(t.polls, 1 + (int)(took / ORIEL_TEAM_ASK_MS));
    oriel_team_destroy(team);
}
END_TEST

/* ---- Create ------------------------------------------------------------- */

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

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, runs_every_task_once, 0, COUNT(sizes));
    tcase_add_loop_test(tcase, cancel_ends_a_run, 0, COUNT(sizes));
    tcase_add_test(tcase, cancel_is_asked_during_a_task);
    tcase_add_test(tcase, start_runs_once_a_thread);
    tcase_add_test(tcase, out_of_memory);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
