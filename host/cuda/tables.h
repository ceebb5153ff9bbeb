/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tables.h - what kernels look up and the host alone computes
 *
 * In double precision on the host, so that every device has the same bits.
 */
#ifndef ORIEL_CUDA_TABLES_H
#define ORIEL_CUDA_TABLES_H

#include "base/network.h"
#include "plan/request.h"

struct oriel_cuda_upload; /* ring.h */

enum {
    /* Sides of up to so many patches find their angles beside the weights; the
       published limits of pixels and of aspect ratio lead to 1,428. */
    ORIEL_CUDA_ROPE_POSITIONS = 2048,
    ORIEL_CUDA_LEVEL_BYTES = 3 * 256 * 2 /* of one flavour */
};

/* Bytes of a position. */
static inline int64_t
oriel_cuda_rope_row(int32_t head_dim)
{
    return head_dim / 4 * INT64_C(2) * (int64_t)sizeof(float);
}

/* (cos, sin) [n_positions, head_dim / 4] */
void oriel_cuda_put_rope(struct oriel_cuda_upload *upload,
                         const oriel_network *net, int32_t n_positions);

/* bf16 [3, 256]: what a level of each channel becomes in a flavour. */
void oriel_cuda_put_levels(struct oriel_cuda_upload *upload,
                           const oriel_network *net, int32_t resample);

#endif /* ORIEL_CUDA_TABLES_H */
