/* SPDX-License-Identifier: Apache-2.0 */
/* mlp_in.c - MLP_IN: norm2, gate and up + bias, SiLU of the one times the other
 */
#include "cpu/context.h"

static void
mlp_in_task(void *context, int64_t task, int32_t thread)
{
    oriel_backend_context *c = context;
    const oriel_backend_weights *w = c->weights;
    const oriel_cpu_shapes *s = &w->shapes;
    oriel_cpu_tile tile = oriel_cpu_get_tile(c, task);
    oriel_cpu_thread *own = &c->threads[thread];
    size_t unit = oriel_cpu_storage_bytes(w->storage);
    size_t row = (size_t)s->product[ORIEL_LAYER_DOWN].k * unit;
    int32_t gates = s->panel_gates;

    c->kernels->rms_norm(
        own->operand, c->space.residual + tile.first * s->hidden,
        oriel_cpu_vector(w, ORIEL_LAYER_NORM2, c->block, 0), tile.rows,
        s->hidden, (float)ORIEL_RMS_NORM_EPS, w->storage);
    for (int32_t p = 0; p < s->panels[ORIEL_LAYER_GATE_UP]; p++) {
        char *out = (char *)c->space.inner + (size_t)tile.first * row +
                    (size_t)p * (size_t)gates * unit;

        oriel_cpu_multiply(c, ORIEL_LAYER_GATE_UP, p, thread, own->operand,
                           own->tile, tile.rows);
        for (int64_t r = 0; r < tile.rows; r++) {
            const float *results = own->tile + 2 * r * gates;

            c->kernels->swiglu(out + (size_t)r * row, results, results + gates,
                               gates, w->storage);
        }
    }
}

oriel_status
oriel_cpu_mlp_in(oriel_backend_context *c, int32_t block, oriel_error *err)
{
    c->block = block;
    return oriel_cpu_run(c, mlp_in_task, c->n_tiles, err);
}
