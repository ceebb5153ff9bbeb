/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cuda.c - the table of the cuda backend
 *
 * Plain C over the CUDA runtime; kernels are reached through kernels/ops.h
 * alone.  See context.h for the data that passes through.
 */
#include "base/version.h"
#include "cuda/context.h"
#include "cuda/prepare.h"

#include <string.h>

/* A dtype's number is the same on both sides. */
_Static_assert((int)ORIEL_DTYPE_F32 == (int)ORIEL_CUDA_F32 &&
                   (int)ORIEL_DTYPE_BF16 == (int)ORIEL_CUDA_BF16 &&
                   (int)ORIEL_DTYPE_F16 == (int)ORIEL_CUDA_F16,
               "dtypes of oriel.h and ops.h differ");

static const oriel_backend backend = {
    .version = ORIEL_VERSION_STRING,
    .name = "cuda",
    .memory = ORIEL_MEMORY_DEVICE,
    .describe = oriel_cuda_describe,
    .examine = oriel_cuda_examine,
    .check = oriel_cuda_check_network,
    .load_weights = oriel_cuda_load_weights,
    .weight_bytes = oriel_cuda_weight_bytes,
    .free_weights = oriel_cuda_free_weights,
    .create_context = oriel_cuda_create_context,
    .description = oriel_cuda_description,
    .destroy_context = oriel_cuda_destroy_context,
    .workspace_bytes = oriel_cuda_workspace_bytes,
    .alloc_workspace = oriel_cuda_alloc_workspace,
    .free_workspace = oriel_cuda_free_workspace,
    .start = oriel_cuda_start,
    .patchify = oriel_cuda_patchify,
    .embed = oriel_cuda_embed,
    .attn_in = oriel_cuda_run_attn_in,
    .attend = oriel_cuda_run_attend,
    .attn_out = oriel_cuda_run_attn_out,
    .mlp_in = oriel_cuda_run_mlp_in,
    .mlp_out = oriel_cuda_run_mlp_out,
    .merge = oriel_cuda_run_merge,
    .tap = oriel_cuda_run_tap,
    .finish = oriel_cuda_run_finish,
};

__attribute__((visibility("default"))) const oriel_backend *
oriel_backend_entry(const char *version)
{
    return strcmp(version, backend.version) == 0 ? &backend : NULL;
}
