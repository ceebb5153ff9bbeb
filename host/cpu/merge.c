/* SPDX-License-Identifier: Apache-2.0 */
/*
 * merge.c - MERGE: norm, fc1, erf-GELU, fc2; rows back in image order
 *
 * The four patches of a token are adjacent, so their normalised rows are the
 * token's operand as they lie.
 */
#include "cpu/context.h"

#include <string.h>

enum { PATCHES = 4 }; /* of a token: shapes.c takes no other merge */

/* Normalised rows of the tile's tokens; rows of padding repeat the last. */
static void
make_operand(const oriel_backend_context *c, void *operand, int64_t first,
             int32_t rows)
{
    const oriel_backend_weights *w = c->weights;
    int64_t hidden = w->shapes.hidden, tokens = c->job->plan->info.tokens;
    size_t row =
        (size_t)w->shapes.merger_width * oriel_cpu_storage_bytes(w->storage);
    int64_t real = tokens - first < rows ? tokens - first : rows;

    c->kernels->rms_norm(operand, c->space.residual + first * PATCHES * hidden,
                         oriel_cpu_vector(w, ORIEL_LAYER_MERGER_NORM, 0, 0),
                         real * PATCHES, hidden, (float)ORIEL_RMS_NORM_EPS,
                         w->storage);
    for (int64_t r = real; r < rows; r++)
        memcpy((char *)operand + (size_t)r * row,
               (char *)operand + (size_t)(real - 1) * row, row);
}

static void
store_panel(const oriel_backend_context *c, int64_t first, int32_t rows,
            int32_t panel, const float *results)
{
    const oriel_plan_info *info = &c->job->plan->info;
    const int32_t *row_index = c->job->output->row_index;
    const oriel_result *to = c->result;
    int32_t width = c->weights->shapes.product[ORIEL_LAYER_FC2].n;
    int32_t left = info->out_hidden_size - panel * width;
    int32_t n = left < width ? left : width;
    size_t column =
        (size_t)panel * (size_t)width * oriel_dtype_bytes(to->dtype);

    for (int64_t r = 0; r < rows && first + r < info->tokens; r++) {
        int32_t place = info->window_index[first + r];

        if (row_index)
            place = row_index[place];
        if (place >= 0)
            oriel_cpu_convert_row((char *)to->data +
                                      (size_t)place * to->row_bytes + column,
                                  results + r * width, n, to->dtype);
    }
}

static void
merge_task(void *context, int64_t task, int32_t thread)
{
    oriel_backend_context *c = context;
    const oriel_backend_weights *w = c->weights;
    const oriel_cpu_shapes *s = &w->shapes;
    oriel_cpu_thread *own = &c->threads[thread];
    int64_t tokens = c->job->plan->info.tokens;
    int32_t height = oriel_cpu_tile_rows(c, tokens);
    int64_t first = task * height, left = tokens - first;
    int32_t rows = left < height ? oriel_cpu_height_for(c, left) : height;
    int32_t width = s->product[ORIEL_LAYER_FC1].n;
    size_t unit = oriel_cpu_storage_bytes(w->storage);
    size_t merged = (size_t)s->product[ORIEL_LAYER_FC2].k * unit;

    make_operand(c, own->operand, first, rows);
    for (int32_t p = 0; p < s->panels[ORIEL_LAYER_FC1]; p++) {
        char *out = (char *)own->merged + (size_t)p * (size_t)width * unit;

        oriel_cpu_multiply(c, ORIEL_LAYER_FC1, p, thread, own->operand,
                           own->tile, rows);
        for (int64_t r = 0; r < rows; r++)
            c->kernels->gelu(out + (size_t)r * merged, own->tile + r * width,
                             width, w->storage);
    }
    for (int32_t p = 0; p < s->panels[ORIEL_LAYER_FC2]; p++) {
        oriel_cpu_multiply(c, ORIEL_LAYER_FC2, p, thread, own->merged,
                           own->tile, rows);
        store_panel(c, first, rows, p, own->tile);
    }
}

oriel_status
oriel_cpu_merge(oriel_backend_context *c, const oriel_result *result,
                oriel_error *err)
{
    int64_t tokens = c->job->plan->info.tokens;
    int64_t height = oriel_cpu_tile_rows(c, tokens);

    c->result = result;
    return oriel_cpu_run(c, merge_task, (tokens + height - 1) / height, err);
}
