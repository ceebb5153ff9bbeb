/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_extract.c - oriel extract: any number of pictures to a folder */
#include "base/fail.h"
#include "cli/command.h"
#include "cli/exits.h"
#include "cli/extract_job.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/signals.h"

#include <inttypes.h>
#include <string.h>

static int
choose_layer(cli_extract_job *job)
{
    oriel_model_info info = ORIEL_MODEL_INFO_INIT;
    oriel_error err;

    job->engine.layer = job->options->layer;
    if (job->engine.layer == CLI_NOT_GIVEN)
        return CLI_DONE;
    if (oriel_model_get_info(job->settings.model, &info, &err))
        return cli_report_failure(&err, NULL);
    if (job->engine.layer <= info.depth)
        return CLI_DONE;
    return cli_report_error(CLI_USAGE,
                            "--layer %" PRId64 ": the model has %d blocks, "
                            "expected 0 to %d",
                            job->engine.layer, info.depth, info.depth);
}

static int
choose_engine(cli_extract_job *job)
{
    const cli_options *options = job->options;
    int failed = cli_extract_choose_devices(job);

    if (!failed)
        failed = choose_layer(job);
    /* Means are taken of fp32 rows, and rounded once. */
    job->engine.dtype = job->given.pools ? ORIEL_DTYPE_F32 : job->given.dtype;
    job->batch_patches = cli_engine_batch_patches(&job->engine, options);
    return failed;
}

static int
open_source(cli_extract_job *job, int n_operands, char **operands)
{
    static char *from_stdin[] = {"-", NULL};
    bulk_source_options options = {
        .operands = n_operands ? operands : from_stdin,
        .n_operands = n_operands ? n_operands : 1,
        .null_names = job->options->null_names,
        .frames = job->options->frames,
        .shard = job->given.shard,
        .of = job->given.of,
        .is_wanted = job->dataset ? bulk_dataset_wants : NULL,
        .context = job->dataset,
    };
    oriel_error err;

    if (bulk_source_open(&job->source, &options, &err))
        return cli_report_failure(&err, NULL);
    return CLI_DONE;
}

static int
open_dataset(cli_extract_job *job)
{
    const bulk_totals *totals;
    oriel_error err;

    if (bulk_dataset_open(&job->dataset, &job->layout, job->run,
                          job->given.mode, &err))
        return cli_extract_report(&err);
    totals = bulk_dataset_totals(job->dataset);
    if (job->given.mode != BULK_RETRY) {
        job->inputs = totals->inputs;
        job->failed = totals->failed;
    }
    if (job->given.mode == BULK_RESUME && totals->inputs > 0)
        cli_report_note("%s: %" PRId64 " inputs are done already",
                        ORIEL_QUOTE(job->layout.folder), totals->inputs);
    return CLI_DONE;
}

/* The run ended before: its parts were just looked at. */
static bool
is_over(const cli_extract_job *job)
{
    return bulk_dataset_is_complete(job->dataset) &&
           job->given.mode == BULK_RESUME;
}

static int
run(const cli_options *options, int n_operands, char **operands)
{
    cli_extract_job job = {.options = options};
    int failed = cli_extract_parse(&job.given, options, n_operands, operands);

    if (!failed)
        failed = cli_settings_open(&job.settings, options, true);
    if (!failed)
        failed = choose_engine(&job);
    if (!failed)
        failed = cli_extract_describe(&job);
    if (!failed && !options->dry_run)
        failed = open_dataset(&job);
    if (!failed)
        failed = open_source(&job, n_operands, operands);
    if (!failed) {
        cli_progress_begin("images", 0);
        failed = options->dry_run ? cli_extract_plan(&job)
                 : is_over(&job)  ? cli_extract_end(&job)
                                  : cli_extract_run(&job);
    }
    bulk_source_close(job.source);
    bulk_dataset_close(job.dataset);
    cli_extract_close_devices(&job);
    cli_engine_free(&job.engine);
    cli_settings_close(&job.settings);
    json_decref(job.run);
    json_decref(job.metadata);
    json_decref(job.reasons);
    return failed;
}

const cli_command cli_cmd_extract = {
    .name = "extract",
    .usage = "INPUT... --model DIR -o FOLDER",
    .summary = "any number of pictures in, a folder of embeddings out",
    .text =
        "Encodes files, folders (with all that lies in them), tar archives in "
        "the\n"
        "WebDataset layout, and lists of these, into a folder:\n"
        "\n"
        "  part-00000.safetensors  embeddings [rows, width], offsets,\n"
        "                          image_grid_thw; ids in the metadata\n"
        "  manifest.jsonl          one line an input: id, status, shard, "
        "row_begin,\n"
        "                          row_end, hash, ...\n"
        "  failed.jsonl            the lines of those that failed\n"
        "  run.json                model, options, versions, totals\n"
        "\n"
        "Image i is rows row_begin to row_end - 1 of its shard. The bytes do "
        "not\n"
        "depend on batches, threads, jobs or interruptions. numpy reads parts "
        "whose\n"
        "dtype is f32 or f16; torch and safetensors read bf16 as well. What is "
        "done is\n"
        "never lost: a signal finishes the batch and closes the part, and "
        "--resume\n"
        "goes on, also after a crash.\n"
        "\n"
        "A list is @FILE, a file of JSON lines (FILE.jsonl), or - for standard "
        "input:\n"
        "a name a line, or a JSON object with \"path\", and \"id\" and other "
        "columns,\n"
        "which travel into the manifest. Standard input may also be a tar "
        "archive.\n"
        "Work begins before a list ends. What is a picture by its name or "
        "content and\n"
        "cannot be decoded fails; other files of folders are only counted.\n"
        "\n"
        "Events of --json: device, progress, encoded (a batch), failed (an "
        "input),\n"
        "warning, done, error.\n",
    .examples =
        "A folder of any size.\n"
        "oriel extract photos/ --model Qwen2.5-VL-7B-Instruct -o features\n"
        "Go on after an interruption of whatever kind.\n"
        "oriel extract photos/ --model DIR -o features --resume\n"
        "One vector an image, for numpy.\n"
        "oriel extract photos/ --model DIR --pool mean --format npy -o "
        "vectors\n"
        "What would it cost, and what would a limit save?\n"
        "oriel extract photos/ --model DIR --dry-run\n"
        "Tar shards, job 3 of 8.\n"
        "oriel extract data-*.tar --model DIR --shard 3/8 -o features-3\n",
    .flag = CLI_EXTRACT,
    .run = run,
};
