/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_plan.c - oriel plan: what pictures would cost, from their sizes */
#include "base/checked.h"
#include "base/fail.h"
#include "cli/command.h"
#include "cli/exits.h"
#include "cli/inputs.h"
#include "cli/limits.h"
#include "cli/output.h"
#include "cli/photo.h"
#include "cli/plan_picture.h"
#include "cli/report.h"
#include "cli/settings.h"
#include "cli/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct planned {
    oriel_item item;
    int64_t grid[3];
    int64_t patches, tokens, flops;
    int32_t n_windows, n_frames;
    size_t workspace;
} planned;

typedef struct plan_job {
    const cli_options *options;
    cli_settings settings;
    cli_inputs inputs;
    oriel_encoder_options encoder;
    oriel_model_info model;
    json_t *items, *failed;
    planned total; /* sums; workspace: the largest */
    size_t n_good, n_failed;
} plan_job;

/* Whether 'text' is a size, "1280x960" or "1280x960x8" (frames). */
static bool
parse_size(const char *text, int64_t value[3])
{
    int n = 0;

    value[2] = 1;
    for (const char *p = text; n < 3; n++) {
        size_t digits = strspn(p, "0123456789");

        if (digits < 1 || digits > 18)
            return false;
        value[n] = strtoll(p, NULL, 10);
        p += digits;
        if (!*p)
            break;
        if (*p++ != 'x')
            return false;
    }
    return n == 1 || n == 2;
}

/* What the input is, before resizing. */
static oriel_status
look(const plan_job *job, const char *name, oriel_item *item, oriel_error *err)
{
    oriel_image_info image = ORIEL_IMAGE_INFO_INIT;
    int64_t value[3];
    oriel_status status;

    if (parse_size(name, value)) {
        if (value[0] > INT32_MAX || value[1] > INT32_MAX ||
            value[2] > INT32_MAX || value[2] < 1)
            return oriel_fail(err, ORIEL_ERR_INPUT,
                              "expected sides up to %d and at least one frame",
                              INT32_MAX);
        item->width = (int32_t)value[0];
        item->height = (int32_t)value[1];
        item->frames = (int32_t)value[2];
        return ORIEL_OK;
    }
    status = cli_photo_probe(name, &job->settings, &image, err);
    item->width = image.width;
    item->height = image.height;
    item->frames = 1;
    return status;
}

static oriel_status
measure(plan_job *job, const char *name, planned *out, oriel_error *err)
{
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    oriel_plan *plan = NULL;
    oriel_status status;

    memset(out, 0, sizeof(*out));
    status = look(job, name, &out->item, err);
    if (!status)
        status = oriel_plan_create(&plan, job->settings.model, &out->item, 1,
                                   &job->settings.plan, err);
    if (!status)
        status = oriel_plan_get_info(plan, &info, err);
    if (!status) {
        memcpy(out->grid, info.grid_thw, sizeof(out->grid));
        out->patches = info.patches;
        out->tokens = info.tokens;
        out->flops = info.flops;
        out->n_windows = info.n_windows;
        out->n_frames = info.n_frames;
        status = oriel_plan_workspace_bytes(plan, &job->encoder,
                                            &out->workspace, err);
    }
    oriel_plan_destroy(plan);
    return status;
}

static json_t *
item_json(const plan_job *job, const char *name, const planned *p)
{
    int64_t width = p->grid[2] * job->model.patch_size;
    int64_t height = p->grid[1] * job->model.patch_size;

    return json_pack(
        "{s:o, s:i, s:i, s:i, s:I, s:I, s:[I,I,I], s:I, s:I, s:i, s:i, s:I, "
        "s:I}",
        "source", cli_text_name(name), "width", p->item.width, "height",
        p->item.height, "frames", p->item.frames, "resized_width",
        (json_int_t)width, "resized_height", (json_int_t)height, "grid_thw",
        (json_int_t)p->grid[0], (json_int_t)p->grid[1], (json_int_t)p->grid[2],
        "patches", (json_int_t)p->patches, "tokens", (json_int_t)p->tokens,
        "windows", p->n_windows, "full_segments", p->n_frames, "flops",
        (json_int_t)p->flops, "workspace_bytes", (json_int_t)p->workspace);
}

/* Names come last: they are as long as they like. */
static void
print_head(void)
{
    printf("%13s %11s %14s %8s %7s %8s %12s %10s  %s\n", "size", "resized",
           "grid t,h,w", "patches", "tokens", "windows", "work", "scratch",
           "input");
}

