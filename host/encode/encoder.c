/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encoder.c - a model on a device, and the order of its eight steps
 *
 *   PATCHIFY  resize, normalise, cut; rows in window order
 *   EMBED     patch rows x W
 *   per block ATTN_IN   norm1, qkv + bias, rope
 *             ATTEND    windows, or frames in the full-attention blocks
 *             ATTN_OUT  proj + bias + residual
 *             MLP_IN    norm2, gate and up + bias, SiLU x mul
 *             MLP_OUT   down + bias + residual
 *   MERGE     norm, fc1, erf-GELU, fc2; rows back in image order
 *
 * Blocks run up to the next result that is due, then that result is stored.
 * The order of a block's five steps is backend.h's; what a step is made of is
 * the backend's.
 */
#include "encode/encoder.h"

#include "base/checked.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/process.h"
#include "base/processor.h"
#include "encode/device.h"
#include "encode/handle.h"
#include "encode/job.h"
#include "encode/results.h"

#include <stdio.h>

/* Options brought to our size, with the device and precision they lead to. */
typedef struct choice {
    oriel_encoder_options options;
    const oriel_backend *backend;
    oriel_device_info device;
    oriel_backend_config config; /* its hooks are still to be set */
} choice;

static oriel_status
resolve_precision(int32_t asked, const oriel_device_info *device,
                  int32_t *precision, oriel_error *err)
{
    if (asked < ORIEL_PRECISION_AUTO || asked > ORIEL_PRECISION_FP32)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "precision is %d, expected ORIEL_PRECISION_AUTO, "
                          "_BF16 or _FP32",
                          asked);
    *precision = asked == ORIEL_PRECISION_AUTO ? device->precision : asked;
    return ORIEL_OK;
}

static oriel_status
check_choices(const oriel_encoder_options *opt, oriel_error *err)
{
    if (opt->kernels < ORIEL_KERNELS_AUTO ||
        opt->kernels > ORIEL_KERNELS_HOPPER)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "kernels is %d, expected ORIEL_KERNELS_AUTO, _OWN, "
                          "_CUBLASLT or _HOPPER",
                          opt->kernels);
    if (opt->graphs < ORIEL_GRAPHS_AUTO || opt->graphs > ORIEL_GRAPHS_OFF)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "graphs is %d, expected ORIEL_GRAPHS_AUTO or _OFF",
                          opt->graphs);
    if (opt->checks < ORIEL_CHECKS_OFF || opt->checks > ORIEL_CHECKS_ON)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "checks is %d, expected ORIEL_CHECKS_OFF or _ON",
                          opt->checks);
    if (opt->residual < ORIEL_RESIDUAL_BF16 ||
        opt->residual > ORIEL_RESIDUAL_WIDE)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "residual is %d, expected ORIEL_RESIDUAL_BF16 or "
                          "_WIDE",
                          opt->residual);
    if (opt->attention < ORIEL_ATTENTION_OWN ||
        opt->attention > ORIEL_ATTENTION_CUDNN)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "attention is %d, expected ORIEL_ATTENTION_OWN or "
                          "_CUDNN",
                          opt->attention);
    if (opt->grow != 0 && opt->grow != 1)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "grow is %d, expected 0 or 1", opt->grow);
    if (opt->profile != 0 && opt->profile != 1)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "profile is %d, expected 0 or 1", opt->profile);
    return ORIEL_OK;
}

enum { THREADS_MAX = 4096 };

