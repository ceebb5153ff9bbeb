/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attend.c - ATTEND: attention within windows, or frames in some blocks
 *
 * A task is a head and up to ORIEL_QUERY_TILE rows of one segment.  Its output
 * takes the place of its own queries, which no other task reads.
 */
#include "cpu/context.h"

#include <math.h>

typedef struct segments {
    const int32_t *cu; /* [n + 1] */
    int64_t n;
} segments;

static segments
segments_of_block(const oriel_backend_context *c)
{
    const oriel_plan_info *info = &c->job->plan->info;
    segments frames = {info->cu_seqlens, info->n_frames};
    segments windows = {info->cu_window_seqlens, info->n_windows};

    return oriel_network_is_full_attention(&c->weights->network, c->block)
               ? frames
               : windows;
}

/*
 * Query tiles lie on a common raster of rows, which a segment's border cuts: a
 * tile starts at a multiple of ORIEL_QUERY_TILE from the first row, or at a
 * border.  Finding the tiles of a raster cell needs no table of all of them.
 */
static int64_t
segment_of_row(const segments *s, int64_t row)
{
    int64_t low = 0, high = s->n - 1;

    while (low < high) {
        int64_t middle = (low + high + 1) / 2;

        if (s->cu[middle] <= row)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static void
attend_rows(const oriel_backend_context *c, int32_t head, int64_t first,
            int64_t end, const segments *s, int64_t segment, void *scratch)
{
    const oriel_backend_weights *w = c->weights;
    size_t unit = oriel_cpu_storage_bytes(w->storage);
    size_t column = (size_t)head * (size_t)w->network.head_dim * unit;
    size_t row = (size_t)w->shapes.hidden * unit;
    size_t keys = (size_t)s->cu[segment] * row + column;
    oriel_cpu_attention args = {
        .q = (char *)c->space.q + (size_t)first * row + column,
        .k = (char *)c->space.k + keys,
        .v = (char *)c->space.v + keys,
        .out = (char *)c->space.q + (size_t)first * row + column,
        .stride = (size_t)w->shapes.hidden,
        .head_dim = w->network.head_dim,
        .queries = (int32_t)(end - first),
        .keys = s->cu[segment + 1] - s->cu[segment],
        .rounded = w->storage == ORIEL_STORAGE_ROUNDED,
        .scale = (float)(1.0 / sqrt(w->network.head_dim)),
        .scratch = scratch,
        .stop = oriel_team_stop_flag(c->team),
    };

    if (w->storage == ORIEL_STORAGE_BF16)
        c->kernels->attention_bf16(&args);
    else
        c->kernels->attention_f32(&args);
}

static int64_t
count_cells(const oriel_backend_context *c)
{
    return (c->job->plan->info.patches + ORIEL_QUERY_TILE - 1) /
           ORIEL_QUERY_TILE;
}

/*
 * Heads of a cell lie side by side, so short segments are read head after head.
 * The keys and values of a long frame are read by every cell: one head of them
 * fits the last cache where all of them do not.
 */
enum { LONG_FRAME = 4096 };

static void
attend_task(void *context, int64_t task, int32_t thread)
{
    oriel_backend_context *c = context;
    segments s = segments_of_block(c);
    int64_t heads = c->weights->network.num_heads, cells = count_cells(c);
    bool is_long =
        oriel_network_is_full_attention(&c->weights->network, c->block) &&
        c->job->plan->info.longest_frame >= LONG_FRAME;
    int64_t head = is_long ? task / cells : task % heads;
    int64_t row = (is_long ? task % cells : task / heads) * ORIEL_QUERY_TILE;
    int64_t end = row + ORIEL_QUERY_TILE;
    int64_t segment = segment_of_row(&s, row);

    if (end > c->job->plan->info.patches)
        end = c->job->plan->info.patches;
    for (; row < end; segment++) {
        int64_t stop = s.cu[segment + 1] < end ? s.cu[segment + 1] : end;

        attend_rows(c, (int32_t)head, row, stop, &s, segment,
                    c->threads[thread].scratch);
        row = stop;
    }
}

oriel_status
oriel_cpu_attend(oriel_backend_context *c, int32_t block, oriel_error *err)
{
    c->block = block;
    return oriel_cpu_run(c, attend_task,
                         count_cells(c) * c->weights->network.num_heads, err);
}
