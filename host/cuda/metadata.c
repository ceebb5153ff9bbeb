/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metadata.c - what a plan becomes on the device
 *
 * The arrays of oriel_cuda_metadata lie one behind another and are written from
 * front to back, straight into pinned slots: nothing is built on the side.
 */
#include "cuda/context.h"

#include "base/bfloat16.h"
#include "cuda/segments.h"
#include "pixels/pixels.h"

#include <math.h>

/* Go on at 'array'; what lies before it is written. */
static void
go_to(oriel_cuda_upload *u, const oriel_cuda_metadata *m, const void *array)
{
    oriel_cuda_upload_pad(
        u, (size_t)((const char *)array - (const char *)m->tokens));
}

static void
put_pack(void *upload, const int32_t *row)
{
    oriel_cuda_upload_put(upload, row, ORIEL_PACK_COLUMNS * sizeof(*row));
}

static void
put_tile(void *upload, const int32_t *row)
{
    oriel_cuda_upload_put(upload, row, ORIEL_TILE_COLUMNS * sizeof(*row));
}

static void
put_segments(oriel_cuda_upload *u, const oriel_cuda_metadata *m,
             const oriel_plan_info *info, const oriel_cuda_shapes *s)
{
    go_to(u, m, m->packs);
    if (s->windows_fit)
        oriel_cuda_pack_windows(info->cu_window_seqlens, info->n_windows,
                                put_pack, u);
    go_to(u, m, m->window_tiles);
    if (!s->windows_fit)
        oriel_cuda_tile_segments(info->cu_window_seqlens, info->n_windows,
                                 put_tile, u);
    go_to(u, m, m->frame_tiles);
    oriel_cuda_tile_segments(info->cu_seqlens, info->n_frames, put_tile, u);
}

/*
 * The reference multiplies an fp32 position by an fp32 frequency; the product's
 * cosine is then as good as fp32 can hold.
 */
static void
put_rope(oriel_cuda_upload *u, const oriel_cuda_metadata *m,
         const oriel_network *net)
{
    float frequencies[32]; /* head_dim / 4 at most: shapes.c */
    int32_t quarter = net->head_dim / 4;

    for (int32_t j = 0; j < quarter; j++)
        frequencies[j] =
            (float)(1.0 / pow(net->rope_theta, 4.0 * j / net->head_dim));
    go_to(u, m, m->rope);
    for (int32_t p = 0; p < m->n_positions; p++) {
        float row[32][2];

        for (int32_t j = 0; j < quarter; j++) {
            double angle = (double)((float)p * frequencies[j]);

            row[j][0] = (float)cos(angle);
            row[j][1] = (float)sin(angle);
        }
        oriel_cuda_upload_put(u, row, (size_t)quarter * 2 * sizeof(float));
    }
}

static void
put_table(oriel_cuda_upload *u, const oriel_cuda_metadata *m,
          const oriel_plan *plan)
{
    float levels[3][256];

    oriel_normalise_table(&plan->network, plan->resample, levels);
    go_to(u, m, m->table);
    for (int c = 0; c < 3; c++)
        for (int level = 0; level < 256; level++) {
            uint16_t value = oriel_f32_to_bf16(levels[c][level]);

            oriel_cuda_upload_put(u, &value, sizeof(value));
        }
}

/* Whether slice 'slice' of item 'item' shows one frame throughout. */
static void
put_is_still(oriel_cuda_upload *u, const oriel_cuda_metadata *m,
             const oriel_plan *plan)
{
    go_to(u, m, m->is_still);
    for (int64_t i = 0; i < plan->info.n_items; i++) {
        const int64_t *grid = &plan->info.grid_thw[3 * i];

        for (int64_t t = 0; t < grid[0]; t++) {
            uint8_t still = oriel_cuda_is_still(plan, i, t);

            for (int64_t p = 0; p < grid[1] * grid[2]; p++)
                oriel_cuda_upload_put(u, &still, sizeof(still));
        }
    }
}

oriel_status
oriel_cuda_send_metadata(oriel_backend_context *c, oriel_error *err)
{
    const oriel_plan *plan = c->job->plan;
    const oriel_plan_info *info = &plan->info;
    const oriel_cuda_metadata *m = &c->space.metadata;
    size_t word = sizeof(int32_t);
    oriel_cuda_upload u;

    oriel_cuda_upload_begin(&u, oriel_cuda_job_ring(c), c->stream, m->tokens);
    oriel_cuda_upload_put(&u, info->window_index, (size_t)info->tokens * word);
    go_to(&u, m, m->positions);
    oriel_cuda_upload_put(&u, info->positions,
                          (size_t)info->patches * 2 * word);
    go_to(&u, m, m->cu_window);
    oriel_cuda_upload_put(&u, info->cu_window_seqlens,
                          ((size_t)info->n_windows + 1) * word);
    put_segments(&u, m, info, &c->weights->shapes);
    put_rope(&u, m, &plan->network);
    if (c->job->input->frames) {
        put_table(&u, m, plan);
        put_is_still(&u, m, plan);
    }
    /* Whole arrays, as those of a capture travel in 16s. */
    oriel_cuda_upload_pad(&u, (u.written + 255) / 256 * 256);
    return oriel_cuda_upload_end(&u, err);
}
