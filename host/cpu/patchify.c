/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patchify.c - PATCHIFY: frames or pixel_values to patch rows in window order
 *
 * Frames are resampled and cut in bands of a few token rows, a task each; the
 * bands of all items form one list.
 */
#include "cpu/context.h"

#include "base/half.h"
#include "pixels/bands.h"

#include <string.h>

typedef const float levels[256];

/* What a level of each channel becomes in the plan's flavour. */
static levels *
levels_of(const oriel_backend_context *c)
{
    return (levels *)c->weights->tables.levels[c->job->plan->resample];
}

/* ---- pixel_values ------------------------------------------------------- */

enum { TOKENS_A_TASK = 64, PATCHES = 4 };

/* Value 'i' of a patch, which has 'plane' values a channel. */
static float
read_value(const char *from, int64_t i, int32_t dtype, int64_t plane,
           const float table[3][256])
{
    uint16_t half;
    float value;

    if (dtype == ORIEL_DTYPE_U8)
        return table[i / plane][((const uint8_t *)from)[i]];
    if (dtype == ORIEL_DTYPE_F32) {
        memcpy(&value, from + 4 * i, sizeof(value));
        return value;
    }
    memcpy(&half, from + 2 * i, sizeof(half));
    return dtype == ORIEL_DTYPE_BF16 ? oriel_bf16_to_f32(half)
                                     : oriel_f16_to_f32(half);
}

/* One patch of the input, padded with zeros. */
static void
take_row(void *to, const char *from, int64_t columns, int64_t padded,
         int32_t dtype, const float table[3][256], oriel_cpu_storage storage)
{
    for (int64_t i = 0; i < padded; i++) {
        float value =
            i < columns ? read_value(from, i, dtype, columns / 3, table) : 0.0f;

        if (storage == ORIEL_STORAGE_BF16)
            ((uint16_t *)to)[i] = oriel_f32_to_bf16(value);
        else if (storage == ORIEL_STORAGE_ROUNDED)
            ((float *)to)[i] = oriel_bf16_to_f32(oriel_f32_to_bf16(value));
        else
            ((float *)to)[i] = value;
    }
}

static void
gather_task(void *context, int64_t task, int32_t thread)
{
    const oriel_backend_context *c = context;
    const oriel_plan_info *info = &c->job->plan->info;
    const oriel_input *input = c->job->input;
    const oriel_cpu_shapes *s = &c->weights->shapes;
    int64_t padded = s->product[ORIEL_LAYER_PATCH].k;
    size_t to_bytes =
        (size_t)padded * oriel_cpu_storage_bytes(c->weights->storage);
    size_t from_bytes =
        (size_t)s->patch_columns * oriel_dtype_bytes(input->dtype);
    int64_t first = task * TOKENS_A_TASK;

    (void)thread;
    for (int64_t t = first; t < first + TOKENS_A_TASK && t < info->tokens; t++)
        for (int64_t i = 0; i < PATCHES; i++) {
            int64_t from = (int64_t)info->window_index[t] * PATCHES + i;

            take_row((char *)c->space.patch_rows +
                         (size_t)(t * PATCHES + i) * to_bytes,
                     (const char *)input->pixel_values +
                         (size_t)from * from_bytes,
                     s->patch_columns, padded, input->dtype, levels_of(c),
                     c->weights->storage);
        }
}

/* ---- Frames ------------------------------------------------------------- */

static int32_t
bands_of_slice(const oriel_plan *plan, int64_t item)
{
    int64_t token_rows =
        plan->info.grid_thw[3 * item + 1] / plan->network.spatial_merge_size;

    return (int32_t)((token_rows + ORIEL_BAND_TOKEN_ROWS - 1) /
                     ORIEL_BAND_TOKEN_ROWS);
}

/* Task: an item's resampler. */
static void
resampler_task(void *context, int64_t task, int32_t thread)
{
    oriel_backend_context *c = context;
    const oriel_plan *plan = c->job->plan;
    const oriel_item *it = &plan->items[task];
    oriel_cpu_item *item = &c->space.pixels.items[task];

    (void)thread;
    item->resampler = oriel_resampler_init(
        c->space.pixels.resamplers + item->at, plan->resample, it->width,
        it->height, it->resized_width, it->resized_height);
}

