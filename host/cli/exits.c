/* SPDX-License-Identifier: Apache-2.0 */
/* exits.c - the one table from ORIEL_ERR_* to exit statuses */
#include "cli/exits.h"

#include "cli/signals.h"

/*
 * ORIEL_ERR_ARGUMENT means that the calling program is wrong: what a user may
 * ask for is checked before the library is called, so the fault is ours.  The
 * tool waits, so ORIEL_ERR_BUSY never comes.
 */
static const int exits[] = {
    [ORIEL_OK] = CLI_DONE,
    [ORIEL_ERR_INPUT] = CLI_INPUTS,
    [ORIEL_ERR_ARGUMENT] = CLI_INTERNAL,
    [ORIEL_ERR_CAPACITY] = CLI_MEMORY,
    [ORIEL_ERR_MEMORY] = CLI_MEMORY,
    [ORIEL_ERR_NOT_FOUND] = CLI_MODEL,
    [ORIEL_ERR_IO] = CLI_OUTPUT,
    [ORIEL_ERR_MODEL] = CLI_MODEL,
    [ORIEL_ERR_UNSUPPORTED] = CLI_MODEL,
    [ORIEL_ERR_DEVICE] = CLI_DEVICE,
    [ORIEL_ERR_FAULT] = CLI_DEVICE,
    [ORIEL_ERR_CANCELLED] = CLI_SIGNAL,
    [ORIEL_ERR_INTERNAL] = CLI_INTERNAL,
    [ORIEL_ERR_BUSY] = CLI_INTERNAL,
};

static const char *const meanings[] = {
    [CLI_DONE] = "done",
    [CLI_INPUTS] =
        "some or all inputs failed; the good ones are written; bench: slower",
    [CLI_USAGE] = "wrong usage, or the output exists and --force is not given",
    [CLI_MODEL] = "the model cannot be used as it stands",
    [CLI_OUTPUT] = "writing or reading failed, or no more files can be opened",
    [CLI_DEVICE] = "no such device, no driver, or the device failed",
    [CLI_MEMORY] = "memory is out",
    [CLI_INTERNAL] = "internal error: a bug in Oriel, please report it",
    [CLI_NONE] = "extract: no input succeeded, or --max-failures was reached",
};

int
cli_exit_of(oriel_status status)
{
    size_t n = sizeof(exits) / sizeof(exits[0]);

    if (status == ORIEL_ERR_CANCELLED)
        return CLI_SIGNAL + cli_signal_caught();
    if (status < 0 || (size_t)status >= n)
        return CLI_INTERNAL;
    return exits[status];
}

const char *
cli_exit_meaning(int exit_status)
{
    size_t n = sizeof(meanings) / sizeof(meanings[0]);

    if (exit_status < 0 || (size_t)exit_status >= n)
        return NULL;
    return meanings[exit_status];
}
