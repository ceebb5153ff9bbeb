/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - from flags to the library's options */
#include "cli/settings.h"

#include "base/checked.h"
#include "base/fail.h"
#include "cli/exits.h"
#include "cli/hub.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/signals.h"
#include "model/published.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

static int32_t
cancel(void *user)
{
    (void)user;
    return cli_signal_caught();
}

static void
tell_progress(void *user, int32_t what, int64_t done, int64_t of)
{
    (void)user;
    if (what == ORIEL_PROGRESS_ENCODING)
        cli_progress_work(done, of);
    else
        cli_progress_tick();
}

/* A warning that an output is written, but perhaps not durable. */
static void
warn(void *user, int32_t level, const char *line)
{
    (void)user;
    if (level == ORIEL_LOG_WARNING)
        cli_report_warning("%s", line);
}

const oriel_hooks cli_output_hooks = {
    .struct_size = sizeof(oriel_hooks),
    .log = warn,
    .cancel = cancel,
};

const oriel_hooks cli_hooks = {
    .struct_size = sizeof(oriel_hooks),
    .cancel = cancel,
    .progress = tell_progress,
};

static void
show_note(void *user, int32_t level, const char *line)
{
    (void)user;
    if (level == ORIEL_LOG_WARNING)
        cli_report_note("note: %s", line);
}

const oriel_hooks cli_model_hooks = {
    .struct_size = sizeof(oriel_hooks),
    .log = show_note,
    .cancel = cancel,
    .progress = tell_progress,
};

const char *
cli_choice_name(const char *flag, int32_t value)
{
    for (const cli_flag *f = cli_flags; f->name; f++)
        if (f->choices && strcmp(f->name, flag) == 0)
            for (const cli_choice *c = f->choices; c->name; c++)
                if (c->value == value)
                    return c->name;
    return "unknown";
}

/* ---- How pictures become patches --------------------------------------- */

/*
 * What each pipeline does to a file; tests/cli/pipelines holds what the
 * software itself makes of a mixed folder, and of which version.
 */
static const struct pipeline {
    int32_t resample, sizing, alpha;
    bool apply_exif;
} pipelines[] = {
    [0] = {ORIEL_RESAMPLE_TORCHVISION, ORIEL_SIZING_TRANSFORMERS,
           ORIEL_ALPHA_WHITE, true},
    [CLI_PIPELINE_TRANSFORMERS] = {ORIEL_RESAMPLE_TORCHVISION,
                                   ORIEL_SIZING_TRANSFORMERS, ORIEL_ALPHA_WHITE,
                                   true},
    [CLI_PIPELINE_TRANSFORMERS_PIL] = {ORIEL_RESAMPLE_PILLOW,
                                       ORIEL_SIZING_TRANSFORMERS,
                                       ORIEL_ALPHA_WHITE, true},
    [CLI_PIPELINE_QWEN_VL_UTILS] = {ORIEL_RESAMPLE_PILLOW,
                                    ORIEL_SIZING_QWEN_VL_UTILS,
                                    ORIEL_ALPHA_QWEN_VL_UTILS, false},
    [CLI_PIPELINE_VLLM] = {ORIEL_RESAMPLE_TORCHVISION,
                           ORIEL_SIZING_TRANSFORMERS, ORIEL_ALPHA_WHITE, true},
    [CLI_PIPELINE_SGLANG] = {ORIEL_RESAMPLE_TORCHVISION,
                             ORIEL_SIZING_TRANSFORMERS, ORIEL_ALPHA_DROP,
                             false},
};

static int32_t
chosen(int64_t given, int32_t of_pipeline)
{
    return given == CLI_NOT_GIVEN ? of_pipeline : (int32_t)given;
}

static int
take_flags(cli_settings *settings, const cli_options *options)
{
    const struct pipeline *pipeline = &pipelines[options->pipeline];
    oriel_plan_options plan = ORIEL_PLAN_OPTIONS_INIT;
    oriel_image_options image = ORIEL_IMAGE_OPTIONS_INIT;

    if (options->exif && options->no_exif)
        return cli_report_error(CLI_USAGE,
                                "--exif and --no-exif: expected one of them");
    plan.resample = chosen(options->resample, pipeline->resample);
    plan.sizing = chosen(options->sizing, pipeline->sizing);
    image.alpha = chosen(options->alpha, pipeline->alpha);
    settings->apply_exif =
        options->exif || (pipeline->apply_exif && !options->no_exif);
    image.ignore_orientation = !settings->apply_exif;
    image.max_pixels = options->max_source_pixels;
    image.truncated = (int32_t)options->truncated;
    image.hooks = &cli_hooks;
    settings->plan = plan;
    settings->image = image;
    return CLI_DONE;
}

/* ---- Limits ------------------------------------------------------------ */

/* One limit, given in pixels or in tokens of 'pixels_a_token'; 0: neither. */
static int
take_limit(int64_t *limit, const char *which, int64_t pixels, int64_t tokens,
           int64_t pixels_a_token)
{
    *limit = pixels;
    if (tokens == 0)
        return CLI_DONE;
    if (pixels != 0)
        return cli_report_error(
            CLI_USAGE, "--%s-pixels and --%s-tokens: expected one of them",
            which, which);
    if (!oriel_mul_i64(limit, tokens, pixels_a_token))
        return cli_report_error(CLI_USAGE,
                                "--%s-tokens %" PRId64 ": too many for tokens "
                                "of %" PRId64 " pixels",
                                which, tokens, pixels_a_token);
    return CLI_DONE;
}

