/* SPDX-License-Identifier: Apache-2.0 */
/* engine.c - an encoder that is made when the first batch is there, and grows */
#include "cli/engine.h"

#include "base/checked.h"
#include "base/fail.h"
#include "cli/cuda_driver.h"
#include "cli/exits.h"
#include "cli/limits.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/settings.h"
#include "cli/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_PATCHES_CPU = 4096, BATCH_PATCHES_CUDA = 65536 };
enum { CUDNN_FRAMES = 256 }; /* as oriel.h says of ORIEL_ATTENTION_CUDNN */

const char *
cli_precision_name(int32_t precision)
{
    return precision == ORIEL_PRECISION_BF16 ? "bf16" : "fp32";
}

const char *
cli_engine_residual(const cli_engine *engine)
{
    return engine->options.device == ORIEL_DEVICE_CPU
               ? "fp32"
               : cli_choice_name("residual", engine->options.residual);
}

int
cli_engine_choose(cli_engine *engine, const oriel_model *model,
                  const cli_options *options, cli_device device)
{
    oriel_device_info found = ORIEL_DEVICE_INFO_INIT;
    oriel_encoder_options chosen = ORIEL_ENCODER_OPTIONS_INIT;
    oriel_error err;

    memset(engine, 0, sizeof(*engine));
    engine->model = model;
    engine->layer = CLI_NOT_GIVEN;
    engine->dtype = options->dtype ? (int32_t)options->dtype : ORIEL_DTYPE_BF16;
    if (oriel_device_get_info(device.device, device.index, &found, &err))
        return cli_report_failure(&err, NULL);
    chosen.device = found.device;
    chosen.device_index = found.device_index;
    chosen.precision =
        options->precision ? (int32_t)options->precision : found.precision;
    chosen.threads = options->threads ? (int32_t)options->threads
                                      : cli_limits_read().threads;
    chosen.kernels = (int32_t)options->kernels;
    chosen.residual = (int32_t)options->residual;
    chosen.attention = (int32_t)options->attention;
    chosen.graphs = (int32_t)options->graphs;
    chosen.checks = options->checks ? ORIEL_CHECKS_ON : ORIEL_CHECKS_OFF;
    chosen.grow = chosen.device == ORIEL_DEVICE_CPU;
    chosen.hooks = &cli_hooks;
    engine->device = found;
    engine->options = chosen;
    return CLI_DONE;
}

static void
report_device(const cli_engine *engine)
{
    oriel_encoder_info filled = ORIEL_ENCODER_INFO_INIT, *info = &filled;
    const char *reason = engine->device.reason;
    bool fell_back = *reason && engine->device.device == ORIEL_DEVICE_CPU;

    if (oriel_encoder_get_info(engine->encoder, info, NULL))
        return;
    /* The reason is as long as a path; events and doctor have it. */
    cli_report_note("%s, %s, %s of weights%s", info->description,
                    cli_precision_name(info->precision),
                    cli_text_bytes(info->weight_bytes).text,
                    fell_back ? "; no GPU (see oriel doctor)" : "");
    if (cli_report_json())
        cli_report_event(json_pack(
            "{s:s, s:s, s:i, s:s, s:s, s:i, s:s}", "event", "device", "device",
            info->device == ORIEL_DEVICE_CUDA ? "cuda" : "cpu", "index",
            info->device_index, "precision",
            cli_precision_name(info->precision), "description",
            info->description, "threads", info->threads, "reason", reason));
}

/* What memory suffices for depends on the input; of other failures, such as a
   checkpoint cut short, it knows nothing. */
static int
report_failure(const oriel_error *err, const char *blame)
{
    return cli_report_failure(err,
                              err->status == ORIEL_ERR_MEMORY ? blame : NULL);
}

/* Scratch on the device that suffices for this plan; the host's grows by itself. */
static int
reserve_scratch(cli_engine *engine, const oriel_plan *plan, const char *blame)
{
    size_t bytes;
    oriel_error err;

    if (engine->options.grow)
        return CLI_DONE;
    if (oriel_plan_workspace_bytes(plan, &engine->options, &bytes, &err))
        return cli_report_failure(&err, NULL);
    if (bytes <= engine->scratch_bytes)
        return CLI_DONE;
    if (engine->scratch_bytes > 0)
        bytes += bytes / 8; /* the next plan may need a little more still */
    if (oriel_encoder_reserve(engine->encoder, bytes, &err))
        return report_failure(&err, blame);
    engine->scratch_bytes = bytes;
    return CLI_DONE;
}

