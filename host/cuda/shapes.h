/* SPDX-License-Identifier: Apache-2.0 */
/* shapes.h - widths as the kernels want them, and which networks they take */
#ifndef ORIEL_CUDA_SHAPES_H
#define ORIEL_CUDA_SHAPES_H

#include "cuda/planner.h"

#include <stdbool.h>

/* Padding is zeros in the weights, so it changes no result. */
typedef struct oriel_cuda_shapes {
    int32_t hidden;
    int32_t merged;       /* hidden x merge^2: a token's patches side by side */
    int32_t intermediate; /* padded to a multiple of 64 */
    int32_t out_hidden;   /* padded to a multiple of 8 */
    int32_t heads, head_dim;
    int32_t merge2;       /* patches a token */
    int32_t patch_values; /* of a patch of pixel_values */
    int32_t line_bytes;   /* of a line of a patch's pixels, padded */
    int32_t slice_bytes;  /* of a patch's pixels at one moment */
    int32_t slices;       /* moments */
    int32_t patch_depth;  /* columns of the patch embedding's weight */
    bool windows_fit;     /* the window kernel's 64 patches */
} oriel_cuda_shapes;

void oriel_cuda_shapes_init(oriel_cuda_shapes *shapes,
                            const oriel_network *network);

#endif /* ORIEL_CUDA_SHAPES_H */
