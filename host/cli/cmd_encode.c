/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_encode.c - oriel encode: photographs to embeddings */
#include "base/fail.h"
#include "base/version.h"
#include "cli/command.h"
#include "cli/encode_job.h"
#include "cli/exits.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/text.h"
#include "files/json_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Enough rows for the matrix products, little enough for progress and a quick
   stop. */

static int
check_usage(const cli_options *options, int n_operands)
{
    const char *missing[4] = {NULL};
    size_t n = 0;

    if (n_operands == 0 && !options->null_names)
        missing[n++] = "images";
    if (!options->output)
        missing[n++] = "-o FILE";
    if (!options->model)
        missing[n++] =
            "--model DIR (a Qwen2.5-VL checkpoint from Hugging Face, or a "
            "synthetic one: oriel synth --config 7b DIR)";
    if (n > 0)
        return cli_flags_report_missing("encode", missing);
    return cli_output_check_name("-o", options->output, "safetensors");
}

/* Is the one input a pixel_values file?  Images do not go along with it. */
static int
look_at_inputs(cli_encode_job *job)
{
    oriel_error err;

    if (job->inputs.n == 0)
        return cli_report_error(CLI_USAGE, "the list of inputs is empty");
    if (!cli_pixel_file_is(job->inputs.names[0]))
        return CLI_DONE;
    if (job->inputs.n > 1)
        return cli_report_error(CLI_USAGE,
                                "%s: a pixel_values file must be the only "
                                "input",
                                ORIEL_QUOTE(job->inputs.names[0]));
    if (cli_pixel_file_open(&job->pixels, job->inputs.names[0],
                            job->settings.model, &err)) {
        /* It is an input like any other: exit status 1. */
        if (err.status == ORIEL_ERR_MODEL || err.status == ORIEL_ERR_NOT_FOUND)
            err.status = ORIEL_ERR_INPUT;
        return cli_report_failure(&err, NULL);
    }
    return CLI_DONE;
}

static size_t
metadata_room(const cli_encode_job *job)
{
    size_t room = 4096;

    /* Text of the file's own goes in again, escaped once more. */
    if (job->pixels.sources)
        room += cli_text_name_bound(job->pixels.sources);
    if (job->pixels.failed)
        room += cli_text_name_bound(job->pixels.failed);
    if (job->pixels.padded)
        room += cli_text_name_bound(job->pixels.padded);
    if (job->pixels.preprocessing)
        room += cli_text_name_bound(job->pixels.preprocessing);
    if (job->pixels.n)
        room +=
            job->pixels.n * (32 + cli_text_name_bound(job->inputs.names[0]));
    if (job->options->truncated)
        room += CLI_PACKED_NUMBER_BYTES * job->inputs.n;
    return room;
}

static int
open_job(cli_encode_job *job, int n_operands, char **operands)
{
    const cli_options *options = job->options;
    int failed = check_usage(options, n_operands);

    if (!failed)
        failed = cli_inputs_collect(&job->inputs, n_operands, operands,
                                    options->null_names);
    if (!failed)
        failed = cli_settings_open(&job->settings, options, true);
    if (!failed)
        failed = look_at_inputs(job);
    if (!failed)
        failed =
            cli_packed_create(&job->packed, options->output, options->force,
                              &job->inputs, metadata_room(job));
    if (!failed)
        failed = cli_engine_choose(&job->engine, job->settings.model, options,
                                   cli_device_parse(options->device));
    job->packed.dtype = job->engine.dtype;
    job->batch_patches = cli_engine_batch_patches(&job->engine, options);
    return failed;
}

