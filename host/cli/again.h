/* SPDX-License-Identifier: Apache-2.0 */
/* again.h - the command line, for a line that says how to go on */
#ifndef ORIEL_CLI_AGAIN_H
#define ORIEL_CLI_AGAIN_H

/* Remember args[0 .. n_args - 1], the subcommand's name first; they must stay. */
void cli_again_keep(int n_args, char **args);

/* "oriel extract ... FLAG", quoted for a shell, for the caller to free(); FLAG is
   not said twice.  NULL when memory is out. */
char *cli_again_text(const char *flag);

#endif /* ORIEL_CLI_AGAIN_H */