static int64_t
item_of_band(const oriel_cpu_item *items, int64_t n_items, int64_t band)
{
    int64_t low = 0, high = n_items - 1;

    while (low < high) {
        int64_t middle = (low + high + 1) / 2;

        if (items[middle].first_band <= band)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* A band of one temporal slice of one item. */
typedef struct band {
    int64_t item, slice;
    int32_t first_row, rows; /* in tokens */
    int32_t width;           /* in pixels */
    char *memory;            /* the thread's */
} band;

enum { SLICE_MOST = 8 }; /* frames; shapes.c takes no more */

static void
resample_slice(const oriel_backend_context *c, const band *b,
               const uint8_t *frames[SLICE_MOST])
{
    const oriel_plan *plan = c->job->plan;
    const oriel_input *input = c->job->input;
    const oriel_cpu_pixels *p = &c->space.pixels;
    int32_t side = oriel_network_token_pixels(&plan->network);
    int64_t first = plan->first_frame[b->item];
    oriel_bands bands = {
        .resampler = p->items[b->item].resampler,
        .frames = input->frames + first,
        .pitches = input->pitches ? input->pitches + first : NULL,
        .n_frames = plan->first_frame[b->item + 1] - first,
        .source_width = plan->items[b->item].width,
        .width = b->width,
        .per_slice = plan->network.temporal_patch_size,
        .memory = (uint8_t *)b->memory,
        .band_bytes = p->frame_bytes,
        .scratch = b->memory + p->frames_bytes,
    };

    oriel_resample_slice(&bands, b->slice, b->first_row * side, b->rows * side,
                         frames);
}

/* Zero what pads the rows of one token row, and round what must be. */
static void
finish_rows(const oriel_backend_context *c, const int32_t *place,
            int32_t n_tokens)
{
    const oriel_cpu_shapes *s = &c->weights->shapes;
    oriel_cpu_storage storage = c->weights->storage;
    int64_t padded = s->product[ORIEL_LAYER_PATCH].k;
    size_t unit = oriel_cpu_storage_bytes(storage);

    for (int32_t x = 0; x < n_tokens; x++)
        for (int64_t i = 0; i < PATCHES; i++) {
            char *row = (char *)c->space.patch_rows +
                        (size_t)(place[x] * (int64_t)PATCHES + i) *
                            (size_t)padded * unit;

            memset(row + (size_t)s->patch_columns * unit, 0,
                   (size_t)(padded - s->patch_columns) * unit);
            if (storage == ORIEL_STORAGE_ROUNDED)
                c->kernels->store(row, (const float *)(void *)row,
                                  s->patch_columns, storage);
        }
}

/* Cut token row 'row' of the band into its places in window order. */
static void
cut_token_row(const oriel_backend_context *c, const band *b,
              const uint8_t *const bands[SLICE_MOST], int32_t row)
{
    const oriel_plan *plan = c->job->plan;
    const oriel_network *net = &plan->network;
    const int64_t *grid = &plan->info.grid_thw[3 * b->item];
    int32_t merge = net->spatial_merge_size, grid_w = (int32_t)grid[2];
    int64_t tokens_across = grid[2] / merge, token_rows = grid[1] / merge;
    int64_t token =
        plan->info.offsets[b->item] +
        (b->slice * token_rows + b->first_row + row) * tokens_across;
    const int32_t *place = plan->info.window_inverse + token;
    size_t pitch = (size_t)b->width * 3;
    size_t columns = (size_t)c->weights->shapes.product[ORIEL_LAYER_PATCH].k;
    levels *table = levels_of(c);
    const uint8_t *frames[SLICE_MOST];

    for (int32_t f = 0; f < net->temporal_patch_size; f++)
        frames[f] = bands[f] + (size_t)row *
                                   (size_t)oriel_network_token_pixels(net) *
                                   pitch;
    if (c->weights->storage == ORIEL_STORAGE_BF16)
        oriel_patchify_band_bf16(net, table, frames, pitch, grid_w, place,
                                 c->space.patch_rows, columns);
    else
        oriel_patchify_band_f32(net, table, frames, pitch, grid_w, place,
                                c->space.patch_rows, columns);
    finish_rows(c, place, (int32_t)tokens_across);
}

static void
band_task(void *context, int64_t task, int32_t thread)
{
    oriel_backend_context *c = context;
    const oriel_plan *plan = c->job->plan;
    const oriel_cpu_pixels *p = &c->space.pixels;
    int64_t item = item_of_band(p->items, plan->info.n_items, task);
    int64_t within = task - p->items[item].first_band;
    int32_t bands = bands_of_slice(plan, item);
    int32_t token_rows = (int32_t)(plan->info.grid_thw[3 * item + 1] /
                                   plan->network.spatial_merge_size);
    const uint8_t *frames[SLICE_MOST];
    band b = {
        .item = item,
        .slice = within / bands,
        .first_row = (int32_t)(within % bands) * ORIEL_BAND_TOKEN_ROWS,
        .rows = ORIEL_BAND_TOKEN_ROWS,
        .width = plan->items[item].resized_width,
        .memory = p->bands + (size_t)thread * p->band_bytes,
    };

    if (b.first_row + b.rows > token_rows)
        b.rows = token_rows - b.first_row;
    resample_slice(c, &b, frames);
    for (int32_t row = 0; row < b.rows; row++)
        cut_token_row(c, &b, frames, row);
}

static oriel_status
patchify_frames(oriel_backend_context *c, oriel_error *err)
{
    const oriel_plan *plan = c->job->plan;
    oriel_cpu_item *items = c->space.pixels.items;
    int64_t n = plan->info.n_items, bands = 0;
    oriel_status status;

    for (int64_t i = 0; i < n; i++) {
        items[i].first_band = bands;
        bands += plan->info.grid_thw[3 * i] * bands_of_slice(plan, i);
    }
    status = oriel_cpu_run(c, resampler_task, n, err);
    return status ? status : oriel_cpu_run(c, band_task, bands, err);
}

oriel_status
oriel_cpu_patchify(oriel_backend_context *c, oriel_error *err)
{
    int64_t tokens = c->job->plan->info.tokens;
    int64_t patches = c->job->plan->info.patches;
    size_t row = (size_t)c->weights->shapes.product[ORIEL_LAYER_PATCH].k *
                 oriel_cpu_storage_bytes(c->weights->storage);

    memset((char *)c->space.patch_rows + (size_t)patches * row, 0,
           (size_t)(oriel_cpu_rows_held(c->job->plan) - patches) * row);
    if (c->job->input->frames)
        return patchify_frames(c, err);
    return oriel_cpu_run(c, gather_task,
                         (tokens + TOKENS_A_TASK - 1) / TOKENS_A_TASK, err);
}
