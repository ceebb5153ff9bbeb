/* SPDX-License-Identifier: Apache-2.0 */
/*
 * team.c - a pool that sleeps between runs
 *
 * A run hands out task numbers from one atomic counter.  Workers spin briefly
 * before they sleep: an encode is hundreds of runs back to back, and waking a
 * thread costs as much as a small one.  The caller sleeps until the last member
 * is done, or until it is time to ask the cancel hook.
 */
#include "base/team.h"

#include "base/fail.h"
#include "base/memory.h"
#include "base/process.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

enum { SPINS = 2000 };

typedef struct member {
    oriel_team *team;
    pthread_t thread;
    int32_t index;
} member;

struct oriel_team {
    oriel_hooks hooks;
    int32_t process; /* that the threads are of */
    pthread_mutex_t lock;
    pthread_cond_t begun, done;
    atomic_uint generation; /* of the run; changes under the lock */
    bool ended;             /* under the lock, told by a new generation */
    void (*start)(int32_t thread);

    oriel_team_task *run;
    void *context;
    int64_t n_tasks;
    atomic_int_fast64_t next;
    atomic_int busy;  /* members still inside the run */
    atomic_bool stop; /* the caller was told to cancel */

    int32_t n_members;
    member members[];
};

static inline void
pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Wait until the generation is no longer 'seen'; the new one. */
static unsigned
await_generation(oriel_team *team, unsigned seen)
{
    unsigned now;

    for (int i = 0; i < SPINS; i++) {
        now = atomic_load_explicit(&team->generation, memory_order_acquire);
        if (now != seen)
            return now;
        pause_briefly();
    }
    pthread_mutex_lock(&team->lock);
    while ((now = atomic_load_explicit(&team->generation,
                                       memory_order_acquire)) == seen)
        pthread_cond_wait(&team->begun, &team->lock);
    pthread_mutex_unlock(&team->lock);
    return now;
}

static void
work(oriel_team *team, int32_t thread)
{
    for (;;) {
        int64_t task =
            atomic_fetch_add_explicit(&team->next, 1, memory_order_relaxed);

        if (task >= team->n_tasks ||
            atomic_load_explicit(&team->stop, memory_order_relaxed))
            break;
        team->run(team->context, task, thread);
    }
    if (atomic_fetch_sub_explicit(&team->busy, 1, memory_order_acq_rel) == 1) {
        pthread_mutex_lock(&team->lock);
        pthread_cond_signal(&team->done);
        pthread_mutex_unlock(&team->lock);
    }
}

static void *
member_main(void *argument)
{
    member *self = argument;
    oriel_team *team = self->team;
    unsigned seen = 0;

    if (team->start)
        team->start(self->index);
    for (;;) {
        seen = await_generation(team, seen);
        pthread_mutex_lock(&team->lock);
        bool ended = team->ended;
        pthread_mutex_unlock(&team->lock);
        if (ended)
            return NULL;
        work(team, self->index);
    }
}

static void
next_generation(oriel_team *team)
{
    atomic_fetch_add_explicit(&team->generation, 1, memory_order_release);
    pthread_cond_broadcast(&team->begun);
}

/* A signal meant for the program must not run its handler on our thread. */
static int
start_member(member *m)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&m->thread, NULL, member_main, m);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* Its waits must not depend on when somebody sets the clock. */
static void
init_done(oriel_team *team)
{
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&team->done, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

oriel_status
oriel_team_create(oriel_team **out, int32_t n_threads,
                  void (*start)(int32_t thread), const oriel_hooks *hooks,
                  oriel_error *err)
{
    size_t bytes = sizeof(oriel_team) + (size_t)n_threads * sizeof(member);
    oriel_team *team = oriel_calloc(hooks, 1, bytes);

    *out = NULL;
    if (!team)
        return oriel_fail_memory(err, bytes, "a team of threads");
    if (hooks)
        team->hooks = *hooks;
    team->process = oriel_process_id();
    team->start = start;
    pthread_mutex_init(&team->lock, NULL);
    pthread_cond_init(&team->begun, NULL);
    init_done(team);
    for (int32_t i = 0; i < n_threads; i++) {
        team->members[i].team = team;
        team->members[i].index = i;
        int error = start_member(&team->members[i]);

        if (error) {
            oriel_team_destroy(team);
            return oriel_fail_cause(err, ORIEL_ERR_MEMORY, error,
                                    "cannot start thread %d of %d", i + 1,
                                    n_threads);
        }
        team->n_members++;
    }
    *out = team;
    return ORIEL_OK;
}

int32_t
oriel_team_threads(const oriel_team *team)
{
    return team->n_members;
}

/* Under the lock. */
static void
begin(oriel_team *team, oriel_team_task *run, void *context, int64_t n_tasks)
{
    team->run = run;
    team->context = context;
    team->n_tasks = n_tasks;
    atomic_store_explicit(&team->next, 0, memory_order_relaxed);
    atomic_store_explicit(&team->stop, false, memory_order_relaxed);
    atomic_store_explicit(&team->busy, team->n_members, memory_order_relaxed);
    next_generation(team);
}

static bool
is_busy(oriel_team *team)
{
    return atomic_load_explicit(&team->busy, memory_order_acquire) > 0;
}

void
oriel_team_run(oriel_team *team, oriel_team_task *run, void *context,
               int64_t n_tasks)
{
    (void)oriel_team_run_unless_cancelled(team, run, context, n_tasks, NULL);
}

/* Under the lock: wait for the end of the run or for the time to ask. */
static void
wait_a_while(oriel_team *team)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ORIEL_TEAM_ASK_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    while (is_busy(team) &&
           pthread_cond_timedwait(&team->done, &team->lock, &until) == 0)
        continue;
}

bool
oriel_team_run_unless_cancelled(oriel_team *team, oriel_team_task *run,
                                void *context, int64_t n_tasks,
                                const oriel_hooks *hooks)
{
    bool asks = hooks && hooks->cancel, stopped = false;

    if (n_tasks <= 0)
        return true;
    pthread_mutex_lock(&team->lock);
    begin(team, run, context, n_tasks);
    while (is_busy(team)) {
        if (!asks || stopped) {
            pthread_cond_wait(&team->done, &team->lock);
            continue;
        }
        wait_a_while(team);
        if (!is_busy(team))
            break;
        pthread_mutex_unlock(&team->lock);
        stopped = oriel_cancelled(hooks);
        if (stopped)
            atomic_store_explicit(&team->stop, true, memory_order_relaxed);
        pthread_mutex_lock(&team->lock);
    }
    pthread_mutex_unlock(&team->lock);
    return !stopped;
}

const atomic_bool *
oriel_team_stop_flag(const oriel_team *team)
{
    return &team->stop;
}

static void
stop(oriel_team *team)
{
    pthread_mutex_lock(&team->lock);
    team->ended = true;
    next_generation(team);
    pthread_mutex_unlock(&team->lock);
    for (int32_t i = 0; i < team->n_members; i++)
        pthread_join(team->members[i].thread, NULL);
    pthread_cond_destroy(&team->done);
    pthread_cond_destroy(&team->begun);
    pthread_mutex_destroy(&team->lock);
}

void
oriel_team_destroy(oriel_team *team)
{
    if (!team)
        return;
    oriel_hooks hooks = team->hooks;

    /* After fork() the threads are the parent's: there is none to join, and the
       lock may be one that a thread held. */
    if (!oriel_process_is_other(team->process))
        stop(team);
    oriel_free(&hooks, team);
}