static oriel_status
choose(choice *out, const oriel_encoder_options *options,
       oriel_device_purpose purpose, oriel_error *err)
{
    oriel_encoder_options *opt = &out->options;
    oriel_status status = oriel_options_load(
        opt, sizeof(*opt), sizeof(*opt), options, "oriel_encoder_options", err);

    if (!status && (opt->threads < 0 || opt->threads > THREADS_MAX))
        status = oriel_fail(err, ORIEL_ERR_ARGUMENT,
                            "threads is %d, expected 0 to %d", opt->threads,
                            THREADS_MAX);
    if (!status)
        status = check_choices(opt, err);
    if (!status)
        status =
            oriel_device_choose(&out->backend, opt->device, opt->device_index,
                                purpose, &out->device, err);
    if (!status)
        status = resolve_precision(opt->precision, &out->device,
                                   &out->config.precision, err);
    if (!status && opt->attention == ORIEL_ATTENTION_CUDNN &&
        out->device.device != ORIEL_DEVICE_CUDA)
        status = oriel_fail(err, ORIEL_ERR_UNSUPPORTED,
                            "attention is ORIEL_ATTENTION_CUDNN, which runs on "
                            "CUDA alone: expected ORIEL_ATTENTION_OWN on the "
                            "CPU");
    if (status)
        return status;
    out->config.device_index = out->device.device_index;
    out->config.threads = opt->threads ? opt->threads : out->device.threads;
    if (out->config.threads < 1)
        out->config.threads = 1;
    out->config.kernels = opt->kernels;
    out->config.graphs = opt->graphs;
    out->config.checks = opt->checks;
    out->config.grow = opt->grow;
    out->config.residual = opt->residual;
    out->config.attention = opt->attention;
    out->config.profile = opt->profile;
    return ORIEL_OK;
}

oriel_status
oriel_plan_workspace_bytes(const oriel_plan *plan,
                           const oriel_encoder_options *options, size_t *bytes,
                           oriel_error *err)
{
    choice chosen = {0};
    oriel_status status;

    if (!plan || !bytes)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT, "%s is NULL",
                          plan ? "bytes" : "plan");
    *bytes = 0;
    status = choose(&chosen, options, ORIEL_DEVICE_TO_PLAN, err);
    if (status)
        return status;
    chosen.config.hooks = &plan->hooks;
    chosen.config.call = &plan->hooks;
    status = chosen.backend->workspace_bytes(plan, &chosen.config, bytes, err);
    /* A caller's own memory may start anywhere. */
    if (!status && !oriel_add_size(bytes, *bytes, ORIEL_WORKSPACE_ALIGNMENT))
        status = oriel_fail(err, ORIEL_ERR_CAPACITY,
                            "the plan's workspace exceeds the address space");
    return status ? status : oriel_ok(err);
}

oriel_status
oriel_model_device_bytes(const oriel_model *model,
                         const oriel_encoder_options *options, uint64_t *bytes,
                         oriel_error *err)
{
    choice chosen = {0};
    oriel_hooks hooks;
    const oriel_network *network;
    oriel_status status;

    if (!model || !bytes)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT, "%s is NULL",
                          model ? "bytes" : "model");
    *bytes = 0;
    status = choose(&chosen, options, ORIEL_DEVICE_TO_MEASURE, err);
    if (!status)
        status = oriel_hooks_load(&hooks, chosen.options.hooks, err);
    if (status)
        return status;
    chosen.config.hooks = chosen.config.call = &hooks;
    network = oriel_model_network(model);
    status = chosen.backend->check(network, chosen.config.precision, err);
    if (!status)
        status =
            chosen.backend->model_bytes(network, &chosen.config, bytes, err);
    return status ? status : oriel_ok(err);
}

/* ---- Create and destroy ------------------------------------------------ */

static oriel_status
build(oriel_encoder *encoder, size_t workspace_bytes, oriel_error *err)
{
    const oriel_backend *backend = encoder->backend;
    oriel_backend_config *config = &encoder->config;
    oriel_status status;

    status = backend->check(oriel_model_network(encoder->model),
                            config->precision, err);
    if (!status)
        status = oriel_shared_acquire(&encoder->weights, encoder->model,
                                      backend, config, err);
    if (!status)
        status = backend->create_context(
            &encoder->context, oriel_shared_get(encoder->weights), config, err);
    if (!status && workspace_bytes > 0) {
        status = backend->alloc_workspace(&encoder->workspace, workspace_bytes,
                                          config, err);
        encoder->workspace_bytes = workspace_bytes;
    }
    return status;
}

