/* SPDX-License-Identifier: Apache-2.0 */
/*
 * float_frames.c - frames of the host, resampled there, to patches on the device
 *
 * For the float flavour, which the GPU does not have.  Band by band, one row of
 * windows each: resampled into host memory, then cut window by window, token by
 * token, straight into pinned slots; so the patches come in window order and are
 * sent as they are made.
 */
#include "cuda/context.h"

#include "base/checked.h"
#include "base/fail.h"
#include "base/memory.h"
#include "pixels/bands.h"

#include <string.h>

enum { SLICES_MOST = 2 }; /* shapes.c takes no more */

/* Host memory for one item at a time; parts are aligned to 64. */
typedef struct scratch {
    char *memory;
    size_t resampler, resampling, band; /* bytes of each part */
} scratch;

typedef struct item_state {
    const oriel_backend_context *context;
    oriel_cuda_upload *upload;
    const oriel_item *item;
    int64_t index;
    oriel_bands bands;
    const uint8_t *shown[SLICES_MOST]; /* [band rows, width, 3] */
} item_state;

static int32_t
band_token_rows(const oriel_plan *plan, int64_t item)
{
    int64_t rows =
        plan->info.grid_thw[3 * item + 1] / plan->network.spatial_merge_size;
    int32_t side = oriel_network_window_tokens(&plan->network);

    return rows < side ? (int32_t)rows : side;
}

/* ---- Host memory --------------------------------------------------------- */

static void
enlarge(size_t *most, size_t bytes)
{
    if (bytes > *most)
        *most = bytes;
}

/* The parts' sizes; the bytes of all of them, or SIZE_MAX. */
static size_t
measure(scratch *s, const oriel_plan *plan)
{
    memset(s, 0, sizeof(*s));
    for (int64_t i = 0; i < plan->info.n_items; i++) {
        const oriel_item *it = &plan->items[i];
        int32_t rows = band_token_rows(plan, i) *
                       oriel_network_token_pixels(&plan->network);

        enlarge(&s->resampler,
                oriel_resampler_bytes(plan->resample, it->width, it->height,
                                      it->resized_width, it->resized_height));
        enlarge(&s->resampling,
                oriel_resampler_scratch_bytes_for(plan->resample, it->width,
                                                  it->height, it->resized_width,
                                                  it->resized_height, rows));
        enlarge(&s->band, (size_t)rows * (size_t)it->resized_width * 3);
    }
    if (s->resampler > SIZE_MAX / 8 || s->resampling > SIZE_MAX / 8 ||
        s->band > SIZE_MAX / 8)
        return SIZE_MAX;
    s->resampler = oriel_round_up(s->resampler, ORIEL_ALIGNMENT);
    s->resampling = oriel_round_up(s->resampling, ORIEL_ALIGNMENT);
    s->band = oriel_round_up(s->band, ORIEL_ALIGNMENT);
    return s->resampler + s->resampling + SLICES_MOST * s->band;
}

size_t
oriel_cuda_float_frames_host_bytes(const oriel_plan *plan)
{
    scratch s;

    return measure(&s, plan);
}

static oriel_status
borrow(scratch *s, oriel_backend_context *c, oriel_error *err)
{
    size_t all = measure(s, c->job->plan);

    if (all == SIZE_MAX)
        return oriel_fail(err, ORIEL_ERR_CAPACITY,
                          "resampling these frames exceeds the address space");
    s->memory = oriel_cuda_host_scratch(c, all);
    return s->memory ? ORIEL_OK
                     : oriel_fail_memory(err, all, "resampling frames");
}

/* ---- One item ------------------------------------------------------------ */

