/* SPDX-License-Identifier: Apache-2.0 */
/* exits.h - what the tool's exit status says, and its table */
#ifndef ORIEL_CLI_EXITS_H
#define ORIEL_CLI_EXITS_H

#include "oriel.h"

#include <stddef.h>

enum {
    CLI_DONE = 0,
    /* Some or all inputs failed; the good ones are written.  Of bench: slower. */
    CLI_INPUTS = 1,
    CLI_USAGE = 2,    /* wrong flags, or an output exists without --force */
    CLI_MODEL = 3,    /* the model cannot be used as it stands */
    CLI_OUTPUT = 4,   /* a write or read failed, or no file can be opened */
    CLI_DEVICE = 5,   /* device or driver */
    CLI_MEMORY = 6,   /* memory is out, or a job does not fit into it */
    CLI_INTERNAL = 7, /* a bug in Oriel */
    CLI_NONE = 8,     /* extract: no input succeeded, or too many failed */
    CLI_SIGNAL = 128  /* plus the signal, after a clean boundary */
};

/* The exit status for a library status; unknown ones are internal errors. */
int cli_exit_of(oriel_status status);

/* For help and man page: meaning of status 'exit_status', or NULL. */
const char *cli_exit_meaning(int exit_status);

#endif /* ORIEL_CLI_EXITS_H */