int
cli_engine_prepare(cli_engine *engine, const oriel_plan *plan,
                   const char *blame)
{
    bool made = engine->encoder != NULL;
    oriel_error err;
    int failed;

    if (!made && oriel_encoder_create(&engine->encoder, engine->model,
                                      &engine->options, &err))
        return report_failure(&err, blame);
    failed = reserve_scratch(engine, plan, blame);
    /* Of all that a plan may want beforehand cuDNN alone cannot do without. */
    if (!failed && engine->options.attention == ORIEL_ATTENTION_CUDNN &&
        oriel_encoder_prepare(engine->encoder, plan, &err))
        failed = report_failure(&err, blame);
    if (!failed && !made && !engine->is_second)
        report_device(engine);
    return failed;
}

int64_t
cli_engine_columns(const cli_engine *engine)
{
    oriel_model_info info = ORIEL_MODEL_INFO_INIT;

    (void)oriel_model_get_info(engine->model, &info, NULL);
    return engine->layer == CLI_NOT_GIVEN ? info.out_hidden_size
                                          : info.hidden_size;
}

size_t
cli_engine_result_bytes(const cli_engine *engine, const oriel_plan_info *info)
{
    const bool is_hidden = engine->layer != CLI_NOT_GIVEN;
    const size_t width = engine->dtype == ORIEL_DTYPE_F32 ? 4 : 2;
    size_t bytes;

    return oriel_mul_size(&bytes,
                          (size_t)(is_hidden ? info->patches : info->tokens),
                          (size_t)cli_engine_columns(engine) * width)
               ? bytes
               : SIZE_MAX;
}

static int
reserve_result(cli_engine *engine, const oriel_plan_info *info,
               const char *blame)
{
    const size_t bytes = cli_engine_result_bytes(engine, info);
    oriel_error err;

    if (bytes > engine->result_capacity) {
        free(engine->result);
        engine->result = malloc(bytes);
        engine->result_capacity = engine->result ? bytes : 0;
        if (!engine->result) {
            oriel_fail_memory(&err, bytes, "the result");
            return report_failure(&err, blame);
        }
    }
    engine->result_bytes = bytes;
    return CLI_DONE;
}

int
cli_engine_start(cli_engine *engine, const oriel_plan *plan,
                 const oriel_input *input, void *rows, size_t bytes,
                 const char *blame)
{
    oriel_output output = ORIEL_OUTPUT_INIT;
    oriel_result result = {
        .kind = ORIEL_RESULT_EMBEDDINGS,
        .dtype = engine->dtype,
        .data = rows,
        .bytes = bytes,
    };
    oriel_error err;

    if (engine->layer != CLI_NOT_GIVEN) {
        result.kind = ORIEL_RESULT_HIDDEN_STATE;
        result.index = (int32_t)engine->layer;
    }
    output.results = &result;
    output.n_results = 1;
    if (oriel_encode(engine->encoder, plan, input, &output, engine->stream,
                     &err))
        return report_failure(&err, blame);
    return CLI_DONE;
}

oriel_status
cli_engine_wait(cli_engine *engine, oriel_error *err)
{
    return engine->stream ? cli_cuda_wait(engine->stream,
                                          engine->options.device_index, err)
                          : oriel_ok(err);
}

void
cli_engine_report(const oriel_plan_info *info, double seconds)
{
    if (cli_report_json())
        cli_report_event(json_pack(
            "{s:s, s:i, s:I, s:f}", "event", "encoded", "items", info->n_items,
            "tokens", (json_int_t)info->tokens, "seconds", seconds));
}

int
cli_engine_encode(cli_engine *engine, const oriel_plan *plan,
                  const oriel_input *input, const char *blame)
{
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    oriel_error err;
    double start;
    int failed;

    if (oriel_plan_get_info(plan, &info, &err))
        return cli_report_failure(&err, NULL);
    failed = cli_engine_prepare(engine, plan, blame);
    if (!failed)
        failed = reserve_result(engine, &info, blame);
    if (failed)
        return failed;
    /* The result lies in pageable host memory: on return it is there, on every
       device. */
    start = cli_progress_seconds();
    cli_progress_expect(info.n_items, info.flops);
    failed = cli_engine_start(engine, plan, input, engine->result,
                              engine->result_bytes, blame);
    if (!failed)
        cli_engine_report(&info, cli_progress_seconds() - start);
    return failed;
}

int64_t
cli_engine_batch_patches(const cli_engine *engine, const cli_options *options)
{
    if (options->batch_patches)
        return options->batch_patches;
    return engine->device.device == ORIEL_DEVICE_CUDA ? BATCH_PATCHES_CUDA
                                                      : BATCH_PATCHES_CPU;
}

size_t
cli_engine_batch_items(const cli_engine *engine)
{
    return engine->options.attention == ORIEL_ATTENTION_CUDNN ? CUDNN_FRAMES
                                                              : SIZE_MAX;
}

void
cli_engine_free(cli_engine *engine)
{
    oriel_encoder_destroy(engine->encoder);
    cli_cuda_destroy_stream(engine->stream, engine->options.device_index);
    free(engine->result);
    memset(engine, 0, sizeof(*engine));
}
