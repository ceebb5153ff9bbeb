/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpu.c - the table of the cpu backend, and what it says of its processor
 *
 * oneDNN for the products, our own code for everything between them; see
 * context.h for the data that passes through.
 */
#include "base/version.h"
#include "cpu/context.h"
#include "cpu/planner.h"

#include <stdio.h>
#include <string.h>

static oriel_status
describe(int32_t device_index, oriel_device_info *info, oriel_error *err)
{
    oriel_status status = oriel_cpu_describe_processor(device_index, info, err);

    if (!status)
        status = oriel_cpu_onednn_load(err);
    if (status)
        return status;
    snprintf(info->description, sizeof(info->description), "cpu %s, %s",
             oriel_isa_name(oriel_processor_isa()),
             oriel_cpu_onednn_description());
    return ORIEL_OK;
}

/* ---- Steps --------------------------------------------------------------- */

static const oriel_block_steps steps = {
    .attn_in = oriel_cpu_attn_in,
    .attend = oriel_cpu_attend,
    .attn_out = oriel_cpu_attn_out,
    .mlp_in = oriel_cpu_mlp_in,
    .mlp_out = oriel_cpu_mlp_out,
};

static oriel_status
blocks(oriel_backend_context *c, int32_t first, int32_t end, oriel_error *err)
{
    return oriel_run_blocks(c, &steps, c->job, &c->hooks, first, end, err);
}

static oriel_status
store(oriel_backend_context *c, const oriel_result *result, oriel_error *err)
{
    if (result->kind == ORIEL_RESULT_EMBEDDINGS)
        return oriel_cpu_merge(c, result, err);
    return oriel_cpu_hidden_state(c, result, err);
}

/* ---- The table ----------------------------------------------------------- */

static const oriel_backend backend = {
    .version = ORIEL_VERSION_STRING,
    .name = "cpu",
    .memory = ORIEL_MEMORY_HOST,
    .describe = describe,
    .check = oriel_cpu_check,
    .load_weights = oriel_cpu_load_weights,
    .weight_bytes = oriel_cpu_weight_bytes,
    .free_weights = oriel_cpu_free_weights,
    .model_bytes = oriel_cpu_model_bytes,
    .create_context = oriel_cpu_create_context,
    .description = oriel_cpu_description,
    .destroy_context = oriel_cpu_destroy_context,
    .workspace_bytes = oriel_cpu_workspace_bytes,
    .alloc_workspace = oriel_cpu_alloc_workspace,
    .free_workspace = oriel_cpu_free_workspace,
    .start = oriel_cpu_start,
    .patchify = oriel_cpu_patchify,
    .embed = oriel_cpu_embed,
    .blocks = blocks,
    .store = store,
    .finish = oriel_cpu_finish,
};

__attribute__((visibility("default"))) const oriel_backend *
oriel_backend_entry(const char *version)
{
    return strcmp(version, backend.version) == 0 ? &backend : NULL;
}
