/* SPDX-License-Identifier: Apache-2.0 */
/* commands.c - the subcommands, in the order of the help */
#include "cli/command.h"

#include "base/fail.h"
#include "cli/exits.h"
#include "cli/report.h"
#include "cli/suggest.h"

#include <string.h>

const cli_command *const cli_commands[] = {
    &cli_cmd_encode,     &cli_cmd_extract, &cli_cmd_merge,
    &cli_cmd_preprocess, &cli_cmd_plan,    &cli_cmd_heatmap,
    &cli_cmd_inspect,    &cli_cmd_pack,    &cli_cmd_synth,
    &cli_cmd_doctor,     &cli_cmd_bench,   &cli_cmd_completion,
    &cli_cmd_version,    &cli_cmd_help,    NULL,
};

const cli_command *
cli_command_of(uint32_t flag)
{
    const cli_command *const *c = cli_commands;

    while ((*c)->flag != flag)
        c++;
    return *c;
}

const cli_command *
cli_command_named(const char *name)
{
    for (const cli_command *const *c = cli_commands; *c; c++)
        if (strcmp((*c)->name, name) == 0)
            return *c;
    return NULL;
}

/* Commands of python -m oriel: COMMANDS of python/src/oriel/__main__.py. */
static const char *const in_python[] = {"parquet", "serve"};

int
cli_command_unknown(const char *name)
{
    cli_suggestion nearest = {NULL, 0};

    for (size_t i = 0; i < sizeof(in_python) / sizeof(*in_python); i++)
        if (strcmp(in_python[i], name) == 0)
            return cli_report_error(
                CLI_USAGE,
                "%s is a command of the Python package: python3 -m oriel %s",
                name, name);
    for (const cli_command *const *c = cli_commands; *c; c++)
        cli_suggest(&nearest, name, (*c)->name);
    if (nearest.best)
        return cli_report_error(CLI_USAGE,
                                "unknown command %s, did you mean oriel %s?",
                                ORIEL_QUOTE(name), nearest.best);
    return cli_report_error(
        CLI_USAGE, "unknown command %s (oriel --help lists what there is)",
        ORIEL_QUOTE(name));
}
