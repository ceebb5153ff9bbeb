/* SPDX-License-Identifier: Apache-2.0 */
/* layout.h - which tensor of a checkpoint lies where in which shard */
#ifndef ORIEL_WEIGHTS_LAYOUT_H
#define ORIEL_WEIGHTS_LAYOUT_H

#include "base/manifest.h"
#include "files/safetensors_writer.h"
#include "weights/synth.h"

#define ORIEL_LAYOUT_PREFIX "visual."
#define ORIEL_LAYOUT_NAME_BYTES 64

typedef struct oriel_layout_tensor {
    oriel_tensor tensor;
    int32_t block; /* the depth for tensors after the blocks */
    int32_t shard;
    oriel_tensor_shape shape;
    uint64_t offset;     /* within the shard's data */
    int64_t first_chunk; /* of the shard: see oriel_layout_chunk_rows */
    int64_t n_chunks;
    char name[ORIEL_LAYOUT_NAME_BYTES]; /* with the prefix */
} oriel_layout_tensor;

typedef struct oriel_layout {
    const oriel_hooks *hooks;
    int32_t n_tensors, n_shards;
    uint64_t bytes; /* of all tensors */
    size_t largest_chunk_bytes;
    oriel_layout_tensor *tensors; /* in the order of the files */
} oriel_layout;

/* 'shard_bytes' as in oriel_synth_options, not 0.  ORIEL_ERR_MEMORY */
oriel_status oriel_layout_create(oriel_layout *layout,
                                 const oriel_network *network,
                                 uint64_t shard_bytes, const oriel_hooks *hooks,
                                 oriel_error *err);

void oriel_layout_destroy(oriel_layout *layout);

/* A shard's tensors are first .. end - 1. */
void oriel_layout_shard(const oriel_layout *layout, int32_t shard,
                        int32_t *first, int32_t *end);

/* Tensors are made in pieces of so many rows, a MiB or a row each. */
int64_t oriel_layout_chunk_rows(oriel_tensor_shape shape);

/* "model-00001-of-00003.safetensors" */
void oriel_layout_file_name(char out[48], int32_t shard, int32_t n_shards);

/* The shape as files store it: vectors of rank 1, patch_embed of rank 5. */
oriel_writer_tensor oriel_layout_entry(const oriel_layout_tensor *tensor,
                                       const oriel_network *network);

#endif /* ORIEL_WEIGHTS_LAYOUT_H */
