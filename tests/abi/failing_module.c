/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failing_module.c - a liboriel-cuda.so whose devices fail, each its own way
 *
 *   0  computes nothing, well       1  fails in a step (ORIEL_ERR_FAULT)
 *   2  ORIEL_ERR_INTERNAL in merge  3  ORIEL_ERR_MEMORY in finish
 *   4 and on: absent
 *
 * Built with ORIEL_STALE it is of another version, and must be refused.
 */
#include "encode/backend.h"

#include <stdlib.h>
#include <string.h>

struct oriel_backend_weights {
    int32_t device_index;
};

struct oriel_backend_context {
    int32_t device_index;
};

enum { GOOD, FAULT, INTERNAL, MEMORY, N_DEVICES };

static oriel_status
fail(oriel_error *err, oriel_status status, const char *message)
{
    if (err) {
        memset(err, 0, sizeof(*err));
        err->status = status;
        err->item = -1;
        err->cause = 700;
        strcpy(err->message, message);
    }
    return status;
}

static oriel_status
describe(int32_t device_index, oriel_device_info *info, oriel_error *err)
{
    if (device_index >= N_DEVICES)
        return fail(err, ORIEL_ERR_DEVICE, "no such failing device");
    info->device_index = device_index;
    info->precision = ORIEL_PRECISION_BF16;
    strcpy(info->description, "a device that fails");
    return ORIEL_OK;
}

static oriel_status
check(const oriel_network *network, int32_t precision, oriel_error *err)
{
    (void)network;
    if (precision == ORIEL_PRECISION_FP32)
        return fail(err, ORIEL_ERR_UNSUPPORTED, "bf16 only");
    return ORIEL_OK;
}

static oriel_status
load_weights(oriel_backend_weights **out, const oriel_network *network,
             const oriel_weight_reader *reader,
             const oriel_backend_config *config, oriel_error *err)
{
    (void)network;
    (void)reader;
    (void)err;
    *out = malloc(sizeof(**out));
    (*out)->device_index = config->device_index;
    return ORIEL_OK;
}

static uint64_t
weight_bytes(const oriel_backend_weights *weights)
{
    (void)weights;
    return 1;
}

static void
free_weights(oriel_backend_weights *weights)
{
    free(weights);
}

static oriel_status
model_bytes(const oriel_network *network, const oriel_backend_config *config,
            uint64_t *bytes, oriel_error *err)
{
    (void)network;
    (void)config;
    (void)err;
    *bytes = 1;
    return ORIEL_OK;
}

static oriel_status
create_context(oriel_backend_context **out,
               const oriel_backend_weights *weights,
               const oriel_backend_config *config, oriel_error *err)
{
    (void)config;
    (void)err;
    *out = malloc(sizeof(**out));
    (*out)->device_index = weights->device_index;
    return ORIEL_OK;
}

static const char *
description(const oriel_backend_context *context)
{
    (void)context;
    return "a device that fails";
}

static void
destroy_context(oriel_backend_context *context)
{
    free(context);
}

static oriel_status
workspace_bytes(const oriel_plan *plan, const oriel_backend_config *config,
                size_t *bytes, oriel_error *err)
{
    (void)plan;
    (void)config;
    (void)err;
    *bytes = 256;
    return ORIEL_OK;
}

static oriel_status
alloc_workspace(void **out, size_t bytes, const oriel_backend_config *config,
                oriel_error *err)
{
    (void)config;
    (void)err;
    *out = aligned_alloc(256, (bytes + 255) / 256 * 256);
    return ORIEL_OK;
}

static void
free_workspace(void *workspace, const oriel_backend_config *config)
{
    (void)config;
    free(workspace);
}

static oriel_status
start(oriel_backend_context *context, const oriel_backend_job *job,
      oriel_error *err)
{
    (void)context;
    (void)job;
    (void)err;
    return ORIEL_OK;
}

static oriel_status
step(oriel_backend_context *context, oriel_error *err)
{
    (void)context;
    (void)err;
    return ORIEL_OK;
}

static oriel_status
blocks(oriel_backend_context *context, int32_t first, int32_t end,
       oriel_error *err)
{
    if (context->device_index == FAULT && first <= 1 && end > 1)
        return fail(err, ORIEL_ERR_FAULT, "the device fell off the bus");
    return ORIEL_OK;
}

static oriel_status
store(oriel_backend_context *context, const oriel_result *result,
      oriel_error *err)
{
    (void)result;
    if (context->device_index == INTERNAL)
        return fail(err, ORIEL_ERR_INTERNAL, "this cannot happen");
    return ORIEL_OK;
}

static oriel_status
finish(oriel_backend_context *context, oriel_error *err)
{
    if (context->device_index == MEMORY)
        return fail(err, ORIEL_ERR_MEMORY, "the device is full");
    return ORIEL_OK;
}

__attribute__((visibility("default"))) const oriel_backend *oriel_backend_entry(
    const char *version);

const oriel_backend *
oriel_backend_entry(const char *version)
{
    static oriel_backend backend = {
        .name = "failing",
        .memory = ORIEL_MEMORY_DEVICE,
        .describe = describe,
        .check = check,
        .load_weights = load_weights,
        .weight_bytes = weight_bytes,
        .free_weights = free_weights,
        .model_bytes = model_bytes,
        .create_context = create_context,
        .description = description,
        .destroy_context = destroy_context,
        .workspace_bytes = workspace_bytes,
        .alloc_workspace = alloc_workspace,
        .free_workspace = free_workspace,
        .start = start,
        .patchify = step,
        .embed = step,
        .blocks = blocks,
        .store = store,
        .finish = finish,
    };

#ifdef ORIEL_STALE
    (void)version;
    (void)backend;
    return NULL;
#else
    backend.version = version;
    return &backend;
#endif
}
