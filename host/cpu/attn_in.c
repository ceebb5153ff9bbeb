/* SPDX-License-Identifier: Apache-2.0 */
/* attn_in.c - ATTN_IN: norm1, qkv + bias, rope on q and k */
#include "cpu/context.h"

#include <string.h>

/* Cosines or sines of a row: its row position's, then its column position's. */
static void
gather_angles(float *out, const float *table, const int32_t position[2],
              int32_t quarter)
{
    size_t bytes = (size_t)quarter * sizeof(*out);

    memcpy(out, table + (size_t)position[0] * (size_t)quarter, bytes);
    memcpy(out + quarter, table + (size_t)position[1] * (size_t)quarter, bytes);
}

enum { HALF_MOST = 128 }; /* half of the largest head_dim */

/* A panel of q or k: whole heads, turned. */
static void
turn_panel(const oriel_backend_context *c, oriel_cpu_tile tile, char *out,
           size_t row_bytes, const float *results)
{
    static const int32_t nowhere[2] = {0, 0}; /* rows of padding */
    const oriel_cpu_shapes *s = &c->weights->shapes;
    const int32_t *positions = c->job->plan->info.positions;
    int32_t quarter = c->weights->network.head_dim / 4,
            width = s->product[ORIEL_LAYER_QKV].n;
    float cosine[HALF_MOST], sine[HALF_MOST];

    for (int64_t r = 0; r < tile.rows; r++) {
        const int32_t *position = tile.first + r < c->job->plan->info.patches
                                      ? positions + 2 * (tile.first + r)
                                      : nowhere;

        gather_angles(cosine, c->cosine, position, quarter);
        gather_angles(sine, c->sine, position, quarter);
        c->kernels->rope(out + (size_t)r * row_bytes, results + r * width,
                         s->panel_heads, c->weights->network.head_dim, cosine,
                         sine, c->weights->storage);
    }
}

static void
finish_panel(const oriel_backend_context *c, oriel_cpu_tile tile, int32_t panel,
             const float *results)
{
    const oriel_cpu_shapes *s = &c->weights->shapes;
    size_t unit = oriel_cpu_storage_bytes(c->weights->storage);
    size_t row_bytes = (size_t)s->hidden * unit;
    int32_t width = s->product[ORIEL_LAYER_QKV].n;
    int32_t per_third = s->hidden / width, third = panel / per_third;
    void *const array[3] = {c->space.q, c->space.k, c->space.v};
    char *out = (char *)array[third] + (size_t)tile.first * row_bytes +
                (size_t)(panel % per_third) * (size_t)width * unit;

    if (third < 2) {
        turn_panel(c, tile, out, row_bytes, results);
        return;
    }
    for (int64_t r = 0; r < tile.rows; r++)
        c->kernels->store(out + (size_t)r * row_bytes, results + r * width,
                          width, c->weights->storage);
}

static void
attn_in_task(void *context, int64_t task, int32_t thread)
{
    oriel_backend_context *c = context;
    const oriel_backend_weights *w = c->weights;
    oriel_cpu_tile tile = oriel_cpu_get_tile(c, task);
    oriel_cpu_thread *own = &c->threads[thread];

    c->kernels->rms_norm(
        own->operand, c->space.residual + tile.first * w->shapes.hidden,
        oriel_cpu_vector(w, ORIEL_LAYER_NORM1, c->block, 0), tile.rows,
        w->shapes.hidden, (float)ORIEL_RMS_NORM_EPS, w->storage);
    for (int32_t p = 0; p < w->shapes.panels[ORIEL_LAYER_QKV]; p++) {
        oriel_cpu_multiply(c, ORIEL_LAYER_QKV, p, thread, own->operand,
                           own->tile, tile.rows);
        finish_panel(c, tile, p, own->tile);
    }
}

oriel_status
oriel_cpu_attn_in(oriel_backend_context *c, int32_t block, oriel_error *err)
{
    c->block = block;
    return oriel_cpu_run(c, attn_in_task, c->n_tiles, err);
}
