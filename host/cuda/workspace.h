/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workspace.h - the scratch of one call on the device, and what lies where
 *
 *   metadata   what the plan becomes on the device; from start to the end
 *   residual   [rows, hidden]                  from EMBED on
 *   operand    [rows, hidden]                  normalised rows, then the output
 *                                              of attention
 *   union      pixels, and frames behind them  PATCHIFY .. EMBED
 *              pixel_values                    PATCHIFY .. EMBED
 *              qkv [rows, 3 hidden]            ATTN_IN .. ATTEND
 *              inner [rows, intermediate]      MLP_IN .. MLP_OUT
 *              and, where a library makes it, gate_up
 *              [rows, 2 intermediate] behind   MLP_IN
 *              a tap on its way to the host    between blocks
 *              fc1's output, then embeddings on their way     MERGE
 *
 * bf16 but for pixels, taps and embeddings.  Everything starts at a multiple of
 * 256 bytes; the whole is linear in patches and source pixels.
 */
#ifndef ORIEL_CUDA_WORKSPACE_H
#define ORIEL_CUDA_WORKSPACE_H

#include "cuda/frames.h"
#include "cuda/records.h"
#include "cuda/shapes.h"

/* What expand_plan.cu makes of the records, and they. */
typedef struct oriel_cuda_metadata {
    int32_t *tokens;            /* [tokens] image-order place of each */
    int32_t *positions;         /* [rows, 2] */
    int32_t *cu_window;         /* [n_windows + 1] */
    int32_t *packs;             /* [n_packs, 4]: windows that fit the kernel */
    int32_t *window_tiles;      /* [n_window_tiles, 3]: windows that do not */
    int32_t *frame_tiles;       /* [n_frame_tiles, 3] */
    uint8_t *is_still;          /* [rows] frames only */
    oriel_plan_record *records; /* [n_items] */
    float
        *own_rope; /* [n_positions, head_dim / 4] where the weights' is short */
    oriel_cuda_census census;
    int32_t n_packs, n_window_tiles, n_frame_tiles, n_positions;
    /* The weights' tables, or our own; set by metadata.c. */
    const float *rope;     /* (cos, sin) [positions, head_dim / 4] */
    const uint16_t *table; /* [3, 256] what a level becomes; frames only */
} oriel_cuda_metadata;

typedef struct oriel_cuda_workspace {
    oriel_cuda_metadata metadata; /* from the first byte on */
    uint16_t *residual, *operand;
    uint8_t *pixels; /* [rows, slices, slice_bytes] */
    oriel_cuda_frames frames;
    void *pixel_values; /* [rows, patch_values] of at most 4 bytes */
    uint16_t *qkv, *inner, *gate_up;
    void *tap;        /* [rows, hidden] of at most 4 bytes */
    uint16_t *fc1;    /* [tokens, merged] */
    void *embeddings; /* [tokens, out_hidden] of at most 4 bytes */
    size_t bytes;
} oriel_cuda_workspace;

/*
 * Lay out from 'base' on, which is aligned to 256; with base NULL only counts
 * and 'bytes' are right.  A pure function of the plan and of 'kernels'
 * (ORIEL_KERNELS_*).  ORIEL_ERR_CAPACITY when it overflows, or when the grids of
 * kernels would.
 */
oriel_status oriel_cuda_lay_out(oriel_cuda_workspace *space, void *base,
                                const oriel_plan *plan,
                                const oriel_cuda_shapes *shapes,
                                int32_t kernels, oriel_error *err);

/* The table's functions. */
oriel_status oriel_cuda_workspace_bytes(const oriel_plan *plan,
                                        const oriel_backend_config *config,
                                        size_t *bytes, oriel_error *err);
oriel_status oriel_cuda_alloc_workspace(void **out, size_t bytes,
                                        const oriel_backend_config *config,
                                        oriel_error *err);
void oriel_cuda_free_workspace(void *workspace,
                               const oriel_backend_config *config);

#endif /* ORIEL_CUDA_WORKSPACE_H */
