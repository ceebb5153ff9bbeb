/* SPDX-License-Identifier: Apache-2.0 */
/* prepare.h - kernels made ready on a device, and which image each of them is */
#ifndef ORIEL_CUDA_PREPARE_H
#define ORIEL_CUDA_PREPARE_H

#include "oriel.h"

#include "ops.h"

#include <stdbool.h>

/*
 * On the current device: afterwards a launch neither loads nor allocates.  What
 * the driver loaded is added to 'loaded'.
 */
oriel_status oriel_cuda_prepare(oriel_cuda_loaded *loaded, int32_t head_dim,
                                oriel_error *err);

/*
 * "16 kernels: sm_90a machine code"; those that are not what a device of
 * 'capability' is to take are named after it, and then it is false.
 */
bool oriel_cuda_say_loaded(const oriel_cuda_loaded *loaded, int32_t capability,
                           char *line, size_t line_bytes);

/* The same, said to the log of 'call': as a warning where something is amiss. */
oriel_status oriel_cuda_prepare_logged(int32_t head_dim, int32_t device_index,
                                       const oriel_hooks *call,
                                       oriel_error *err);

#endif /* ORIEL_CUDA_PREPARE_H */
