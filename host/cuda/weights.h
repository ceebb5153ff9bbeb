/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weights.h - all tensors of a model on one device, as the kernels read them
 *
 * One allocation, each tensor at a multiple of 256 bytes, bf16 throughout but for
 * the angles of rope:
 *   patch embedding  columns in patch_embed.cu's order, padding zero
 *   gate and up      8 rows of gate, the same 8 of up, and so on; rows padded
 *   down             columns padded
 *   fc2              rows padded
 * After the tensors, what depends on the network alone: rope's angles for all
 * positions but those of the longest sides, and the normalisation of each flavour.
 * Shared by any number of contexts, immutable once loaded.
 */
#ifndef ORIEL_CUDA_WEIGHTS_H
#define ORIEL_CUDA_WEIGHTS_H

#include "cuda/shapes.h"

typedef struct oriel_cuda_block {
    const uint16_t *norm1;                         /* [hidden] */
    const uint16_t *qkv_weight, *qkv_bias;         /* [3 hidden, hidden] */
    const uint16_t *proj_weight, *proj_bias;       /* [hidden, hidden] */
    const uint16_t *norm2;                         /* [hidden] */
    const uint16_t *gate_up_weight, *gate_up_bias; /* [2 inter, hidden] */
    const uint16_t *down_weight, *down_bias;       /* [hidden, inter] */
} oriel_cuda_block;

struct oriel_backend_weights {
    oriel_hooks hooks;
    int32_t device_index;
    oriel_network network; /* full_attention_blocks: our own copy */
    int32_t *full_attention_blocks;
    oriel_cuda_shapes shapes;
    void *memory;
    size_t bytes;
    const uint16_t *patch_weight;          /* [hidden, patch_depth] */
    oriel_cuda_block *blocks;              /* [depth] */
    const uint16_t *merger_norm;           /* [hidden] */
    const uint16_t *fc1_weight, *fc1_bias; /* [merged, merged] */
    const uint16_t *fc2_weight, *fc2_bias; /* [out_hidden, merged] */
    const float *rope;      /* (cos, sin) [ROPE_POSITIONS, head_dim / 4] */
    const uint16_t *levels; /* [flavours, 3, 256] what a level becomes */
};

/*
 * weights_layout.c: let every pointer be where its tensor lies from 'memory' on,
 * and count 'bytes'; with memory or blocks NULL it only counts.  From 'network'
 * and 'shapes'; false: it exceeds the address space.
 */
bool oriel_cuda_lay_out_weights(oriel_backend_weights *weights);

oriel_status oriel_cuda_load_weights(oriel_backend_weights **out,
                                     const oriel_network *network,
                                     const oriel_weight_reader *reader,
                                     const oriel_backend_config *config,
                                     oriel_error *err);
uint64_t oriel_cuda_weight_bytes(const oriel_backend_weights *weights);
void oriel_cuda_free_weights(oriel_backend_weights *weights);

/* load.c: read every tensor, pack it, and have it on the device on return. */
oriel_status oriel_cuda_read_weights(const oriel_backend_weights *weights,
                                     const oriel_weight_reader *reader,
                                     const oriel_backend_config *config,
                                     oriel_error *err);

#endif /* ORIEL_CUDA_WEIGHTS_H */
