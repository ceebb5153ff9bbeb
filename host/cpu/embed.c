/* SPDX-License-Identifier: Apache-2.0 */
/* embed.c - EMBED: patch rows become the residual stream */
#include "cpu/context.h"

static void
embed_task(void *context, int64_t task, int32_t thread)
{
    oriel_backend_context *c = context;
    oriel_cpu_tile tile = oriel_cpu_get_tile(c, task);
    const oriel_cpu_gemm_shape *shape =
        &c->weights->shapes.product[ORIEL_LAYER_PATCH];
    size_t row =
        (size_t)shape->k * oriel_cpu_storage_bytes(c->weights->storage);

    oriel_cpu_multiply(c, ORIEL_LAYER_PATCH, 0, thread,
                       (char *)c->space.patch_rows + (size_t)tile.first * row,
                       c->space.residual + tile.first * shape->n, tile.rows);
}

oriel_status
oriel_cpu_embed(oriel_backend_context *c, oriel_error *err)
{
    return oriel_cpu_run(c, embed_task, c->n_tiles, err);
}
