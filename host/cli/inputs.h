/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inputs.h - the list of inputs: operands, @list, - and -0
 *
 * "@FILE" stands for the names in FILE and "-" for those on standard input, one
 * a line, or with --null each ended by a NUL byte; empty names are skipped.  A
 * file whose own name begins with @ or is - is written ./@name, ./-.
 */
#ifndef ORIEL_CLI_INPUTS_H
#define ORIEL_CLI_INPUTS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct cli_inputs {
    const char **names;
    size_t n, capacity;
    struct cli_text_block *blocks; /* where names from lists live */
} cli_inputs;

/* CLI_DONE, or reports and returns the exit status. */
int cli_inputs_collect(cli_inputs *inputs, int n_operands, char **operands,
                       bool null_names);

void cli_inputs_free(cli_inputs *inputs);

#endif /* ORIEL_CLI_INPUTS_H */
