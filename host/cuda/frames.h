/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frames.h - what resample.cu reads and writes besides patches
 *
 * Plans of frames in an integer flavour have it; neighbouring items of the same
 * sizes share their coefficients.
 */
#ifndef ORIEL_CUDA_FRAMES_H
#define ORIEL_CUDA_FRAMES_H

#include "plan/plan.h"

#include "layout.h"

#include <stdbool.h>

typedef struct oriel_cuda_frames {
    int32_t *places;          /* [tokens] window_inverse; by metadata.c */
    char *axes;               /* coefficients, pair of sizes after pair */
    oriel_resample_job *jobs; /* [source frames] */
    uint8_t *sources;         /* frames of the host, tight, each at a multiple
                                 of 16 */
    uint8_t *waiting;         /* between the passes, frame after frame */
} oriel_cuda_frames;

/* ---- frame_bytes.c: without a device ------------------------------------ */

/* Whether an item has the sizes of the one before it. */
bool oriel_cuda_sizes_repeat(const oriel_plan *plan, int64_t item);
int64_t oriel_cuda_frames_of(const oriel_plan *plan, int64_t item);
/* Bytes of one axis' coefficients; none when it keeps its size. */
size_t oriel_cuda_axis_bytes(int32_t source, int32_t size);
/* A job of this item, as far as sizes tell; the most that it leaves waiting. */
size_t oriel_cuda_measure_job(oriel_resample_job *job, const oriel_plan *plan,
                              int64_t item);

/* Bytes of a frame among 'sources'. */
size_t oriel_cuda_source_bytes(const oriel_item *item);

/* Whether the GPU resamples what this plan is made of. */
bool oriel_cuda_resamples(const oriel_plan *plan);

/* Of those whose sizes are sums over frames; SIZE_MAX: it overflows. */
typedef struct oriel_cuda_frame_bytes {
    size_t axes, sources, waiting;
} oriel_cuda_frame_bytes;

/* None unless the GPU resamples. */
oriel_cuda_frame_bytes oriel_cuda_measure_frames(const oriel_plan *plan);

#endif /* ORIEL_CUDA_FRAMES_H */
