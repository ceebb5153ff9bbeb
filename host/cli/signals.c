/* SPDX-License-Identifier: Apache-2.0 */
/* signals.c - the one flag that a signal sets */
#include "cli/signals.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

static volatile sig_atomic_t caught;
static volatile time_t caught_at;

static time_t
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

/*
 * timeout(1) and terminals signal a process and its group, so one request may
 * arrive twice: only what comes later is a second one.
 */
static void
remember(int signal_number)
{
    if (!caught) {
        caught_at = now();
        caught = signal_number;
    } else if (now() - caught_at >= 2) {
        signal(signal_number, SIG_DFL);
        raise(signal_number);
    }
}

void
cli_signals_catch(void)
{
    static const int stopping[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action;
    struct sigaction old;

    memset(&action, 0, sizeof(action));
    action.sa_handler = remember; /* no SA_RESTART: reads wake up */
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(stopping) / sizeof(stopping[0]); i++)
        sigaddset(&action.sa_mask, stopping[i]);
    for (size_t i = 0; i < sizeof(stopping) / sizeof(stopping[0]); i++)
        /* What nohup or a shell's background job ignores stays ignored. */
        if (sigaction(stopping[i], NULL, &old) == 0 &&
            old.sa_handler != SIG_IGN)
            sigaction(stopping[i], &action, NULL);

    /* A file size limit then is a failed write, with its message; so is a
       standard output without a reader.  Standard error has no such message:
       the work does not depend on whether somebody watches. */
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
}

int
cli_signal_caught(void)
{
    return caught;
}
