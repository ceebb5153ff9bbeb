/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest.h - every tensor of the vision encoder, in canonical order
 *
 * One list, read by the checker of checkpoints, the reader of weights, the
 * digest, the maker of synthetic checkpoints and the backends.
 *
 *   X(id, name, scope, rows, columns)
 *
 * 'name' is the official name after the prefix, within "blocks.N." when the
 * scope is BLOCK.  Shapes are [rows, columns] in letters: H hidden, Q 3 x
 * hidden, I intermediate, M hidden x merge^2, O out_hidden, P patch columns; a
 * vector has 1 column.  patch_embed is stored 5-D; its rows are these columns.
 */
#ifndef ORIEL_BASE_MANIFEST_H
#define ORIEL_BASE_MANIFEST_H

#include "base/network.h"

#include <stddef.h>
#include <stdint.h>

#define ORIEL_MANIFEST(X) \
    X(PATCH_EMBED, "patch_embed.proj.weight", ONCE, H, P) \
    X(NORM1, "norm1.weight", BLOCK, H, 1) \
    X(NORM2, "norm2.weight", BLOCK, H, 1) \
    X(QKV_WEIGHT, "attn.qkv.weight", BLOCK, Q, H) \
    X(QKV_BIAS, "attn.qkv.bias", BLOCK, Q, 1) \
    X(PROJ_WEIGHT, "attn.proj.weight", BLOCK, H, H) \
    X(PROJ_BIAS, "attn.proj.bias", BLOCK, H, 1) \
    X(GATE_WEIGHT, "mlp.gate_proj.weight", BLOCK, I, H) \
    X(GATE_BIAS, "mlp.gate_proj.bias", BLOCK, I, 1) \
    X(UP_WEIGHT, "mlp.up_proj.weight", BLOCK, I, H) \
    X(UP_BIAS, "mlp.up_proj.bias", BLOCK, I, 1) \
    X(DOWN_WEIGHT, "mlp.down_proj.weight", BLOCK, H, I) \
    X(DOWN_BIAS, "mlp.down_proj.bias", BLOCK, H, 1) \
    X(MERGER_NORM, "merger.ln_q.weight", ONCE, H, 1) \
    X(MERGER_FC1_WEIGHT, "merger.mlp.0.weight", ONCE, M, M) \
    X(MERGER_FC1_BIAS, "merger.mlp.0.bias", ONCE, M, 1) \
    X(MERGER_FC2_WEIGHT, "merger.mlp.2.weight", ONCE, O, M) \
    X(MERGER_FC2_BIAS, "merger.mlp.2.bias", ONCE, O, 1)

typedef enum oriel_tensor {
#define X(id, name, scope, rows, columns) ORIEL_TENSOR_##id,
    ORIEL_MANIFEST(X)
#undef X
        ORIEL_N_TENSORS
} oriel_tensor;

typedef struct oriel_tensor_shape {
    int64_t rows, columns;
} oriel_tensor_shape;

/* "attn.qkv.weight"; static. */
const char *oriel_tensor_name(oriel_tensor tensor);
/* Whether each block has one. */
int32_t oriel_tensor_in_block(oriel_tensor tensor);
/* Whether it is stored with one dimension; a matrix may have 1 column too. */
int32_t oriel_tensor_is_vector(oriel_tensor tensor);
oriel_tensor_shape oriel_tensor_get_shape(const oriel_network *network,
                                          oriel_tensor tensor);

/*
 * Canonical order: patch_embed, block after block, the merger.  Positions run
 * from 0 to oriel_manifest_count() - 1, 390 in the published sizes.
 */
int32_t oriel_manifest_count(int32_t depth);
void oriel_manifest_at(int32_t depth, int32_t position, oriel_tensor *tensor,
                       int32_t *block);
/* 'block' is ignored for tensors outside blocks. */
int32_t oriel_manifest_position(int32_t depth, oriel_tensor tensor,
                                int32_t block);

/*
 * The full name into 'out', cut to 'out_bytes' as snprintf does: prefix, then
 * "blocks.N." where it applies, then the name.
 */
void oriel_tensor_full_name(char *out, size_t out_bytes, const char *prefix,
                            oriel_tensor tensor, int32_t block);

#endif /* ORIEL_BASE_MANIFEST_H */