/* One patch of each frame that the slice shows; x, y in pixels of the band. */
static void
put_patch(const item_state *s, int32_t shown, int32_t y, int32_t x)
{
    const oriel_cuda_shapes *shapes = &s->context->weights->shapes;
    int32_t size = s->context->weights->network.patch_size;
    size_t line = (size_t)size * 3, pitch = (size_t)s->item->resized_width * 3;
    size_t padding = (size_t)shapes->line_bytes - line;
    uint8_t *out = oriel_cuda_upload_space(
        s->upload, (size_t)shown * (size_t)shapes->slice_bytes);

    for (int32_t f = 0; f < shown && f < SLICES_MOST && out && s->shown[f];
         f++) {
        const uint8_t *in = s->shown[f] + (size_t)y * pitch + (size_t)x * 3;

        for (int32_t i = 0; i < size; i++, in += pitch, out += line + padding) {
            memcpy(out, in, line);
            memset(out + line, 0, padding);
        }
    }
}

/* The tokens of one window; top, left, height and width in tokens, top within
   the band. */
static void
put_window(const item_state *s, int32_t shown, int32_t height, int32_t left,
           int32_t width)
{
    const oriel_network *net = &s->context->weights->network;
    int32_t merge = net->spatial_merge_size, size = net->patch_size;

    for (int32_t y = 0; y < height; y++)
        for (int32_t x = left; x < left + width; x++)
            for (int32_t p = 0; p < merge * merge; p++)
                put_patch(s, shown, (y * merge + p / merge) * size,
                          (x * merge + p % merge) * size);
}

static void
put_slice(item_state *s, int64_t slice)
{
    const oriel_plan *plan = s->context->job->plan;
    const oriel_cuda_shapes *shapes = &s->context->weights->shapes;
    const int64_t *grid = &plan->info.grid_thw[3 * s->index];
    int32_t merge = plan->network.spatial_merge_size;
    int32_t side = oriel_network_window_tokens(&plan->network);
    int32_t rows = (int32_t)grid[1] / merge, columns = (int32_t)grid[2] / merge;
    int32_t pixels = oriel_network_token_pixels(&plan->network);
    int32_t shown =
        oriel_cuda_is_still(plan, s->index, slice) ? 1 : shapes->slices;
    size_t one = (size_t)shapes->slice_bytes;

    oriel_cuda_upload_rows(s->upload, (size_t)shown * one,
                           (size_t)shapes->slices * one);
    for (int32_t top = 0; top < rows; top += side) {
        int32_t height = rows - top < side ? rows - top : side;

        oriel_resample_slice(&s->bands, slice, top * pixels, height * pixels,
                             s->shown);
        for (int32_t left = 0; left < columns; left += side)
            put_window(s, shown, height, left,
                       columns - left < side ? columns - left : side);
    }
}

static void
put_item(oriel_backend_context *c, oriel_cuda_upload *upload,
         const scratch *memory, int64_t index)
{
    const oriel_plan *plan = c->job->plan;
    const oriel_input *input = c->job->input;
    const oriel_item *it = &plan->items[index];
    int64_t first = plan->first_frame[index];
    char *resampling = memory->memory + memory->resampler;
    item_state s = {.context = c, .upload = upload, .item = it, .index = index};

    s.bands = (oriel_bands){
        .resampler = oriel_resampler_init(
            memory->memory, plan->resample, it->width, it->height,
            it->resized_width, it->resized_height),
        .frames = input->frames + first,
        .pitches = input->pitches ? input->pitches + first : NULL,
        .n_frames = plan->first_frame[index + 1] - first,
        .source_width = it->width,
        .width = it->resized_width,
        .per_slice = plan->network.temporal_patch_size,
        .memory = (uint8_t *)resampling + memory->resampling,
        .band_bytes = memory->band,
        .scratch = resampling,
    };
    for (int64_t t = 0; t < plan->info.grid_thw[3 * index]; t++)
        put_slice(&s, t);
}

oriel_status
oriel_cuda_send_float_frames(oriel_backend_context *c, oriel_error *err)
{
    oriel_cuda_upload upload;
    scratch memory;
    oriel_status status = borrow(&memory, c, err);

    if (status)
        return status;
    oriel_cuda_upload_begin(&upload, &c->ring, c->stream, c->space.pixels);
    for (int64_t i = 0; i < c->job->plan->info.n_items; i++)
        put_item(c, &upload, &memory, i);
    return oriel_cuda_finish_upload(c, &upload, err);
}