static void
print_row(const plan_job *job, const char *name, const planned *p)
{
    char size[40], resized[40], grid[64];

    snprintf(size, sizeof(size), "%dx%d", p->item.width, p->item.height);
    snprintf(resized, sizeof(resized), "%" PRId64 "x%" PRId64,
             p->grid[2] * job->model.patch_size,
             p->grid[1] * job->model.patch_size);
    snprintf(grid, sizeof(grid), "%" PRId64 ",%" PRId64 ",%" PRId64, p->grid[0],
             p->grid[1], p->grid[2]);
    printf("%13s %11s %14s %8" PRId64 " %7" PRId64 " %8d %12s %10s  %s\n", size,
           resized, grid, p->patches, p->tokens, p->n_windows,
           cli_text_flops((double)p->flops).text,
           cli_text_bytes(p->workspace).text, ORIEL_QUOTE(name));
}

static void
add_total(plan_job *job, const planned *p)
{
    planned *total = &job->total;

    total->patches += p->patches;
    total->tokens += p->tokens;
    if (!oriel_add_i64(&total->flops, total->flops, p->flops))
        total->flops = INT64_MAX;
    if (p->workspace > total->workspace)
        total->workspace = p->workspace;
    job->n_good++;
}

static int
list_failed(plan_job *job, const char *name, const oriel_error *err)
{
    job->n_failed++;
    cli_report_input(name, err->message);
    if (job->options->json &&
        json_array_append_new(job->failed, json_pack("{s:o, s:s}", "source",
                                                     cli_text_name(name),
                                                     "error", err->message)))
        return cli_report_memory("the list of failures");
    return CLI_DONE;
}

static int
plan_one(plan_job *job, const char *name)
{
    planned p;
    oriel_error err;
    oriel_status status = measure(job, name, &p, &err);
    bool json = job->options->json;

    /* Limits that cross for a video, where they do not for an image. */
    if (status == ORIEL_ERR_ARGUMENT)
        return cli_report_error(CLI_USAGE, "%s", err.message);
    if (status == ORIEL_ERR_MEMORY || status == ORIEL_ERR_IO ||
        status == ORIEL_ERR_CANCELLED || status == ORIEL_ERR_INTERNAL)
        return cli_report_failure(&err, name);
    if (status)
        return list_failed(job, name, &err);
    add_total(job, &p);
    if (json && json_array_append_new(job->items, item_json(job, name, &p)))
        return cli_report_memory("the list of items");
    if (!json && job->n_good == 1)
        print_head();
    if (!json)
        print_row(job, name, &p);
    return CLI_DONE;
}

static void
print_total(const plan_job *job)
{
    const planned *total = &job->total;
    int64_t width = job->model.out_hidden_size;

    if (job->n_good == 0)
        return;
    printf("\n%zu inputs: %" PRId64 " patches, %" PRId64 " tokens, %s; "
           "embeddings [%" PRId64 ", %" PRId64 "], %s in bf16; scratch of the "
           "largest alone %s\n",
           job->n_good, total->patches, total->tokens,
           cli_text_flops((double)total->flops).text, total->tokens, width,
           cli_text_bytes((uint64_t)(total->tokens * width * 2)).text,
           cli_text_bytes(total->workspace).text);
}

static int
print_document(plan_job *job)
{
    const planned *total = &job->total;
    int64_t embedding = total->tokens * job->model.out_hidden_size * 2;

    return cli_report_document(json_pack(
        "{s:O, s:O, s:{s:I, s:I, s:I, s:I, s:i, s:I, s:I}, s:o}", "items",
        job->items, "failed", job->failed, "total", "inputs",
        (json_int_t)job->n_good, "patches", (json_int_t)total->patches,
        "tokens", (json_int_t)total->tokens, "flops", (json_int_t)total->flops,
        "out_hidden_size", job->model.out_hidden_size, "embedding_bytes_bf16",
        (json_int_t)embedding, "largest_workspace_bytes",
        (json_int_t)total->workspace, "preprocessing",
        cli_settings_describe(&job->settings)));
}

/* The device of --device, default auto.  The CPU is not asked what it is: that
   would load what multiplies there. */
static int
choose_device(plan_job *job)
{
    oriel_device_info device = ORIEL_DEVICE_INFO_INIT;
    oriel_encoder_options *encoder = &job->encoder;
    const cli_device given = cli_device_parse(job->options->device);
    oriel_error err;
    oriel_status status;

    *encoder = (oriel_encoder_options)ORIEL_ENCODER_OPTIONS_INIT;
    encoder->device = given.device;
    encoder->device_index = given.index;
    encoder->precision = (int32_t)job->options->precision;
    encoder->kernels = (int32_t)job->options->kernels;
    encoder->residual = (int32_t)job->options->residual;
    encoder->attention = (int32_t)job->options->attention;
    encoder->threads = job->options->threads ? (int32_t)job->options->threads
                                             : cli_limits_read().threads;
    if (encoder->device == ORIEL_DEVICE_CPU)
        return CLI_DONE;
    status = oriel_device_get_info(ORIEL_DEVICE_CUDA, encoder->device_index,
                                   &device, &err);
    if (status == ORIEL_ERR_MEMORY ||
        (status && encoder->device == ORIEL_DEVICE_CUDA))
        return cli_report_failure(&err, NULL);
    encoder->device = status ? ORIEL_DEVICE_CPU : ORIEL_DEVICE_CUDA;
    return CLI_DONE;
}

