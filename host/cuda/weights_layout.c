/* SPDX-License-Identifier: Apache-2.0 */
/* weights_layout.c - where each tensor lies in the one allocation */
#include "cuda/weights.h"

#include "base/fail.h"
#include "cuda/cursor.h"
#include "cuda/tables.h"

static const uint16_t *
take(oriel_cuda_cursor *c, int64_t rows, int64_t columns)
{
    return oriel_cuda_take(c, rows, columns * (int64_t)sizeof(uint16_t));
}

/* The order in which load.c writes. */
bool
oriel_cuda_lay_out_weights(oriel_backend_weights *w)
{
    const oriel_cuda_shapes *s = &w->shapes;
    oriel_cuda_cursor c = {w->memory, 0, false};
    oriel_cuda_block counted;

    w->patch_weight = take(&c, s->hidden, s->patch_depth);
    for (int32_t i = 0; i < w->network.depth; i++) {
        oriel_cuda_block *b = w->blocks ? &w->blocks[i] : &counted;

        b->norm1 = take(&c, s->hidden, 1);
        b->qkv_weight = take(&c, 3 * (int64_t)s->hidden, s->hidden);
        b->qkv_bias = take(&c, 3 * (int64_t)s->hidden, 1);
        b->proj_weight = take(&c, s->hidden, s->hidden);
        b->proj_bias = take(&c, s->hidden, 1);
        b->norm2 = take(&c, s->hidden, 1);
        b->gate_up_weight = take(&c, 2 * (int64_t)s->intermediate, s->hidden);
        b->gate_up_bias = take(&c, 2 * (int64_t)s->intermediate, 1);
        b->down_weight = take(&c, s->hidden, s->intermediate);
        b->down_bias = take(&c, s->hidden, 1);
    }
    w->merger_norm = take(&c, s->hidden, 1);
    w->fc1_weight = take(&c, s->merged, s->merged);
    w->fc1_bias = take(&c, s->merged, 1);
    w->fc2_weight = take(&c, s->out_hidden, s->merged);
    w->fc2_bias = take(&c, s->out_hidden, 1);
    w->rope = oriel_cuda_take(&c, ORIEL_CUDA_ROPE_POSITIONS,
                              oriel_cuda_rope_row(s->head_dim));
    w->levels =
        oriel_cuda_take(&c, ORIEL_CUDA_FLAVOURS, ORIEL_CUDA_LEVEL_BYTES);
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
