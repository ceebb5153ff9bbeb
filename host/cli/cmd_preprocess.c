/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_preprocess.c - oriel preprocess: photographs to pixel_values */
#include "base/checked.h"
#include "base/fail.h"
#include "base/team.h"
#include "base/version.h"
#include "cli/command.h"
#include "cli/exits.h"
#include "cli/limits.h"
#include "cli/loader.h"
#include "cli/output.h"
#include "cli/packed.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/settings.h"
#include "cli/signals.h"
#include "cli/text.h"
#include "files/json_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_PATCHES = 65536 }; /* 300 MB of patch rows */

typedef struct preprocess_job {
    const cli_options *options;
    cli_settings settings;
    cli_inputs inputs;
    cli_packed packed;
    oriel_team *team;
    int64_t columns; /* of pixel_values */
    int32_t threads;
    /* The batch at hand. */
    cli_batch *batch;
    float *values;
    size_t capacity; /* of values */
    int64_t *first;  /* [n + 1] each photo's first row; failed ones have none */
    int64_t *grids;  /* [n, 3] */
    size_t done;
} preprocess_job;

/* One picture into its rows, which start at first[task]. */
static void
preprocess_photo(preprocess_job *job, int64_t task, oriel_error *err)
{
    const cli_photo *photo = &job->batch->photos[task];
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    oriel_input input = ORIEL_INPUT_INIT;
    const void *frame = photo->rgb;
    int64_t rows = job->first[task + 1] - job->first[task];
    oriel_plan *plan;
    oriel_status status = oriel_plan_create(
        &plan, job->settings.model, &photo->item, 1, &job->settings.plan, err);

    input.frames = &frame;
    if (!status)
        status = oriel_plan_get_info(plan, &info, err);
    if (!status)
        memcpy(job->grids + 3 * task, info.grid_thw, 3 * sizeof(int64_t));
    if (!status)
        (void)oriel_preprocess(
            plan, &input, job->values + job->first[task] * job->columns,
            (size_t)(rows * job->columns) * sizeof(float), err);
    oriel_plan_destroy(plan);
}

static void
preprocess_task(void *context, int64_t task, int32_t thread)
{
    preprocess_job *job = context;
    cli_photo *photo = &job->batch->photos[task];

    (void)thread;
    if (!photo->err.status && !cli_signal_caught())
        preprocess_photo(job, task, &photo->err);
}

static int
reserve(preprocess_job *job)
{
    const cli_batch *batch = job->batch;
    size_t values, bytes;
    oriel_error err;

    free(job->first);
    free(job->grids);
    job->first = calloc(batch->n + 1, sizeof(*job->first));
    job->grids = calloc(batch->n + 1, 3 * sizeof(*job->grids));
    if (!job->first || !job->grids)
        return cli_report_memory("a batch");
    if (!oriel_mul_size(&values, (size_t)batch->patches,
                        (size_t)job->columns) ||
        !oriel_mul_size(&bytes, values, sizeof(float)))
        values = bytes = SIZE_MAX;
    for (size_t i = 0; i < batch->n; i++)
        job->first[i + 1] =
            job->first[i] +
            (batch->photos[i].err.status ? 0 : batch->photos[i].patches);
    if (values > job->capacity) {
        free(job->values);
        job->values = malloc(bytes);
        job->capacity = job->values ? values : 0;
    }
    if (job->capacity >= values)
        return CLI_DONE;
    oriel_fail_memory(&err, bytes, "patch rows");
    return cli_report_failure(&err, cli_batch_blame(batch));
}

static int
list_photo(preprocess_job *job, size_t i)
{
    const cli_photo *photo = &job->batch->photos[i];

    if (photo->err.status && cli_photo_is_at_fault(photo))
        return cli_packed_add_failed(&job->packed, photo->name, &photo->err);
    if (photo->err.status)
        return cli_report_failure(&photo->err, photo->name);
    if (photo->padded[0] != '\0' &&
        cli_packed_add_padded(&job->packed, photo->name, photo->padded))
        return CLI_MEMORY;
    return cli_packed_add(&job->packed, cli_text_name(photo->name),
                          job->grids + 3 * i, photo->patches);
}

static int
preprocess_batch(preprocess_job *job)
{
    const cli_batch *batch = job->batch;
    int failed = reserve(job);

    if (failed)
        return failed;
    oriel_team_run(job->team, preprocess_task, job, (int64_t)batch->n);
    failed = cli_report_signal();
    for (size_t i = 0; !failed && i < batch->n; i++)
        failed = list_photo(job, i);
    if (!failed && batch->patches > 0)
        failed = cli_packed_append(&job->packed, job->values,
                                   (size_t)(batch->patches * job->columns) *
                                       sizeof(float));
    return failed;
}

static int
preprocess_all(preprocess_job *job)
{
    int64_t budget = job->options->batch_patches ? job->options->batch_patches
                                                 : BATCH_PATCHES;
    cli_loader *loader = NULL;
    oriel_error err;
    int failed = CLI_DONE;

    if (oriel_team_create(&job->team, job->threads, NULL, NULL, &err) ||
        cli_loader_start(&loader, &job->settings, &job->inputs, budget,
                         SIZE_MAX, job->threads, &err))
        return cli_report_failure(&err, NULL);
    while (!failed && (job->batch = cli_loader_next(loader))) {
        failed =
            job->batch->err.status
                ? cli_report_failure(&job->batch->err, job->batch->failed_input)
                : preprocess_batch(job);
        job->done += job->batch->n;
        cli_progress_update((int64_t)job->done);
        cli_batch_free(job->batch);
    }
    cli_loader_stop(loader);
    return failed;
}

