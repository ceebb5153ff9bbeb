/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layers.h - the linear layers and norms of the vision encoder, and their tensors
 *
 * One list for all backends: how weights lie in memory, how they are loaded and
 * which a step reads all come from it.  Every tensor of manifest.h is in it once.
 *
 *   X(id, weight, bias, weight2, bias2)
 *
 * A linear layer has a weight and perhaps a bias, a norm a weight alone.  GATE_UP
 * is two layers of one shape that run as one: the gate, then the up-projection.
 */
#ifndef ORIEL_BASE_LAYERS_H
#define ORIEL_BASE_LAYERS_H

#include "base/manifest.h"

#include <stdbool.h>

#define ORIEL_LAYERS(X) \
    X(PATCH, PATCH_EMBED, NONE, NONE, NONE) \
    X(QKV, QKV_WEIGHT, QKV_BIAS, NONE, NONE) \
    X(PROJ, PROJ_WEIGHT, PROJ_BIAS, NONE, NONE) \
    X(GATE_UP, GATE_WEIGHT, GATE_BIAS, UP_WEIGHT, UP_BIAS) \
    X(DOWN, DOWN_WEIGHT, DOWN_BIAS, NONE, NONE) \
    X(FC1, MERGER_FC1_WEIGHT, MERGER_FC1_BIAS, NONE, NONE) \
    X(FC2, MERGER_FC2_WEIGHT, MERGER_FC2_BIAS, NONE, NONE) \
    X(NORM1, NORM1, NONE, NONE, NONE) \
    X(NORM2, NORM2, NONE, NONE, NONE) \
    X(MERGER_NORM, MERGER_NORM, NONE, NONE, NONE)

typedef enum oriel_layer {
#define X(id, weight, bias, weight2, bias2) ORIEL_LAYER_##id,
    ORIEL_LAYERS(X)
#undef X
        ORIEL_N_LAYERS,
    /* The linear layers come first. */
    ORIEL_N_LINEAR_LAYERS = ORIEL_LAYER_NORM1
} oriel_layer;

/* ORIEL_N_TENSORS where there is none. */
typedef struct oriel_layer_tensors {
    oriel_tensor weight, bias;
} oriel_layer_tensors;

/* The two of GATE_UP; of another layer its tensors, then none. */
const oriel_layer_tensors *oriel_layer_get_tensors(oriel_layer layer);
/* 2 for GATE_UP, else 1. */
int32_t oriel_layer_halves(oriel_layer layer);
bool oriel_layer_has_bias(oriel_layer layer);
/* Whether its result is added to the residual stream in place. */
bool oriel_layer_adds(oriel_layer layer);
/* Whether each block has one. */
bool oriel_layer_in_block(oriel_layer layer);
/* Of its weight, in a checkpoint; of one half. */
oriel_tensor_shape oriel_layer_get_shape(const oriel_network *network,
                                         oriel_layer layer);

#endif /* ORIEL_BASE_LAYERS_H */
