/* SPDX-License-Identifier: Apache-2.0 */
/*
 * team.h - the threads of one encoder
 *
 * Plain pthreads, started by create, joined by destroy.  The caller's thread
 * only waits: a library beneath that keeps state per thread (oneDNN through
 * OpenMP) then never touches a thread that is not ours.
 */
#ifndef ORIEL_BASE_TEAM_H
#define ORIEL_BASE_TEAM_H

#include "oriel.h"

#include <stdatomic.h>
#include <stdbool.h>

typedef struct oriel_team oriel_team;

/* Task 'task' of 'n_tasks', on the team's thread 'thread'. */
typedef void oriel_team_task(void *context, int64_t task, int32_t thread);

/* 'n_threads' >= 1.  'start' (may be NULL) runs first on every thread. */
oriel_status oriel_team_create(oriel_team **out, int32_t n_threads,
                               void (*start)(int32_t thread),
                               const oriel_hooks *hooks, oriel_error *err);

int32_t oriel_team_threads(const oriel_team *team);

/*
 * Run tasks 0 .. n_tasks - 1 and return when all are done.  Which thread takes
 * which task is not fixed: results must not depend on it.  Exclusive.
 */
void oriel_team_run(oriel_team *team, oriel_team_task *run, void *context,
                    int64_t n_tasks);

/*
 * The same, while the cancel hook is asked on the caller's thread, every
 * ORIEL_TEAM_ASK_MS of the wait.  Once it says yes no further task begins, and
 * the team's stop flag is true for those that have begun: false when they have
 * returned, as soon as they care to.  'hooks' may be NULL.
 */
enum { ORIEL_TEAM_ASK_MS = 20 };
bool oriel_team_run_unless_cancelled(oriel_team *team, oriel_team_task *run,
                                     void *context, int64_t n_tasks,
                                     const oriel_hooks *hooks);

/* Lives as long as the team; false again as each run begins. */
const atomic_bool *oriel_team_stop_flag(const oriel_team *team);

void oriel_team_destroy(oriel_team *team); /* NULL is fine */

#endif /* ORIEL_BASE_TEAM_H */
