/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_help.c - oriel help [COMMAND] */
#include "cli/exits.h"
#include "cli/help.h"
#include "cli/report.h"

static int
run(const cli_options *options, int n_operands, char **operands)
{
    const cli_command *command;

    (void)options;
    if (n_operands == 0) {
        cli_help_tool();
        return CLI_DONE;
    }
    if (n_operands > 1)
        return cli_report_error(CLI_USAGE, "help takes one command");
    command = cli_command_named(operands[0]);
    if (!command)
        return cli_command_unknown(operands[0]);
    cli_help_command(command);
    return CLI_DONE;
}

const cli_command cli_cmd_help = {
    .name = "help",
    .usage = "[COMMAND]",
    .summary = "explain the tool or one of its commands",
    .text = "Without a command, lists them all.\n",
    .examples = "How do I encode?\n"
                "oriel help encode\n",
    .flag = CLI_HELP,
    .run = run,
};
