/* SPDX-License-Identifier: Apache-2.0 */
/* extract_options.c - what the flags of oriel extract say, and run.json of it */
#include "base/fail.h"
#include "base/version.h"
#include "cli/exits.h"
#include "cli/extract_job.h"
#include "cli/read_file.h"
#include "cli/report.h"
#include "files/json_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PART_BYTES ((int64_t)1 << 30)
enum { GRID_MOST = 1024, SHARDS_MOST = 1000000 };

/* A whole number from 'low' to 'high' at '*text', which is moved after it. */
static bool
take_number(const char **text, int64_t low, int64_t high, int64_t *value)
{
    char *end;

    if (**text < '0' || **text > '9')
        return false;
    *value = strtoll(*text, &end, 10); /* too large is the largest */
    *text = end;
    return *value >= low && *value <= high;
}

static bool
parse_pool(cli_extract_options *given, const char *text)
{
    int64_t rows = 1, columns = 1;

    given->pools = text && strcmp(text, "none") != 0;
    if (given->pools && strncmp(text, "grid:", 5) == 0) {
        text += 5;
        if (!take_number(&text, 1, GRID_MOST, &rows) || *text++ != 'x' ||
            !take_number(&text, 1, GRID_MOST, &columns) || *text)
            return false;
    } else if (given->pools && strcmp(text, "mean") != 0)
        return false;
    given->pooling.rows = (int32_t)rows;
    given->pooling.columns = (int32_t)columns;
    return true;
}

static bool
parse_shard(cli_extract_options *given, const char *text)
{
    given->shard = 0;
    given->of = 1;
    if (!text)
        return true;
    return take_number(&text, 0, SHARDS_MOST, &given->shard) &&
           *text++ == '/' && take_number(&text, 1, SHARDS_MOST, &given->of) &&
           !*text && given->shard < given->of;
}

static bool
parse_most(cli_extract_options *given, const char *text)
{
    char *end;

    if (!text)
        return true;
    if (text[strlen(text) - 1] != '%')
        return take_number(&text, 1, INT64_MAX - 1, &given->most_failures) &&
               !*text;
    given->most_share = strtod(text, &end);
    return *text >= '0' && *text <= '9' && strcmp(end, "%") == 0 &&
           given->most_share > 0 && given->most_share <= 100;
}

static int
refuse(const char *flag, const char *text, const char *expected)
{
    return cli_report_error(CLI_USAGE, "--%s %s: expected %s", flag,
                            ORIEL_QUOTE(text), expected);
}

static int
check_together(const cli_extract_options *given, const cli_options *options)
{
    if (options->resume && options->retry_failed)
        return cli_report_error(
            CLI_USAGE, "--resume and --retry-failed: expected one of them");
    if (options->split && !options->dry_run)
        return cli_report_error(CLI_USAGE, "--split: expected --dry-run too");
    if (options->format != CLI_FORMAT_NPY)
        return CLI_DONE;
    if (!given->pools)
        return cli_report_error(CLI_USAGE,
                                "--format npy: images have rows of their own "
                                "number, expected --pool mean or grid:HxW");
    if (given->dtype == ORIEL_DTYPE_BF16)
        return cli_report_error(CLI_USAGE,
                                "--format npy: numpy has no bf16, expected "
                                "--dtype f32 or f16");
    return CLI_DONE;
}

static int
check_missing(const cli_options *options, int n_operands)
{
    const char *missing[4] = {NULL};
    size_t n = 0;

    if (n_operands == 0 && !options->null_names)
        missing[n++] = "inputs";
    if (!options->output && (!options->dry_run || options->split))
        missing[n++] = "-o FOLDER";
    if (!options->model)
        missing[n++] = "--model DIR";
    return cli_flags_report_missing("extract", missing);
}

