/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - oriel COMMAND: find the subcommand, parse its flags, run it */
#include "cli/again.h"
#include "cli/command.h"
#include "cli/exits.h"
#include "cli/help.h"
#include "cli/report.h"
#include "cli/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

/* Commands whose --json stands for events on standard error. */
enum {
    EVENTS = CLI_ENCODE | CLI_PREPROCESS | CLI_SYNTH | CLI_PACK | CLI_HEATMAP |
             CLI_EXTRACT | CLI_MERGE
};

static int
run(const cli_command *command, int n_args, char **args)
{
    cli_options options = {.seed = 1};
    int first, failed;

    cli_again_keep(n_args, args);
    failed = cli_flags_parse(&options, command->flag, n_args, args, &first);

    if (failed)
        return failed;
    if (options.help) {
        cli_help_command(command);
        return CLI_DONE;
    }
    /* Elsewhere --json is about the answer, on standard output. */
    cli_report_setup(options.json && (command->flag & EVENTS), options.quiet);
    return command->run(&options, n_args - first, args + first);
}

/*
 * A descriptor that the caller closed would be given to the next file we open,
 * and our messages would go into it.  What is written to a standard output that
 * is not there must still fail.
 */
static bool
fill_descriptors(void)
{
    static const int modes[] = {O_RDONLY, O_RDONLY, O_WRONLY};

    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
            open("/dev/null", modes[fd]) != fd)
            return false;
    return true;
}

int
main(int n_args, char **args)
{
    static char output[1 << 16];
    const cli_command *command;
    int exit_status, flushed;

    if (!fill_descriptors())
        return CLI_INTERNAL;
    /* A text fits, so that the flush at the end knows why writing failed. */
    setvbuf(stdout, output, _IOFBF, sizeof(output));
    cli_report_setup(false, false);
    cli_signals_catch();
    if (n_args < 2)
        return cli_report_error(
            CLI_USAGE, "no command given (oriel --help lists what there is)");
    if (strcmp(args[1], "--help") == 0 || strcmp(args[1], "-h") == 0)
        command = &cli_cmd_help;
    else if (strcmp(args[1], "--version") == 0)
        command = &cli_cmd_version;
    else
        command = cli_command_named(args[1]);
    if (!command)
        return cli_command_unknown(args[1]);
    exit_status = run(command, n_args - 1, args + 1);
    flushed = cli_report_flush();
    return exit_status ? exit_status : flushed;
}
