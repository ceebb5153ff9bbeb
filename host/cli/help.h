/* SPDX-License-Identifier: Apache-2.0 */
/* help.h - the help texts and the man page, made from the two tables */
#ifndef ORIEL_CLI_HELP_H
#define ORIEL_CLI_HELP_H

#include "cli/command.h"

void cli_help_tool(void);
void cli_help_command(const cli_command *command);
/* The man page in scdoc's language: docs/oriel.1.scd is this output. */
void cli_help_man(void);

#endif /* ORIEL_CLI_HELP_H */
