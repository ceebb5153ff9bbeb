/* SPDX-License-Identifier: Apache-2.0 */
/* attn_out.c - ATTN_OUT: proj + bias, added to the residual */
#include "cpu/context.h"

static void
attn_out_task(void *context, int64_t task, int32_t thread)
{
    oriel_backend_context *c = context;
    oriel_cpu_tile tile = oriel_cpu_get_tile(c, task);
    int64_t hidden = c->weights->shapes.hidden;
    size_t row = (size_t)hidden * oriel_cpu_storage_bytes(c->weights->storage);

    oriel_cpu_multiply(c, ORIEL_LAYER_PROJ, 0, thread,
                       (char *)c->space.q + (size_t)tile.first * row,
                       c->space.residual + tile.first * hidden, tile.rows);
}

oriel_status
oriel_cpu_attn_out(oriel_backend_context *c, int32_t block, oriel_error *err)
{
    c->block = block;
    return oriel_cpu_run(c, attn_out_task, c->n_tiles, err);
}