int
cli_extract_parse(cli_extract_options *given, const cli_options *options,
                  int n_operands, char **operands)
{
    int failed = check_missing(options, n_operands);
    oriel_error err;

    memset(given, 0, sizeof(*given));
    for (int i = 0; !failed && i < n_operands; i++)
        if (cli_is_url(operands[i])) {
            (void)cli_fail_url(&err);
            failed = cli_report_error(CLI_USAGE, "%s: %s",
                                      ORIEL_QUOTE(operands[i]), err.message);
        }
    if (failed)
        return failed;
    if (!parse_pool(given, options->pool))
        return refuse("pool", options->pool,
                      "none, mean or grid:HxW with sides from 1 to 1024");
    if (!parse_shard(given, options->shard))
        return refuse("shard", options->shard,
                      "I/N with I from 0 to N - 1, such as 0/8");
    if (!parse_most(given, options->max_failures))
        return refuse("max-failures", options->max_failures,
                      "a number from 1 on, or a share such as 5%");
    given->dtype = options->dtype ? (int32_t)options->dtype
                   : given->pools ? ORIEL_DTYPE_F32
                                  : ORIEL_DTYPE_BF16;
    given->mode = options->resume         ? BULK_RESUME
                  : options->retry_failed ? BULK_RETRY
                                          : BULK_NEW;
    return check_together(given, options);
}

/* ---- run.json -------------------------------------------------------------- */

/* What the rows are: "embeddings", "hidden states after 4 blocks". */
static json_t *
describe_rows(const cli_extract_job *job)
{
    if (job->engine.layer == CLI_NOT_GIVEN)
        return json_string("embeddings");
    return json_sprintf("hidden states after %d blocks",
                        (int)job->engine.layer);
}

static json_t *
describe_pool(const cli_extract_job *job)
{
    const bulk_pooling *pooling = &job->given.pooling;

    if (!job->given.pools)
        return json_string("none");
    if (pooling->rows == 1 && pooling->columns == 1)
        return json_string("mean");
    return json_sprintf("grid:%dx%d", pooling->rows, pooling->columns);
}

/* The parts say everything but which job made them. */
static json_t *
make_metadata(const cli_extract_job *job, const char *digest)
{
    json_t *settings = cli_settings_describe(&job->settings);
    char *text = oriel_json_text(settings, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_t *metadata = NULL;

    if (text)
        metadata = json_pack(
            "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:s}",
            "format", "oriel.extract", "format_version", "1", "tool",
            "oriel " ORIEL_VERSION_STRING, "model_digest", digest, "device",
            job->engine.device.description, "precision",
            cli_precision_name(job->engine.options.precision), "kernels",
            cli_choice_name("kernels", job->engine.options.kernels), "residual",
            cli_engine_residual(&job->engine), "attention",
            cli_choice_name("attention", job->engine.options.attention),
            "rows_are", describe_rows(job), "pool", describe_pool(job),
            "preprocessing", text);
    json_decref(settings);
    free(text);
    return metadata;
}

static json_t *
make_run(const cli_extract_job *job, const char *digest)
{
    const cli_options *options = job->options;

    return json_pack(
        "{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, "
        "s:{s:o, s:o, s:s, s:I, s:s, s:I, s:[I, I], s:b, s:o}}",
        "format", "oriel.extract", "format_version", 1, "tool",
        "oriel " ORIEL_VERSION_STRING, "model_digest", digest, "device",
        job->engine.device.description, "precision",
        cli_precision_name(job->engine.options.precision), "kernels",
        cli_choice_name("kernels", job->engine.options.kernels), "residual",
        cli_engine_residual(&job->engine), "attention",
        cli_choice_name("attention", job->engine.options.attention), "options",
        "rows_are", describe_rows(job), "pool", describe_pool(job), "dtype",
        cli_choice_name("dtype", job->given.dtype), "columns",
        (json_int_t)job->layout.columns, "part_format",
        job->layout.npy ? "npy" : "safetensors", "shard_bytes",
        (json_int_t)job->layout.part_bytes, "shard",
        (json_int_t)job->given.shard, (json_int_t)job->given.of, "frames",
        options->frames, "preprocessing",
        cli_settings_describe(&job->settings));
}

int
cli_extract_describe(cli_extract_job *job)
{
    const cli_options *options = job->options;
    char digest[33];
    oriel_error err;

    job->layout = (bulk_layout){
        .folder = options->output,
        .dtype = job->given.dtype,
        .columns = cli_engine_columns(&job->engine),
        .npy = options->format == CLI_FORMAT_NPY,
        .part_bytes = options->shard_bytes ? options->shard_bytes : PART_BYTES,
    };
    if (oriel_model_digest(job->settings.model, digest, &err))
        return cli_report_failure(&err, NULL);
    job->metadata = make_metadata(job, digest);
    job->run = make_run(job, digest);
    job->layout.metadata = job->metadata;
    return job->metadata && job->run ? CLI_DONE : cli_report_memory("run.json");
}
