/* SPDX-License-Identifier: Apache-2.0 */
/* planner.c - what the cpu backend knows without oneDNN */
#include "cpu/planner.h"

#include "base/fail.h"
#include "base/processor.h"
#include "base/version.h"
#include "cpu/workspace.h"

#include <stdio.h>

oriel_status
oriel_cpu_describe_processor(int32_t device_index, oriel_device_info *info,
                             oriel_error *err)
{
    oriel_isa isa = oriel_processor_isa();

    if (device_index != 0)
        return oriel_fail(err, ORIEL_ERR_DEVICE,
                          "device_index is %d, the cpu has only index 0",
                          device_index);
    info->device_index = 0;
    info->precision = isa >= ORIEL_ISA_AVX512_BF16 ? ORIEL_PRECISION_BF16
                                                   : ORIEL_PRECISION_FP32;
    info->threads = oriel_processor_cores();
    info->memory_bytes = oriel_processor_memory_bytes();
    snprintf(info->description, sizeof(info->description), "cpu %s",
             oriel_isa_name(isa));
    return ORIEL_OK;
}

oriel_status
oriel_cpu_check(const oriel_network *network, int32_t precision,
                oriel_error *err)
{
    if (precision != ORIEL_PRECISION_BF16 && precision != ORIEL_PRECISION_FP32)
        return oriel_fail(err, ORIEL_ERR_UNSUPPORTED,
                          "precision is %d, the cpu backend has bf16 and fp32",
                          precision);
    return oriel_cpu_shapes_check(network, err);
}

const oriel_backend oriel_cpu_planner = {
    .version = ORIEL_VERSION_STRING,
    .name = "cpu",
    .memory = ORIEL_MEMORY_HOST,
    .describe = oriel_cpu_describe_processor,
    .check = oriel_cpu_check,
    .workspace_bytes = oriel_cpu_workspace_bytes,
};
