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

#include "base/layers.h"
#include "cuda/shapes.h"

/* NULL where the layer has no bias. */
typedef struct oriel_cuda_layer {
    const uint16_t *weight, *bias;
} oriel_cuda_layer;

struct oriel_backend_weights {
    oriel_hooks hooks;
    int32_t device_index;
    oriel_network network;
    oriel_cuda_shapes shapes;
    void *memory;
    size_t bytes;
    /* [1 + depth]: those outside blocks, then each block's; by oriel_layer */
    oriel_cuda_layer (*layers)[ORIEL_N_LAYERS];
    const float *rope;      /* (cos, sin) [ROPE_POSITIONS, head_dim / 4] */
    const uint16_t *levels; /* [flavours, 3, 256] what a level becomes */
};

/* 'block' is ignored for layers outside blocks. */
static inline const oriel_cuda_layer *
oriel_cuda_get_layer(const oriel_backend_weights *w, oriel_layer layer,
                     int32_t block)
{
    return &w->layers[oriel_layer_in_block(layer) ? 1 + block : 0][layer];
}

/*
 * weights_layout.c: the shape of a layer's weight on the device, padded; both
 * halves of GATE_UP.
 */
oriel_tensor_shape oriel_cuda_layer_shape(const oriel_backend_weights *weights,
                                          oriel_layer layer);

/*
 * weights_layout.c: let every pointer be where its tensor lies from 'memory' on,
 * and count 'bytes'; with memory or layers NULL it only counts.  From 'network'
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
