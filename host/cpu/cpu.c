/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpu.c - the table of the cpu backend, and what it says of its processor
 *
 * oneDNN for the products, our own code for everything between them; see
 * context.h for the data that passes through.
 */
#include "base/fail.h"
#include "base/version.h"
#include "cpu/context.h"

#include <stdio.h>
#include <string.h>

static bool
multiplies_bf16(void)
{
    return oriel_processor_isa() >= ORIEL_ISA_AVX512_BF16;
}

static oriel_status
describe(int32_t device_index, oriel_device_info *info, oriel_error *err)
{
    char library[32];

    if (device_index != 0)
        return oriel_fail(err, ORIEL_ERR_DEVICE,
                          "device_index is %d, the cpu has only index 0",
                          device_index);
    oriel_gemm_library(library, sizeof(library));
    info->device_index = 0;
    info->precision =
        multiplies_bf16() ? ORIEL_PRECISION_BF16 : ORIEL_PRECISION_FP32;
    info->threads = oriel_processor_cores();
    info->memory_bytes = oriel_processor_memory_bytes();
    snprintf(info->description, sizeof(info->description), "cpu %s, %s",
             oriel_isa_name(oriel_processor_isa()), library);
    return ORIEL_OK;
}

static oriel_status
check(const oriel_network *network, int32_t precision, oriel_error *err)
{
    if (precision != ORIEL_PRECISION_BF16 && precision != ORIEL_PRECISION_FP32)
        return oriel_fail(err, ORIEL_ERR_UNSUPPORTED,
                          "precision is %d, the cpu backend has bf16 and fp32",
                          precision);
    return oriel_shapes_check(network, err);
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
    .check = check,
    .load_weights = oriel_cpu_load_weights,
    .weight_bytes = oriel_cpu_weight_bytes,
    .free_weights = oriel_cpu_free_weights,
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
