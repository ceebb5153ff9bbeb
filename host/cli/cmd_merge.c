/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_merge.c - oriel merge: the folders of several jobs to one */
#include "base/fail.h"
#include "bulk/merge.h"
#include "cli/command.h"
#include "cli/exits.h"
#include "cli/extract_job.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/text.h"

#include <inttypes.h>

static void
report(const cli_options *options, const bulk_merged *merged)
{
    const bulk_totals *t = &merged->totals;

    if (merged->missing > 0)
        cli_report_warning("%" PRId64
                           " indices below the largest are in none of the "
                           "folders: is one missing?",
                           merged->missing);
    cli_report_note("%" PRId64 " inputs, %" PRId64 " failed, %" PRId64
                    " rows, %" PRId64 " parts%s, %s: %s",
                    t->inputs, t->failed, t->rows, merged->parts,
                    options->repack       ? " written"
                    : merged->copied == 0 ? " linked"
                                          : ", not all could be linked",
                    cli_text_seconds(cli_progress_seconds()).text,
                    ORIEL_QUOTE(options->output));
    if (cli_report_json())
        cli_report_event(json_pack(
            "{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:i}", "event", "done",
            "inputs", (json_int_t)t->inputs, "failed", (json_int_t)t->failed,
            "rows", (json_int_t)t->rows, "parts", (json_int_t)merged->parts,
            "copied", (json_int_t)merged->copied, "missing",
            (json_int_t)merged->missing, "seconds", cli_progress_seconds(),
            "exit", CLI_DONE));
}

static int
run(const cli_options *options, int n_operands, char **operands)
{
    const char *missing[3] = {NULL};
    size_t n = 0;
    bulk_merged merged;
    oriel_error err;
    int failed;

    if (n_operands == 0)
        missing[n++] = "folders";
    if (!options->output)
        missing[n++] = "-o FOLDER";
    failed = cli_flags_report_missing("merge", missing);
    if (failed)
        return failed;
    cli_progress_begin("inputs", 0);
    if (bulk_merge(&merged, options->output, operands, (size_t)n_operands,
                   options->repack, &err))
        return cli_extract_report(&err);
    report(options, &merged);
    return CLI_DONE;
}

const cli_command cli_cmd_merge = {
    .name = "merge",
    .usage = "FOLDER... -o FOLDER",
    .summary = "the folders of several extract jobs to one",
    .text =
        "Joins what oriel extract --shard I/N wrote in N jobs, or what it made "
        "of the\n"
        "lists of --split. The lines of the manifest are sorted by index; "
        "parts are\n"
        "linked, which takes no space, or copied where the file system cannot "
        "link.\n"
        "With --repack they are written anew: the very files that one run "
        "would have\n"
        "written. Inputs that failed stay in the manifest, and do not change "
        "the exit\n"
        "status.\n"
        "\n"
        "Events of --json: done, warning, error.\n",
    .examples = "Join four jobs.\n"
                "oriel merge features-0 features-1 features-2 features-3 -o "
                "features\n",
    .flag = CLI_MERGE,
    .run = run,
};