oriel_status
oriel_encoder_create_on(oriel_encoder **out, const oriel_model *model,
                        const oriel_backend *backend, int32_t device,
                        const oriel_backend_config *config,
                        const oriel_hooks *hooks, size_t workspace_bytes,
                        oriel_error *err)
{
    oriel_encoder *encoder;
    oriel_status status;

    *out = NULL;
    if (config->grow && device == ORIEL_DEVICE_CUDA)
        return oriel_fail(err, ORIEL_ERR_UNSUPPORTED,
                          "grow is 1, but on CUDA a call does not allocate: "
                          "expected 0, and oriel_encoder_reserve");
    encoder = oriel_calloc(hooks, 1, sizeof(*encoder));
    if (!encoder)
        return oriel_fail_memory(err, sizeof(*encoder), "an encoder");
    encoder->hooks = *hooks;
    encoder->model = model;
    encoder->backend = backend;
    encoder->device = device;
    encoder->process = oriel_process_id();
    encoder->config = *config;
    encoder->config.hooks = &encoder->hooks;
    encoder->config.call = &encoder->hooks;
    oriel_model_retain(model);
    status = build(encoder, workspace_bytes, err);
    if (status) {
        oriel_encoder_destroy(encoder);
        return status;
    }
    *out = encoder;
    return ORIEL_OK;
}

/* Which device was taken, for those who log; and why, if we chose it. */
static void
log_choice(const oriel_hooks *hooks, const choice *chosen)
{
    char line[512];

    snprintf(line, sizeof(line), "device: %s%s%s", chosen->device.description,
             chosen->device.reason[0] ? ": " : "", chosen->device.reason);
    oriel_log(hooks, ORIEL_LOG_INFO, line);
}

oriel_status
oriel_encoder_create(oriel_encoder **out, const oriel_model *model,
                     const oriel_encoder_options *options, oriel_error *err)
{
    choice chosen = {0};
    oriel_hooks hooks;
    oriel_status status;

    if (!out)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT, "out is NULL");
    *out = NULL;
    if (!model || !oriel_model_has_weights(model))
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "model is %s, expected one that was opened",
                          model ? "a preset, without weights" : "NULL");
    status = oriel_model_check_process(model, err);
    if (!status)
        status = choose(&chosen, options, ORIEL_DEVICE_TO_RUN, err);
    if (!status)
        status = oriel_hooks_load(&hooks, chosen.options.hooks, err);
    if (status)
        return status;
    log_choice(&hooks, &chosen);
    status = oriel_encoder_create_on(
        out, model, chosen.backend, chosen.device.device, &chosen.config,
        &hooks, chosen.options.workspace_bytes, err);
    return status ? status : oriel_ok(err);
}

void
oriel_encoder_destroy(oriel_encoder *encoder)
{
    if (!encoder)
        return;
    oriel_hooks hooks = encoder->hooks;

    if (encoder->context)
        encoder->backend->destroy_context(encoder->context);
    if (encoder->workspace)
        encoder->backend->free_workspace(encoder->workspace, &encoder->config);
    oriel_shared_release(encoder->weights);
    oriel_model_release(encoder->model);
    oriel_free(&hooks, encoder);
}

oriel_status
oriel_encoder_get_info(const oriel_encoder *encoder, oriel_encoder_info *info,
                       oriel_error *err)
{
    oriel_encoder_info now = ORIEL_ENCODER_INFO_INIT;
    oriel_status status;

    if (!encoder)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT, "encoder is NULL");
    now.device = encoder->device;
    now.device_index = encoder->config.device_index;
    now.precision = encoder->config.precision;
    now.threads = encoder->config.threads;
    now.workspace_bytes = encoder->workspace_bytes;
    now.weight_bytes =
        encoder->backend->weight_bytes(oriel_shared_get(encoder->weights));
    now.description = encoder->backend->description(encoder->context);
    status = oriel_info_store(info, &now, sizeof(now), sizeof(now),
                              "oriel_encoder_info", err);
    return status ? status : oriel_ok(err);
}

/* ---- Encode ------------------------------------------------------------ */

