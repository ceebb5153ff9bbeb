/* SPDX-License-Identifier: Apache-2.0 */
/* weights_layout.c - where each tensor lies in the one allocation */
#include "cuda/weights.h"

#include "base/fail.h"
#include "cuda/cursor.h"
#include "cuda/tables.h"

oriel_tensor_shape
oriel_cuda_layer_shape(const oriel_backend_weights *w, oriel_layer layer)
{
    const oriel_cuda_shapes *s = &w->shapes;
    oriel_tensor_shape shape = oriel_layer_get_shape(&w->network, layer);

    switch (layer) {
    case ORIEL_LAYER_PATCH:
        shape.columns = s->patch_depth;
        break;
    case ORIEL_LAYER_GATE_UP:
        shape.rows = 2 * (int64_t)s->intermediate;
        break;
    case ORIEL_LAYER_DOWN:
        shape.columns = s->intermediate;
        break;
    case ORIEL_LAYER_FC2:
        shape.rows = s->out_hidden;
        break;
    default:
        break;
    }
    return shape;
}

static const uint16_t *
take(oriel_cuda_cursor *c, int64_t rows, int64_t columns)
{
    return oriel_cuda_take(c, rows, columns * (int64_t)sizeof(uint16_t));
}

/* load.c writes by the same two loops, from the first byte on. */
bool
oriel_cuda_lay_out_weights(oriel_backend_weights *w)
{
    oriel_cuda_cursor c = {w->memory, 0, false};

    for (int32_t stage = 0; stage <= w->network.depth; stage++)
        for (int32_t i = 0; i < ORIEL_N_LAYERS; i++) {
            oriel_layer layer = (oriel_layer)i;
            oriel_tensor_shape shape = oriel_cuda_layer_shape(w, layer);
            oriel_cuda_layer at = {NULL, NULL};

            if (oriel_layer_in_block(layer) != (stage > 0))
                continue;
            at.weight = take(&c, shape.rows, shape.columns);
            if (oriel_layer_has_bias(layer))
                at.bias = take(&c, shape.rows, 1);
            if (w->layers)
                w->layers[stage][layer] = at;
        }
    w->rope = oriel_cuda_take(&c, ORIEL_CUDA_ROPE_POSITIONS,
                              oriel_cuda_rope_row(w->shapes.head_dim));
    w->levels = oriel_cuda_take(&c, ORIEL_FLAVOURS, ORIEL_CUDA_LEVEL_BYTES);
    w->bytes = c.at;
    return !c.overflowed;
}

oriel_status
oriel_cuda_model_bytes(const oriel_network *network,
                       const oriel_backend_config *config, uint64_t *bytes,
                       oriel_error *err)
{
    oriel_backend_weights w = {.network = *network};

    (void)config;
    *bytes = 0;
    oriel_cuda_shapes_init(&w.shapes, network);
    if (!oriel_cuda_lay_out_weights(&w))
        return oriel_fail(err, ORIEL_ERR_MEMORY,
                          "the weights exceed the address space");
    *bytes = w.bytes;
    return ORIEL_OK;
}
