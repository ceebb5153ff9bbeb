/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workspace.h - the scratch of one call, and what lies where in it
 *
 *   residual   fp32 [rows][hidden]        from EMBED on; before it, pixel work
 *   rope       fp32 [positions][head_dim / 4], cosines and sines, if a side is
 *              longer than tables.h provides for
 *   union      patch rows                 PATCHIFY .. EMBED
 *              q, k, v [rows][hidden]     ATTN_IN .. ATTN_OUT; the attention
 *                                         output takes q's place
 *              SwiGLU  [rows][padded I]   MLP_IN .. MLP_OUT
 *
 * Linear in patches and source pixels.  A 16,384-token image (65,536 patches)
 * of the published sizes: 336 MB of residual and 503 MB of union in bf16, twice
 * the union in fp32.
 */
#ifndef ORIEL_CPU_WORKSPACE_H
#define ORIEL_CPU_WORKSPACE_H

#include "cpu/shapes.h"
#include "encode/backend.h"
#include "pixels/pixels.h"

/* Token rows resampled and cut together: neighbouring bands resample the rows
   between them twice. */
enum { ORIEL_BAND_TOKEN_ROWS = 4 };

typedef struct oriel_cpu_item {
    oriel_resampler *resampler;
    int64_t first_band; /* of all items' bands */
    size_t at;          /* the resampler's memory */
} oriel_cpu_item;

/* Within the residual's memory, before there is a residual. */
typedef struct oriel_cpu_pixels {
    oriel_cpu_item *items; /* [n_items + 1] */
    char *resamplers;
    char *bands;         /* [threads][band_bytes] */
    size_t band_bytes;   /* frames of a band, then the resampler's scratch */
    size_t frames_bytes; /* of those frames */
    size_t frame_bytes;  /* of one of them */
} oriel_cpu_pixels;

typedef struct oriel_cpu_workspace {
    float *residual;
    float *cosine, *sine; /* [positions][head_dim / 4], or NULL */
    int32_t positions;    /* patches of the longest side */
    void *patch_rows;
    void *q, *k, *v;
    void *inner;
    oriel_cpu_pixels pixels;
    size_t bytes; /* of everything */
} oriel_cpu_workspace;

/* Patches of a plan, padded to ORIEL_ROW_STEP. */
int64_t oriel_cpu_rows(const oriel_plan *plan);
/* Rows that arrays have: the last tile may be as high as any. */
int64_t oriel_cpu_rows_held(const oriel_plan *plan);

/*
 * Lay out from 'base' on, which is aligned to 256; with base NULL only 'bytes'
 * counts.  ORIEL_ERR_CAPACITY when it overflows.
 */
oriel_status oriel_cpu_lay_out(oriel_cpu_workspace *space, char *base,
                               const oriel_plan *plan,
                               oriel_cpu_storage storage, int32_t threads,
                               oriel_error *err);

oriel_status oriel_cpu_workspace_bytes(const oriel_plan *plan,
                                       const oriel_backend_config *config,
                                       size_t *bytes, oriel_error *err);
oriel_status oriel_cpu_alloc_workspace(void **out, size_t bytes,
                                       const oriel_backend_config *config,
                                       oriel_error *err);
void oriel_cpu_free_workspace(void *workspace,
                              const oriel_backend_config *config);

#endif /* ORIEL_CPU_WORKSPACE_H */