enum { METADATA_BYTES = 4096 };

/* For the list of padded pictures in the metadata. */
static size_t
padded_room(const preprocess_job *job)
{
    return job->options->truncated ? CLI_PACKED_NUMBER_BYTES * job->inputs.n
                                   : 0;
}

static int
check_usage(const cli_options *options, int n_operands)
{
    const char *missing[3] = {NULL};
    size_t n = 0;

    if (n_operands == 0 && !options->null_names)
        missing[n++] = "images";
    if (!options->output)
        missing[n++] = "-o FILE";
    if (n > 0)
        return cli_flags_report_missing("preprocess", missing);
    return cli_output_check_name("-o", options->output, "safetensors");
}

static int
open_job(preprocess_job *job, int n_operands, char **operands)
{
    const cli_options *options = job->options;
    oriel_model_info info = ORIEL_MODEL_INFO_INIT;
    oriel_error err;
    int failed = check_usage(options, n_operands);

    if (!failed)
        failed = cli_inputs_collect(&job->inputs, n_operands, operands,
                                    options->null_names);
    if (!failed && job->inputs.n == 0)
        failed = cli_report_error(CLI_USAGE, "the list of inputs is empty");
    if (!failed)
        failed = cli_settings_open(&job->settings, options, false);
    if (!failed && oriel_model_get_info(job->settings.model, &info, &err))
        failed = cli_report_failure(&err, NULL);
    job->columns = (int64_t)info.in_channels * info.temporal_patch_size *
                   info.patch_size * info.patch_size;
    job->threads = options->threads ? (int32_t)options->threads
                                    : cli_limits_read().threads;
    if (!failed)
        failed =
            cli_packed_create(&job->packed, options->output, options->force,
                              &job->inputs, METADATA_BYTES + padded_room(job));
    job->packed.dtype = ORIEL_DTYPE_F32;
    return failed;
}

static int
write_output(preprocess_job *job)
{
    json_t *settings = cli_settings_describe(&job->settings);
    char *described =
        oriel_json_text(settings, JSON_COMPACT | JSON_PRESERVE_ORDER);
    oriel_writer_entry metadata[] = {
        {"format", "oriel.pixel_values"},
        {"format_version", "1"},
        {"tool", "oriel " ORIEL_VERSION_STRING},
        {"preprocessing", described},
    };
    cli_packed_table table = {
        .rows_name = "pixel_values",
        .dtype = "F32",
        .columns = job->columns,
        .metadata = metadata,
        .n_metadata = sizeof(metadata) / sizeof(metadata[0]),
    };
    int failed = described ? cli_packed_finish(&job->packed, &table)
                           : cli_report_memory("the output's header");

    json_decref(settings);
    free(described);
    return failed;
}

static int
run(const cli_options *options, int n_operands, char **operands)
{
    preprocess_job job = {.options = options};
    int failed = open_job(&job, n_operands, operands);

    if (!failed)
        failed = cli_packed_add_bad(&job.packed, &job.inputs);
    if (!failed) {
        cli_progress_begin("images", job.inputs.n);
        failed = preprocess_all(&job);
        cli_progress_end();
        if (!failed)
            failed = cli_report_signal();
        if (!failed) {
            failed = write_output(&job);
            if (failed == CLI_DONE || failed == CLI_INPUTS)
                cli_packed_report(&job.packed, options->output, "read",
                                  "patches", failed);
        }
    }
    oriel_team_destroy(job.team);
    free(job.values);
    free(job.first);
    free(job.grids);
    cli_packed_free(&job.packed);
    cli_settings_close(&job.settings);
    cli_inputs_free(&job.inputs);
    return failed;
}

const cli_command cli_cmd_preprocess = {
    .name = "preprocess",
    .usage = "IMAGE... -o FILE",
    .summary = "photographs in, pixel_values out; needs no model",
    .text =
        "Decodes, resizes, normalises and cuts images, and writes what a "
        "Hugging\n"
        "Face processor returns, bit for bit:\n"
        "\n"
        "  pixel_values    F32 [patches, 1176]\n"
        "  image_grid_thw  I64 [n, 3]\n"
        "\n"
        "oriel encode takes the file in place of images. --pipeline makes the "
        "patches\n"
        "of another program: what transformers' processor makes of upright "
        "image\n"
        "objects (the default), its PIL processor, qwen-vl-utils with that, "
        "vLLM, or\n"
        "SGLang with its processor on the CPU. --resample torchvision is "
        "transformers'\n"
        "fast processor, pillow the PIL one with Pillow 13, pillow12 the one "
        "before,\n"
        "float what GPU tensors get.\n",
    .examples = "Patches for any framework.\n"
                "oriel preprocess *.png -o patches.safetensors\n"
                "As the PIL processor of transformers makes them.\n"
                "oriel preprocess a.png --pipeline transformers-pil -o "
                "a.safetensors\n"
                "With the limits and the normalisation of a checkpoint.\n"
                "oriel preprocess a.png --model DIR -o a.safetensors\n",
    .flag = CLI_PREPROCESS,
    .run = run,
};
