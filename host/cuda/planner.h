/* SPDX-License-Identifier: Apache-2.0 */
/*
 * planner.h - what the cuda backend knows without CUDA
 *
 * Sizes of scratch and of weights follow from shapes.  liboriel.so has this part
 * itself, so that a caller can ask where there is no CUDA.
 */
#ifndef ORIEL_CUDA_PLANNER_H
#define ORIEL_CUDA_PLANNER_H

#include "encode/backend.h"

/* A backend of which only 'describe', 'check', 'model_bytes' and 'workspace_bytes'
   are set; 'describe' looks for no device and sets index and precision alone. */
extern const oriel_backend oriel_cuda_planner;

/* Its three functions that the module shares. */
oriel_status oriel_cuda_check_network(const oriel_network *network,
                                      int32_t precision, oriel_error *err);
oriel_status oriel_cuda_model_bytes(const oriel_network *network,
                                    const oriel_backend_config *config,
                                    uint64_t *bytes, oriel_error *err);
oriel_status oriel_cuda_workspace_bytes(const oriel_plan *plan,
                                        const oriel_backend_config *config,
                                        size_t *bytes, oriel_error *err);

#endif /* ORIEL_CUDA_PLANNER_H */
