/* SPDX-License-Identifier: Apache-2.0 */
/* planner.c - what the cuda backend knows without CUDA */
#include "cuda/planner.h"

#include "base/version.h"

static oriel_status
describe(int32_t device_index, oriel_device_info *info, oriel_error *err)
{
    (void)err;
    info->device_index = device_index;
    info->precision = ORIEL_PRECISION_BF16;
    return ORIEL_OK;
}

const oriel_backend oriel_cuda_planner = {
    .version = ORIEL_VERSION_STRING,
    .name = "cuda",
    .memory = ORIEL_MEMORY_DEVICE,
    .describe = describe,
    .check = oriel_cuda_check_network,
    .model_bytes = oriel_cuda_model_bytes,
    .workspace_bytes = oriel_cuda_workspace_bytes,
};
