/* SPDX-License-Identifier: Apache-2.0 */
/* command.h - what a subcommand is, and the table of them */
#ifndef ORIEL_CLI_COMMAND_H
#define ORIEL_CLI_COMMAND_H

#include "cli/flags.h"

typedef struct cli_command {
    const char *name;
    const char *usage;    /* its operands: "IMAGE... -o FILE" */
    const char *summary;  /* one line */
    const char *text;     /* paragraphs, each line ending with a newline */
    const char *examples; /* pairs of lines: what for, the command */
    uint32_t flag;        /* CLI_ENCODE */
    /* operands[n_operands] is NULL; returns the exit status. */
    int (*run)(const cli_options *options, int n_operands, char **operands);
} cli_command;

extern const cli_command cli_cmd_encode, cli_cmd_extract, cli_cmd_merge,
    cli_cmd_preprocess, cli_cmd_plan, cli_cmd_heatmap, cli_cmd_inspect,
    cli_cmd_pack, cli_cmd_synth, cli_cmd_doctor, cli_cmd_version,
    cli_cmd_completion, cli_cmd_help, cli_cmd_bench;

extern const cli_command *const cli_commands[]; /* ends with NULL */

const cli_command *cli_command_of(uint32_t flag);
/* NULL for an unknown name. */
const cli_command *cli_command_named(const char *name);
/* Reports an unknown name with the nearest known; returns CLI_USAGE. */
int cli_command_unknown(const char *name);

#endif /* ORIEL_CLI_COMMAND_H */
