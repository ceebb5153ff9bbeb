/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workspace.h - the scratch of one call in one piece of memory
 *
 * Each part (parts.h) lies after all those before it in the table that it ever
 * meets, so that those that never meet share a place.  Everything starts at a
 * multiple of 256 bytes; the whole is linear in patches and source pixels, but for
 * what is of a size class (parts.h).
 */
#ifndef ORIEL_CUDA_WORKSPACE_H
#define ORIEL_CUDA_WORKSPACE_H

#include "cuda/parts.h"

/*
 * Lay out from 'base' on, which is aligned to 256; with base NULL only counts
 * and 'bytes' are right.  What has no bytes is NULL.  Pure, and fails, as oriel_cuda_list_parts.
 */
oriel_status oriel_cuda_lay_out(oriel_cuda_workspace *space, void *base,
                                const oriel_plan *plan,
                                const oriel_cuda_shapes *shapes,
                                const oriel_cuda_choices *choices,
                                oriel_error *err);

/* The table's functions; context.c. */
oriel_status oriel_cuda_alloc_workspace(void **out, size_t bytes,
                                        const oriel_backend_config *config,
                                        oriel_error *err);
void oriel_cuda_free_workspace(void *workspace,
                               const oriel_backend_config *config);

#endif /* ORIEL_CUDA_WORKSPACE_H */