static int
write_output(cli_encode_job *job)
{
    static const char *const dtypes[] = {[ORIEL_DTYPE_F32] = "F32",
                                         [ORIEL_DTYPE_BF16] = "BF16",
                                         [ORIEL_DTYPE_F16] = "F16"};
    oriel_model_info info = ORIEL_MODEL_INFO_INIT;
    char digest[33] = "";
    json_t *settings = cli_settings_describe(&job->settings);
    char *described = NULL;
    oriel_error err;
    int failed = CLI_DONE;

    described = oriel_json_text(settings, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(settings);
    if (!described)
        failed = cli_report_memory("the output's header");
    else if (oriel_model_get_info(job->settings.model, &info, &err) ||
             (job->packed.n > 0 &&
              oriel_model_digest(job->settings.model, digest, &err)))
        failed = cli_report_failure(&err, NULL);
    if (!failed) {
        bool other = job->pixels.n > 0; /* somebody else made the patches */
        oriel_writer_entry metadata[] = {
            {"format", "oriel.embeddings"},
            {"format_version", "1"},
            {"tool", "oriel " ORIEL_VERSION_STRING},
            {"model_digest", digest},
            {"device", job->engine.device.description},
            {"precision", cli_precision_name(job->engine.options.precision)},
            {"kernels",
             cli_choice_name("kernels", job->engine.options.kernels)},
            {"residual", cli_engine_residual(&job->engine)},
            {"attention",
             cli_choice_name("attention", job->engine.options.attention)},
            {"preprocessing", !other ? described
                              : job->pixels.preprocessing
                                  ? job->pixels.preprocessing
                                  : "unknown"},
        };
        cli_packed_table table = {
            .rows_name = "embeddings",
            .dtype = dtypes[job->engine.dtype],
            .columns = info.out_hidden_size,
            .with_offsets = true,
            .metadata = metadata,
            .n_metadata = sizeof(metadata) / sizeof(metadata[0]),
        };

        failed = cli_packed_finish(&job->packed, &table);
    }
    free(described);
    return failed;
}

static int
run(const cli_options *options, int n_operands, char **operands)
{
    cli_encode_job job = {.options = options};
    int failed = open_job(&job, n_operands, operands);

    if (!failed)
        failed = cli_packed_add_bad(&job.packed, &job.inputs);
    if (!failed) {
        cli_progress_begin("images",
                           job.pixels.n ? job.pixels.n : job.inputs.n);
        failed =
            job.pixels.n ? cli_encode_pixels(&job) : cli_encode_images(&job);
        cli_progress_end();
        if (!failed)
            failed = cli_report_signal();
        if (!failed) {
            failed = write_output(&job);
            if (failed == CLI_DONE || failed == CLI_INPUTS)
                cli_packed_report(&job.packed, options->output, "encoded",
                                  "tokens", failed);
        }
    }
    cli_engine_free(&job.engine);
    cli_packed_free(&job.packed);
    cli_pixel_file_close(&job.pixels);
    cli_settings_close(&job.settings);
    cli_inputs_free(&job.inputs);
    return failed;
}

const cli_command cli_cmd_encode = {
    .name = "encode",
    .usage = "IMAGE... --model DIR -o FILE",
    .summary = "photographs in, embeddings out",
    .text =
        "Decodes, resizes and encodes images (PNG, JPEG, WebP, PNM; GIF, BMP, "
        "TIFF,\n"
        "AVIF and HEIC where liboriel-formats.so is installed) and writes one\n"
        "safetensors file:\n"
        "\n"
        "  embeddings      [tokens, width], all images one after the other\n"
        "  offsets         I64 [n + 1]: image i is embeddings[offsets[i]:"
        "offsets[i+1]]\n"
        "  image_grid_thw  I64 [n, 3]\n"
        "\n"
        "Its metadata lists the images in \"sources\" and those that could "
        "not be\n"
        "read in \"failed\", both as JSON; in names a backslash is doubled "
        "and a byte\n"
        "that is not UTF-8 is written \\xNN. A file of pixel_values, as oriel\n"
        "preprocess writes it, is taken in place of images. Memory does not "
        "grow with\n"
        "the number of images; one file holds some 300,000 of them. Values "
        "that are\n"
        "infinite or NaN are counted in \"infinite_values\" and "
        "\"nan_values\".\n"
        "Pictures that --truncated pad completes are listed in \"padded\", by "
        "their\n"
        "numbers among the sources, from 0 on.\n"
        "\n"
        "Names may also come from lists: @FILE, or - for standard input, a "
        "name a\n"
        "line, in UTF-8 or UTF-16, from any system. A line that begins with # "
        "is a\n"
        "comment; a file whose name begins with # or @ is found all the same, "
        "and\n"
        "./#name and ./@name always are files. An input or a list that cannot "
        "be read\n"
        "fails alone.\n"
        "\n"
        "The checkpoint is any Qwen2.5-VL model from Hugging Face, such as\n"
        "Qwen/Qwen2.5-VL-7B-Instruct; of its files only config.json, the\n"
        "processor's configuration and the shards with vision tensors are "
        "read.\n"
        "\n"
        "Events of --json: device, progress, encoded (a batch), failed (an "
        "input),\n"
        "warning, done, error.\n",
    .examples =
        "Encode photographs.\n"
        "oriel encode *.jpg --model Qwen2.5-VL-7B-Instruct -o out.safetensors\n"
        "No weights at hand? Random ones show that everything works.\n"
        "oriel synth --config 7b model && oriel encode a.jpg --model model -o "
        "a.safetensors\n"
        "A folder of any size, from a list of names.\n"
        "find photos -name '*.jpg' -print0 | oriel encode -0 --model DIR -o "
        "out.safetensors\n"
        "Nothing but 32-bit arithmetic, result included.\n"
        "oriel encode a.jpg --model DIR --precision fp32 --dtype f32 -o "
        "a.safetensors\n"
        "At most 1280 tokens an image, made as qwen-vl-utils makes them.\n"
        "oriel encode a.jpg --model DIR --max-tokens 1280 --pipeline "
        "qwen-vl-utils -o a.safetensors\n",
    .flag = CLI_ENCODE,
    .run = run,
};