/* A picture is of one file: a size has no pixels. */
static int
check_picture(const plan_job *job)
{
    const char *path = job->options->picture;
    int64_t value[3];
    int failed;

    if (!path)
        return CLI_DONE;
    if (job->inputs.n != 1 || parse_size(job->inputs.names[0], value))
        return cli_report_error(CLI_USAGE,
                                "--picture %s: expected one image file to draw",
                                ORIEL_QUOTE(path));
    failed = cli_output_check_name("--picture", path, "png");
    return failed ? failed : cli_output_check_not(path, job->inputs.names[0]);
}

static int
open_job(plan_job *job, int n_operands, char **operands)
{
    oriel_model_info model = ORIEL_MODEL_INFO_INIT;
    oriel_error err;
    int failed = cli_inputs_collect(&job->inputs, n_operands, operands,
                                    job->options->null_names);

    if (!failed && job->inputs.n == 0)
        failed = cli_report_error(CLI_USAGE,
                                  "plan needs images or sizes such as 1280x960 "
                                  "(oriel plan --help shows how)");
    if (!failed)
        failed = check_picture(job);
    if (!failed)
        failed = cli_settings_open(&job->settings, job->options, false);
    if (!failed && oriel_model_get_info(job->settings.model, &model, &err))
        failed = cli_report_failure(&err, NULL);
    job->model = model;
    if (!failed)
        failed = choose_device(job);
    job->items = json_array();
    job->failed = json_array();
    if (!failed && (!job->items || !job->failed))
        failed = cli_report_memory("the plan");
    return failed;
}

static int
run(const cli_options *options, int n_operands, char **operands)
{
    plan_job job = {.options = options};
    int failed = open_job(&job, n_operands, operands);

    for (size_t i = 0; !failed && i < job.inputs.n_bad; i++)
        failed =
            list_failed(&job, job.inputs.bad[i].name, &job.inputs.bad[i].err);
    for (size_t i = 0; !failed && i < job.inputs.n; i++)
        failed = plan_one(&job, job.inputs.names[i]);
    if (!failed && options->json)
        failed = print_document(&job);
    else if (!failed)
        print_total(&job);
    if (!failed && job.n_failed > 0)
        failed = CLI_INPUTS;
    if (!failed && options->picture)
        failed = cli_plan_picture(job.inputs.names[0], &job.settings,
                                  options->picture, options->force);
    json_decref(job.items);
    json_decref(job.failed);
    cli_settings_close(&job.settings);
    cli_inputs_free(&job.inputs);
    return failed;
}

const cli_command cli_cmd_plan = {
    .name = "plan",
    .usage = "IMAGE|WIDTHxHEIGHT[xFRAMES]...",
    .summary = "sizes, tokens, memory and work of pictures, without a model",
    .text =
        "Shows for each picture the size it is resized to, its grid in "
        "patches,\n"
        "tokens (rows of the result), attention windows, floating point "
        "operations\n"
        "and the scratch memory that encoding it alone takes. Files are not\n"
        "decoded; a size stands for a picture, or for a video with so many\n"
        "frames. A file whose name looks like a size is written ./640x480.\n"
        "\n"
        "With --picture one file is drawn as the encoder sees it: resized, "
        "with "
        "the\n"
        "grid of patches (thin lines), that of tokens, and the attention "
        "windows in\n"
        "colours, numbered in the order in which they are computed; windows "
        "that the\n"
        "right or lower edge cuts are hatched.\n",
    .examples = "A photograph and a size.\n"
                "oriel plan photo.jpg 1280x960\n"
                "What does the encoder see of it?\n"
                "oriel plan photo.jpg --picture seen.png\n"
                "What does a limit do?\n"
                "oriel plan 4000x3000 --max-tokens 1280\n"
                "Tokens of every picture of a folder, for a program.\n"
                "oriel plan *.jpg --json | jq '.items[].tokens'\n"
                "Sixteen frames for the 72B model.\n"
                "oriel plan 1280x720x16 --model 72b\n",
    .flag = CLI_PLAN,
    .run = run,
};
