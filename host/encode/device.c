/* SPDX-License-Identifier: Apache-2.0 */
/* device.c - choosing and describing a device */
#include "encode/device.h"

#include "base/fail.h"
#include "base/options.h"
#include "cpu/planner.h"
#include "cuda/planner.h"
#include "encode/module.h"

#include <stdio.h>
#include <string.h>

static oriel_status
get_backend(const oriel_backend **out, int32_t device,
            oriel_device_purpose purpose, oriel_error *err)
{
    if (device == ORIEL_DEVICE_CUDA && purpose != ORIEL_DEVICE_TO_RUN)
        *out = &oriel_cuda_planner;
    else if (device == ORIEL_DEVICE_CPU && purpose == ORIEL_DEVICE_TO_PLAN)
        *out = &oriel_cpu_planner;
    else
        return oriel_module_get(out, device, err);
    return ORIEL_OK;
}

static oriel_status
describe(const oriel_backend **out, int32_t device, int32_t device_index,
         oriel_device_purpose purpose, oriel_device_info *info,
         oriel_error *err)
{
    oriel_status status = get_backend(out, device, purpose, err);

    memset(info, 0, sizeof(*info));
    if (!status)
        status = (*out)->describe(device_index, info, err);
    info->device = device;
    info->device_index = device_index;
    return status;
}

oriel_status
oriel_device_choose(const oriel_backend **out, int32_t device,
                    int32_t device_index, oriel_device_purpose purpose,
                    oriel_device_info *info, oriel_error *err)
{
    oriel_error why;
    oriel_status status;

    *out = NULL;
    if (device < ORIEL_DEVICE_AUTO || device > ORIEL_DEVICE_CUDA)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "device is %d, expected ORIEL_DEVICE_AUTO, _CPU or "
                          "_CUDA",
                          device);
    if (device_index < 0)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "device_index is %d, expected 0 or more",
                          device_index);
    if (device != ORIEL_DEVICE_AUTO)
        return describe(out, device, device_index, purpose, info, err);

    status = describe(out, ORIEL_DEVICE_CUDA, device_index, ORIEL_DEVICE_TO_RUN,
                      info, &why);
    if (!status) {
        snprintf(info->reason, sizeof(info->reason), "a CUDA device is here");
        return oriel_ok(err);
    }
    if (status == ORIEL_ERR_MEMORY) { /* says nothing of a device */
        if (err)
            *err = why;
        return status;
    }
    status = describe(out, ORIEL_DEVICE_CPU, 0, purpose, info, err);
    snprintf(info->reason, sizeof(info->reason), "%.*s",
             (int)sizeof(info->reason) - 1, why.message);
    return status;
}

oriel_status
oriel_device_get_info(int32_t device, int32_t device_index,
                      oriel_device_info *info, oriel_error *err)
{
    const oriel_backend *backend;
    oriel_device_info found;
    oriel_status status = oriel_device_choose(&backend, device, device_index,
                                              ORIEL_DEVICE_TO_RUN, &found, err);

    if (status)
        return status;
    status = oriel_info_store(info, &found, sizeof(found), sizeof(found),
                              "oriel_device_info", err);
    return status ? status : oriel_ok(err);
}