static int
take_limits(cli_settings *settings, const cli_options *options)
{
    oriel_model_info info = ORIEL_MODEL_INFO_INIT;
    oriel_error err;
    int64_t side;
    int failed;

    if (oriel_model_get_info(settings->model, &info, &err))
        return cli_report_failure(&err, NULL);
    side = (int64_t)info.patch_size * info.spatial_merge_size;
    failed = take_limit(&settings->plan.min_pixels, "min", options->min_pixels,
                        options->min_tokens, side * side);
    if (!failed)
        failed =
            take_limit(&settings->plan.max_pixels, "max", options->max_pixels,
                       options->max_tokens, side * side);
    settings->plan.video_min_pixels = settings->plan.min_pixels;
    settings->plan.video_max_pixels = settings->plan.max_pixels;
    return failed;
}

/* Limits that contradict each other or the model: planning would say so. */
static int
check_limits(const cli_settings *settings)
{
    oriel_item item = {.width = 224, .height = 224};
    oriel_error err;
    oriel_status status = oriel_item_measure(settings->model, &item,
                                             &settings->plan, NULL, NULL, &err);

    /* That this picture fails is no fault of the flags. */
    if (status == ORIEL_ERR_ARGUMENT)
        return cli_report_error(CLI_USAGE, "%s", err.message);
    return CLI_DONE;
}

/* ---- The model --------------------------------------------------------- */

static bool
exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

/* "7b" of "qwen2.5-vl-7b" */
static const char *
short_name(const char *full)
{
    return strrchr(full, '-') + 1;
}

/* The library's name of the published size that a user calls "7b", or by that name
   itself; NULL for other names. */
static const char *
full_name(const char *name)
{
    static const char *const names[] = {
#define X(full, intermediate, out) full,
        ORIEL_PUBLISHED(X)
#undef X
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(name, names[i]) == 0 ||
            strcmp(name, short_name(names[i])) == 0)
            return names[i];
    return NULL;
}

oriel_model_options
cli_settings_model_options(const cli_options *options)
{
    oriel_model_options model = ORIEL_MODEL_OPTIONS_INIT;

    model.prefix = options->prefix;
    model.hooks = &cli_hooks;
    /* A file of such a name goes first. */
    if (options->config && full_name(options->config) &&
        !exists(options->config))
        model.config_preset = full_name(options->config);
    else
        model.config_path = options->config;
    return model;
}

static int
open_folder(cli_settings *settings, const char *path, const cli_options *given)
{
    oriel_model_options options = cli_settings_model_options(given);
    cli_model_path where;
    oriel_error err;
    int failed = cli_hub_find(&where, path);

    options.hooks = &cli_model_hooks;
    if (!failed &&
        oriel_model_open(&settings->opened, where.path, &options, &err))
        failed = cli_hub_report(&where, &err);
    settings->model = settings->opened;
    cli_hub_free(&where);
    return failed;
}

static int
open_model(cli_settings *settings, const cli_options *options,
           bool needs_weights)
{
    const char *name = options->model ? options->model : "7b";
    /* A folder or file of such a name goes first. */
    const char *size = options->model && exists(name) ? NULL : full_name(name);

    if (size && needs_weights)
        return cli_report_error(
            CLI_MODEL,
            "--model %s: a published size has no weights here; name a folder, "
            "or make one: oriel synth --config %s DIR",
            name, short_name(size));
    if (size && (options->config || options->prefix))
        return cli_report_error(
            CLI_USAGE, "--%s %s: a published size (--model %s) takes none",
            options->config ? "config" : "prefix",
            ORIEL_QUOTE(options->config ? options->config : options->prefix),
            name);
    if (size) {
        settings->model = oriel_model_preset(size);
        return CLI_DONE;
    }
    return open_folder(settings, name, options);
}

int
cli_settings_open(cli_settings *settings, const cli_options *options,
                  bool needs_weights)
{
    int failed;

    memset(settings, 0, sizeof(*settings));
    failed = take_flags(settings, options);
    if (!failed)
        failed = open_model(settings, options, needs_weights);
    if (!failed)
        failed = take_limits(settings, options);
    return failed ? failed : check_limits(settings);
}

void
cli_settings_close(cli_settings *settings)
{
    oriel_model_destroy(settings->opened);
    memset(settings, 0, sizeof(*settings));
}

static json_t *
three_floats(const float values[3])
{
    return json_pack("[f, f, f]", (double)values[0], (double)values[1],
                     (double)values[2]);
}

json_t *
cli_settings_describe(const cli_settings *settings)
{
    oriel_model_info info = ORIEL_MODEL_INFO_INIT;
    const oriel_plan_options *plan = &settings->plan;
    json_t *described;

    if (oriel_model_get_info(settings->model, &info, NULL))
        return NULL;
    described = json_pack(
        "{s:s, s:s, s:s, s:b, s:I, s:I, s:o, s:o}", "resample",
        cli_choice_name("resample", plan->resample), "sizing",
        cli_choice_name("sizing", plan->sizing), "alpha",
        cli_choice_name("alpha", settings->image.alpha), "exif",
        settings->apply_exif, "min_pixels",
        (json_int_t)(plan->min_pixels ? plan->min_pixels : info.min_pixels),
        "max_pixels",
        (json_int_t)(plan->max_pixels ? plan->max_pixels : info.max_pixels),
        "image_mean", three_floats(info.image_mean), "image_std",
        three_floats(info.image_std));
    if (described && settings->image.truncated)
        json_object_set_new(described, "truncated",
                            json_string(cli_choice_name(
                                "truncated", settings->image.truncated)));
    return described;
}