/* The results that are due once 'done' blocks have run. */
static oriel_status
store_due(oriel_encoder *encoder, const oriel_backend_job *job, int32_t done,
          oriel_error *err)
{
    const oriel_network *network = oriel_model_network(encoder->model);
    const oriel_output *output = job->output;
    oriel_meter *meter = job->meter;

    for (int32_t i = 0; i < output->n_results; i++) {
        oriel_result result =
            oriel_result_resolve(&output->results[i], network);
        oriel_status status;

        if (oriel_result_due(&result, network) != done)
            continue;
        status = oriel_cancel_check(&encoder->hooks, err);
        oriel_meter_begin(meter);
        if (!status)
            status = encoder->backend->store(encoder->context, &result, err);
        if (status)
            return status;
        if (result.kind == ORIEL_RESULT_EMBEDDINGS)
            oriel_meter_end(meter, ORIEL_STEP_MERGE, meter->flops.merge);
        else
            oriel_meter_end(meter, ORIEL_STEP_STORE, 0);
    }
    return ORIEL_OK;
}

/* The next number of blocks above 'done' at which a result is due; 'done' when
   there is none, and nothing more is to be run. */
static int32_t
next_due(const oriel_encoder *encoder, const oriel_output *output, int32_t done)
{
    const oriel_network *network = oriel_model_network(encoder->model);
    int32_t next = done;

    for (int32_t i = 0; i < output->n_results; i++) {
        int32_t due = oriel_result_due(&output->results[i], network);

        if (due > done && (next == done || due < next))
            next = due;
    }
    return next;
}

/* A step before the blocks. */
static oriel_status
run_step(oriel_encoder *encoder, const oriel_backend_job *job, oriel_step step,
         oriel_status (*run)(oriel_backend_context *, oriel_error *),
         int64_t flops, oriel_error *err)
{
    oriel_status status = oriel_cancel_check(&encoder->hooks, err);

    oriel_meter_begin(job->meter);
    if (!status)
        status = run(encoder->context, err);
    if (!status)
        oriel_meter_end(job->meter, step, flops);
    return status;
}

static oriel_status
forward(oriel_encoder *encoder, const oriel_backend_job *job, oriel_error *err)
{
    const oriel_backend *backend = encoder->backend;
    int32_t done = 0, next;
    oriel_status status =
        run_step(encoder, job, ORIEL_STEP_PATCHIFY, backend->patchify, 0, err);

    if (!status)
        status = run_step(encoder, job, ORIEL_STEP_EMBED, backend->embed,
                          job->meter->flops.embed, err);
    if (!status)
        status = store_due(encoder, job, 0, err);
    while (!status && (next = next_due(encoder, job->output, done)) > done) {
        status = backend->blocks(encoder->context, done, next, err);
        done = next;
        if (!status)
            status = store_due(encoder, job, done, err);
    }
    return status;
}

static oriel_status
run(oriel_encoder *encoder, oriel_backend_job *job, oriel_error *err)
{
    const oriel_backend *backend = encoder->backend;
    oriel_meter meter;
    oriel_error ignored;
    oriel_status status, finished;

    job->meter = &meter;
    oriel_encoder_start_meter(encoder, &meter, job);
    oriel_meter_begin(&meter);
    status = backend->start(encoder->context, job, err);
    if (status)
        return status;
    oriel_meter_end(&meter, ORIEL_STEP_START, 0);
    status = forward(encoder, job, err);
    finished = backend->finish(encoder->context, status ? &ignored : err);
    status = status ? status : finished;
    if (!status)
        oriel_encoder_stop_meter(encoder, &meter);
    return status;
}

oriel_status
oriel_encode(oriel_encoder *encoder, const oriel_plan *plan,
             const oriel_input *input, const oriel_output *output,
             struct CUstream_st *stream, oriel_error *err)
{
    oriel_checked_job checked = {0};
    oriel_status status;

    status = oriel_encoder_begin_call(encoder, err);
    if (status)
        return status;
    status =
        oriel_job_check(&checked, oriel_model_network(encoder->model),
                        encoder->backend->memory, plan, input, output, err);
    if (!status)
        status = oriel_encoder_take_workspace(
            encoder, &checked.job, checked.output.workspace,
            checked.output.workspace_bytes, err);
    if (!status) {
        checked.job.stream = stream;
        status = run(encoder, &checked.job, err);
    }
    return oriel_encoder_end_call(encoder, status, err);
}
