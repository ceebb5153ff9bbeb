/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - from flags to the library's options */
#include "cli/settings.h"

#include "base/fail.h"
#include "cli/exits.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/signals.h"

#include <string.h>
#include <sys/stat.h>

static int32_t
cancel(void *user)
{
    (void)user;
    cli_progress_step();
    return cli_signal_caught();
}

const oriel_hooks cli_hooks = {
    .struct_size = sizeof(oriel_hooks),
    .cancel = cancel,
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

static bool
exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

static void
show_note(void *user, int32_t level, const char *line)
{
    (void)user;
    if (level == ORIEL_LOG_WARNING)
        cli_report_note("note: %s", line);
}

oriel_model_options
cli_settings_model_options(const cli_options *options)
{
    oriel_model_options model = ORIEL_MODEL_OPTIONS_INIT;

    model.prefix = options->prefix;
    model.hooks = &cli_hooks;
    /* A file of such a name goes first. */
    if (options->config && oriel_model_preset(options->config) &&
        !exists(options->config))
        model.config_preset = options->config;
    else
        model.config_path = options->config;
    return model;
}

static int
open_model(cli_settings *settings, const char *path, const cli_options *given)
{
    oriel_model_options options = cli_settings_model_options(given);
    oriel_hooks hooks = cli_hooks;
    oriel_error err;

    hooks.log = show_note;
    options.hooks = &hooks;
    if (oriel_model_open(&settings->opened, path, &options, &err))
        return cli_report_failure(&err, NULL);
    settings->model = settings->opened;
    return CLI_DONE;
}

/* Limits that contradict each other or the model: planning would say so. */
static int
check_limits(const cli_settings *settings)
{
    oriel_item item = {.width = 224, .height = 224};
    oriel_plan *plan;
    oriel_error err;
    oriel_status status = oriel_plan_create(&plan, settings->model, &item, 1,
                                            &settings->plan, &err);

    oriel_plan_destroy(plan);
    /* That this picture fails is no fault of the flags. */
    if (status == ORIEL_ERR_ARGUMENT)
        return cli_report_error(CLI_USAGE, "%s", err.message);
    return CLI_DONE;
}

int
cli_settings_open(cli_settings *settings, const cli_options *options,
                  bool needs_weights)
{
    oriel_plan_options plan = ORIEL_PLAN_OPTIONS_INIT;
    oriel_image_options image = ORIEL_IMAGE_OPTIONS_INIT;
    const char *name = options->model ? options->model : "7b";
    const oriel_model *preset = oriel_model_preset(name);
    int failed = CLI_DONE;

    memset(settings, 0, sizeof(*settings));
    plan.resample = (int32_t)options->resample;
    plan.sizing = (int32_t)options->sizing;
    plan.min_pixels = options->min_pixels;
    plan.max_pixels = options->max_pixels;
    image.alpha = (int32_t)options->alpha;
    image.ignore_orientation = options->no_exif;
    image.max_pixels = options->max_source_pixels;
    settings->plan = plan;
    settings->image = image;
    settings->apply_exif = !options->no_exif;

    if (preset && needs_weights && !exists(name))
        return cli_report_error(
            CLI_MODEL,
            "--model %s: a published size has no weights here; name a folder, "
            "or make one: oriel synth --config %s DIR",
            name, name);
    if (preset && (options->config || options->prefix))
        return cli_report_error(
            CLI_USAGE, "--%s %s: a published size (--model %s) takes none",
            options->config ? "config" : "prefix",
            ORIEL_QUOTE(options->config ? options->config : options->prefix),
            name);
    if (preset && !(needs_weights && exists(name)))
        settings->model = preset;
    else
        failed = open_model(settings, name, options);
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

    if (oriel_model_get_info(settings->model, &info, NULL))
        return NULL;
    return json_pack(
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
}
