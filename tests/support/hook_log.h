/* SPDX-License-Identifier: Apache-2.0 */
/* hook_log.h - what the library told the hooks "progress" and "log" */
#ifndef TESTS_SUPPORT_HOOK_LOG_H
#define TESTS_SUPPORT_HOOK_LOG_H

#include "oriel.h"

#include <pthread.h>

enum { HOOK_LOG_CALLS = 512, HOOK_LOG_LINE = 1024 };

typedef struct hook_log {
    pthread_t thread; /* that all calls must come from */
    int calls;        /* of progress; the first ones are kept */
    int32_t what;     /* of the last */
    int64_t done[HOOK_LOG_CALLS], of;
    char profile[HOOK_LOG_LINE]; /* the last line of it, or "" */
    int profiles;
} hook_log;

/* Forget everything; calls must come from this thread. */
void hook_log_reset(hook_log *log);
/* Both hooks, into 'log'.  A call of progress must rise within its "what". */
oriel_hooks hook_log_hooks(hook_log *log);

/* The milliseconds after 'name' in the profile's line; fails without. */
double hook_log_milliseconds(const hook_log *log, const char *name);

#endif /* TESTS_SUPPORT_HOOK_LOG_H */
