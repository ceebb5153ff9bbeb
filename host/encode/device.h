/* SPDX-License-Identifier: Apache-2.0 */
/* device.h - which backend an encoder gets */
#ifndef ORIEL_ENCODE_DEVICE_H
#define ORIEL_ENCODE_DEVICE_H

#include "encode/backend.h"

/* To size scratch takes no module for the CPU, nor for CUDA by its name: the
   backend then is oriel_cpu_planner or oriel_cuda_planner. */
typedef enum oriel_device_purpose {
    ORIEL_DEVICE_TO_RUN,
    ORIEL_DEVICE_TO_PLAN,   /* to size the scratch of a plan */
    ORIEL_DEVICE_TO_MEASURE /* to size weights: on the CPU oneDNN is asked */
} oriel_device_purpose;

/*
 * Resolve ORIEL_DEVICE_* and its index to a backend, and describe what was
 * chosen.  AUTO takes CUDA if there is a device, whatever the purpose, else the
 * CPU, and info->reason says why; what was named is never replaced.
 * ORIEL_ERR_ARGUMENT, _DEVICE, _MEMORY, _UNSUPPORTED
 */
oriel_status oriel_device_choose(const oriel_backend **out, int32_t device,
                                 int32_t device_index,
                                 oriel_device_purpose purpose,
                                 oriel_device_info *info, oriel_error *err);

#endif /* ORIEL_ENCODE_DEVICE_H */
