/* SPDX-License-Identifier: Apache-2.0 */
/*
 * planner.h - what the cpu backend knows without oneDNN
 *
 * Sizes of scratch and what the processor is follow from shapes and cpuid.
 * liboriel.so has this part itself, so that planning for the CPU loads nothing.
 */
#ifndef ORIEL_CPU_PLANNER_H
#define ORIEL_CPU_PLANNER_H

#include "encode/backend.h"

/* A backend of which only 'describe', 'check' and 'workspace_bytes' are set. */
extern const oriel_backend oriel_cpu_planner;

/* Its two functions that the module shares. */
oriel_status oriel_cpu_describe_processor(int32_t device_index,
                                          oriel_device_info *info,
                                          oriel_error *err);
oriel_status oriel_cpu_check(const oriel_network *network, int32_t precision,
                             oriel_error *err);

#endif /* ORIEL_CPU_PLANNER_H */
