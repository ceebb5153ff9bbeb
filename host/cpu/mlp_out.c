/* SPDX-License-Identifier: Apache-2.0 */
/* mlp_out.c - MLP_OUT: down + bias, added to the residual */
#include "cpu/context.h"

static void
mlp_out_task(void *context, int64_t task, int32_t thread)
{
    oriel_backend_context *c = context;
    oriel_cpu_tile tile = oriel_cpu_get_tile(c, task);
    const oriel_cpu_gemm_shape *shape =
        &c->weights->shapes.product[ORIEL_LAYER_DOWN];
    size_t row =
        (size_t)shape->k * oriel_cpu_storage_bytes(c->weights->storage);

    oriel_cpu_multiply(c, ORIEL_LAYER_DOWN, 0, thread,
                       (char *)c->space.inner + (size_t)tile.first * row,
                       c->space.residual + tile.first * shape->n, tile.rows);
}

oriel_status
oriel_cpu_mlp_out(oriel_backend_context *c, int32_t block, oriel_error *err)
{
    c->block = block;
    return oriel_cpu_run(c, mlp_out_task, c->n_tiles, err);
}
