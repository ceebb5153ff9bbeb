/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cuda.c - the table of the cuda backend
 *
 * Plain C over the CUDA runtime; kernels are reached through kernels/ops.h
 * alone.  See context.h for the data that passes through.
 *
 * To read a call from here: job.c (start, finish), metadata.c, host_pixels.c and
 * frames.c (PATCHIFY), steps.c (the launches of each step), blocks.c (a run of
 * blocks, launched or replayed), graph.c, checks.c.
 */
#include "base/version.h"
#include "cuda/context.h"

#include <string.h>

/* A dtype's number is the same on both sides. */
_Static_assert((int)ORIEL_DTYPE_F32 == (int)ORIEL_CUDA_F32 &&
                   (int)ORIEL_DTYPE_BF16 == (int)ORIEL_CUDA_BF16 &&
                   (int)ORIEL_DTYPE_F16 == (int)ORIEL_CUDA_F16 &&
                   (int)ORIEL_DTYPE_U8 == (int)ORIEL_CUDA_U8,
               "dtypes of oriel.h and ops.h differ");

/* ---- The table ----------------------------------------------------------- */

static const oriel_backend backend = {
    .version = ORIEL_VERSION_STRING,
    .name = "cuda",
    .memory = ORIEL_MEMORY_DEVICE,
    .describe = oriel_cuda_describe,
    .check = oriel_cuda_check_network,
    .load_weights = oriel_cuda_load_weights,
    .weight_bytes = oriel_cuda_weight_bytes,
    .free_weights = oriel_cuda_free_weights,
    .model_bytes = oriel_cuda_model_bytes,
    .create_context = oriel_cuda_create_context,
    .description = oriel_cuda_description,
    .destroy_context = oriel_cuda_destroy_context,
    .workspace_bytes = oriel_cuda_workspace_bytes,
    .alloc_workspace = oriel_cuda_alloc_workspace,
    .free_workspace = oriel_cuda_free_workspace,
    .settle = oriel_cuda_settle,
    .prepare = oriel_cuda_prepare_job,
    .status = oriel_cuda_status,
    .start = oriel_cuda_start,
    .patchify = oriel_cuda_patchify,
    .embed = oriel_cuda_embed,
    .blocks = oriel_cuda_blocks,
    .store = oriel_cuda_store,
    .finish = oriel_cuda_finish,
};

__attribute__((visibility("default"))) const oriel_backend *
oriel_backend_entry(const char *version)
{
    return strcmp(version, backend.version) == 0 ? &backend : NULL;
}
