/* SPDX-License-Identifier: Apache-2.0 */
/* signals.c - the one flag that a signal sets */
#include "cli/signals.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>

static volatile sig_atomic_t caught;

static void
remember(int signal_number)
{
    caught = signal_number;
}

void
cli_signals_catch(void)
{
    static const int stopping[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action;
    struct sigaction old;

    memset(&action, 0, sizeof(action));
    action.sa_handler = remember;
    action.sa_flags = (int)SA_RESETHAND; /* no SA_RESTART: reads wake up */
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(stopping) / sizeof(stopping[0]); i++)
        /* What nohup or a shell's background job ignores stays ignored. */
        if (sigaction(stopping[i], NULL, &old) == 0 &&
            old.sa_handler != SIG_IGN)
            sigaction(stopping[i], &action, NULL);

    /* A file size limit then is a failed write, with its message. */
    signal(SIGXFSZ, SIG_IGN);
}

int
cli_signal_caught(void)
{
    return caught;
}
