/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_synth.c - oriel synth: a checkpoint with random weights */
#include "base/fail.h"
#include "cli/command.h"
#include "cli/exits.h"
#include "cli/limits.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/settings.h"
#include "cli/text.h"
#include "weights/synth.h"

#include <errno.h>

static void
show_progress(void *user, uint64_t bytes, uint64_t total_bytes)
{
    (void)user;
    (void)total_bytes;
    cli_progress_update((int64_t)(bytes >> 20));
}

static int
report_synth(const oriel_error *err)
{
    if (err->cause == EEXIST)
        return cli_report_error(CLI_USAGE, "%s; --force replaces it",
                                err->message);
    /* What the maker refuses, the user asked for. */
    if (err->status == ORIEL_ERR_ARGUMENT)
        return cli_report_error(CLI_USAGE, "%s", err->message);
    return cli_report_failure(err, NULL);
}

static int
make(const cli_options *options, const char *folder)
{
    oriel_synth_config config;
    oriel_synth_options how = {
        .seed = (uint64_t)options->seed,
        .replace = options->force,
        .hooks = &cli_output_hooks,
        .progress = show_progress,
    };
    uint64_t bytes;
    oriel_error err;
    oriel_status status;

    how.threads = options->threads ? (int32_t)options->threads
                                   : cli_limits_read().threads;
    if (oriel_synth_config_init(&config, options->config,
                                (int32_t)options->depth, &err))
        return report_synth(&err);
    bytes = oriel_synth_bytes(&config);
    cli_progress_begin("MiB", bytes >> 20);
    status = oriel_synth_write(folder, &config, &how, &err);
    cli_progress_end();
    if (status)
        return report_synth(&err);
    cli_report_note(
        "%s of random weights in %s: %s", cli_text_bytes(bytes).text,
        cli_text_seconds(cli_progress_seconds()).text, ORIEL_QUOTE(folder));
    if (cli_report_json())
        cli_report_event(json_pack("{s:s, s:I, s:f, s:i}", "event", "done",
                                   "bytes", (json_int_t)bytes, "seconds",
                                   cli_progress_seconds(), "exit", CLI_DONE));
    return CLI_DONE;
}

static int
run(const cli_options *options, int n_operands, char **operands)
{
    const char *missing[3] = {NULL};
    size_t n = 0;

    if (!options->config)
        missing[n++] = "--config 3b, 7b, 32b, 72b or tiny";
    if (n_operands == 0)
        missing[n++] = "one folder to write into";
    if (n > 0)
        return cli_flags_report_missing("synth", missing);
    if (n_operands > 1)
        return cli_report_error(CLI_USAGE,
                                "synth needs one folder to write into");
    return make(options, operands[0]);
}

const cli_command cli_cmd_synth = {
    .name = "synth",
    .usage = "--config 3b|7b|32b|72b|tiny DIR",
    .summary = "make a checkpoint with random weights, in the official layout",
    .text =
        "Writes config.json, preprocessor_config.json and sharded bf16 weights "
        "as\n"
        "the official checkpoints have them, made from a seed: same seed, "
        "same\n"
        "bytes, on any machine. Embeddings from it mean nothing, but they take "
        "the\n"
        "same time and memory as real ones. The vision part of 7b is 1.4 GB.\n",
    .examples = "The full shape of the 7B model.\n"
                "oriel synth --config 7b --seed 1 model\n"
                "A small one for tests: two blocks instead of 32.\n"
                "oriel synth --config 7b --depth 2 model-2\n",
    .flag = CLI_SYNTH,
    .run = run,
};
