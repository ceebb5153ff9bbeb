/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_version.c - oriel version */
#include "base/version.h"
#include "cli/command.h"
#include "cli/exits.h"
#include "cli/report.h"
#include "oriel.h"

#include <inttypes.h>
#include <stdio.h>

static int
run(const cli_options *options, int n_operands, char **operands)
{
    (void)operands;
    if (n_operands > 0)
        return cli_report_error(CLI_USAGE, "version takes no argument");
    if (options->json)
        return cli_report_document(
            json_pack("{s:s, s:s, s:i}", "tool", ORIEL_VERSION_STRING,
                      "library", oriel_version(), "abi", oriel_abi_version()));
    printf("oriel %s (liboriel %s, ABI %" PRId32 ")\n", ORIEL_VERSION_STRING,
           oriel_version(), oriel_abi_version());
    return CLI_DONE;
}

const cli_command cli_cmd_version = {
    .name = "version",
    .usage = "[--json]",
    .summary = "say which version of tool and library this is",
    .text =
        "The library's version is that of the liboriel.so that was loaded.\n",
    .examples = "For a bug report.\n"
                "oriel version\n",
    .flag = CLI_VERSION,
    .run = run,
};
