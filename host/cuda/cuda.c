/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cuda.c - the table of the cuda backend
 *
 * Plain C over the CUDA runtime; kernels are reached through kernels/ops.h
 * alone.  See context.h for the data that passes through.  Each step goes
 * between its begin and its end, where checks.c does its work.
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

/* ---- Steps --------------------------------------------------------------- */

#define STEP(name, STEP_NAME, launch) \
    static oriel_status name(oriel_backend_context *c, oriel_error *err) \
    { \
        oriel_status status = \
            oriel_cuda_begin_step(c, ORIEL_STEP_##STEP_NAME, 0, err); \
        return oriel_cuda_end_step(c, status ? status : launch(c, err), err); \
    }
#define STEP_OF_A_BLOCK(name, STEP_NAME, launch) \
    static oriel_status name(oriel_backend_context *c, int32_t block, \
                             oriel_error *err) \
    { \
        oriel_status status = \
            oriel_cuda_begin_step(c, ORIEL_STEP_##STEP_NAME, block, err); \
        return oriel_cuda_end_step(c, status ? status : launch(c, block, err), \
                                   err); \
    }
STEP(patchify, PATCHIFY, oriel_cuda_patchify)
STEP(embed, EMBED, oriel_cuda_embed)
STEP_OF_A_BLOCK(attn_in, ATTN_IN, oriel_cuda_run_attn_in)
STEP_OF_A_BLOCK(attend, ATTEND, oriel_cuda_run_attend)
STEP_OF_A_BLOCK(attn_out, ATTN_OUT, oriel_cuda_run_attn_out)
STEP_OF_A_BLOCK(mlp_in, MLP_IN, oriel_cuda_run_mlp_in)
STEP_OF_A_BLOCK(mlp_out, MLP_OUT, oriel_cuda_run_mlp_out)
STEP(merge, MERGE, oriel_cuda_run_merge)
#undef STEP_OF_A_BLOCK
#undef STEP

static oriel_status
tap(oriel_backend_context *c, const oriel_tap *to, oriel_error *err)
{
    oriel_status status =
        oriel_cuda_begin_step(c, ORIEL_STEP_TAP, to->hidden_state, err);

    return oriel_cuda_end_step(
        c, status ? status : oriel_cuda_run_tap(c, to, err), err);
}

/* ---- The table ----------------------------------------------------------- */

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
    .patchify = patchify,
    .embed = embed,
    .attn_in = attn_in,
    .attend = attend,
    .attn_out = attn_out,
    .mlp_in = mlp_in,
    .mlp_out = mlp_out,
    .merge = merge,
    .tap = tap,
    .finish = oriel_cuda_run_finish,
};

__attribute__((visibility("default"))) const oriel_backend *
oriel_backend_entry(const char *version)
{
    return strcmp(version, backend.version) == 0 ? &backend : NULL;
}
