/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inputs.h - the list of inputs: operands, @list, - and -0
 *
 * "@FILE" stands for the names in FILE, unless a file has that very name, and
 * "-" for those on standard input.  A list holds a name a line; lines may end
 * as on Windows, the text may be UTF-8 or UTF-16 with a byte order mark, empty
 * lines are skipped, and so are lines that begin with # unless a file has that
 * very name.  With --null each name ends with a NUL byte and all other bytes
 * are its own.  Names in a list are files, whatever they begin with.
 */
#ifndef ORIEL_CLI_INPUTS_H
#define ORIEL_CLI_INPUTS_H

#include "oriel.h"

#include <stdbool.h>
#include <stddef.h>

/* An operand that gave no names: a list that cannot be read, or "". */
typedef struct cli_bad_operand {
    const char *name;
    oriel_error err; /* ORIEL_ERR_IO: not readable; _INPUT: no list of names */
} cli_bad_operand;

typedef struct cli_inputs {
    const char **names;
    size_t n, capacity;
    cli_bad_operand
        *bad; /* the others go on: whoever lists inputs lists them */
    size_t n_bad;
    struct cli_text_block *blocks; /* where names from lists live */
} cli_inputs;

/*
 * CLI_DONE, or reports and returns the exit status.  With names, or without any
 * operand that is bad, 'bad' is left to the caller to report.
 */
int cli_inputs_collect(cli_inputs *inputs, int n_operands, char **operands,
                       bool null_names);

void cli_inputs_free(cli_inputs *inputs);

#endif /* ORIEL_CLI_INPUTS_H */
