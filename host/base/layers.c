/* SPDX-License-Identifier: Apache-2.0 */
/* layers.c - which tensors belong to which layer */
#include "base/layers.h"

enum { ORIEL_TENSOR_NONE = ORIEL_N_TENSORS };

static const oriel_layer_tensors layers[ORIEL_N_LAYERS][2] = {
#define X(id, weight, bias, weight2, bias2) \
    {{(oriel_tensor)ORIEL_TENSOR_##weight, (oriel_tensor)ORIEL_TENSOR_##bias}, \
     {(oriel_tensor)ORIEL_TENSOR_##weight2, \
      (oriel_tensor)ORIEL_TENSOR_##bias2}},
    ORIEL_LAYERS(X)
#undef X
};

const oriel_layer_tensors *
oriel_layer_get_tensors(oriel_layer layer)
{
    return layers[layer];
}

int32_t
oriel_layer_halves(oriel_layer layer)
{
    return layers[layer][1].weight == ORIEL_N_TENSORS ? 1 : 2;
}

bool
oriel_layer_has_bias(oriel_layer layer)
{
    return layers[layer][0].bias != ORIEL_N_TENSORS;
}

bool
oriel_layer_adds(oriel_layer layer)
{
    return layer == ORIEL_LAYER_PROJ || layer == ORIEL_LAYER_DOWN;
}

bool
oriel_layer_in_block(oriel_layer layer)
{
    return oriel_tensor_in_block(layers[layer][0].weight);
}

oriel_tensor_shape
oriel_layer_get_shape(const oriel_network *network, oriel_layer layer)
{
    return oriel_tensor_get_shape(network, layers[layer][0].weight);
}
