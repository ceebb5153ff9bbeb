/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preprocess.c - frames to pixel_values, as a Hugging Face processor does it
 *
 * An item goes through in bands of a few token rows: resampled, then cut.  A
 * band of every frame of a temporal slice is at hand together; a still has one
 * frame, which stands for all of its slice.
 */
#include "base/checked.h"
#include "base/fail.h"
#include "base/memory.h"
#include "encode/job.h"
#include "pixels/bands.h"

/* Neighbouring bands resample the rows between them twice: high enough for
   that to be little, low enough for a band to stay in the cache. */
enum { TOKEN_ROWS = 4 };

typedef struct preprocessor {
    const oriel_plan *plan;
    const oriel_input *input;
    float table[3][256];
    /* of the item at hand */
    int32_t item, width; /* width after resizing */
    oriel_resampler *resampler;
    void *scratch;
    uint8_t *pixels;        /* [temporal_patch_size] bands of the slice */
    size_t band_bytes;      /* of one frame's band */
    const uint8_t **frames; /* [temporal_patch_size] token row in each band */
    const uint8_t **bands;  /* [temporal_patch_size] */
} preprocessor;

static void
release(preprocessor *p)
{
    const oriel_hooks *hooks = &p->plan->hooks;

    oriel_free(hooks, p->resampler);
    oriel_free(hooks, p->scratch);
    oriel_free(hooks, p->pixels);
    oriel_free(hooks, p->frames);
    p->resampler = NULL;
    p->scratch = NULL;
    p->pixels = NULL;
    p->frames = NULL;
}

static oriel_status
take(void **out, const preprocessor *p, size_t bytes, oriel_error *err)
{
    const oriel_item *item;

    *out = bytes == SIZE_MAX ? NULL : oriel_alloc(&p->plan->hooks, bytes);
    if (*out)
        return ORIEL_OK;
    item = &p->plan->items[p->item];
    oriel_fail_item(err, ORIEL_ERR_MEMORY, p->item,
                    "%d x %d: out of memory: wanted %zu bytes for "
                    "preprocessing",
                    item->width, item->height, bytes);
    return ORIEL_ERR_MEMORY;
}

static oriel_status
take_item(preprocessor *p, int32_t i, oriel_error *err)
{
    const oriel_item *item = &p->plan->items[i];
    const oriel_network *net = &p->plan->network;
    int32_t rows = TOKEN_ROWS * oriel_network_token_pixels(net);
    size_t frames = (size_t)net->temporal_patch_size, bytes;
    oriel_status status;
    void *memory;

    p->item = i;
    p->width = item->resized_width;
    bytes = oriel_resampler_bytes(p->plan->resample, item->width, item->height,
                                  item->resized_width, item->resized_height);
    status = take(&memory, p, bytes, err);
    if (status)
        return status;
    p->resampler = oriel_resampler_init(memory, p->plan->resample, item->width,
                                        item->height, item->resized_width,
                                        item->resized_height);
    status = take(&p->scratch, p,
                  oriel_resampler_scratch_bytes(p->resampler, rows), err);
    if (status)
        return status;
    p->band_bytes = (size_t)rows * (size_t)item->resized_width * 3;
    if (!oriel_mul_size(&bytes, p->band_bytes, frames))
        bytes = SIZE_MAX;
    status = take(&memory, p, bytes, err);
    if (status)
        return status;
    p->pixels = memory;
    status = take(&memory, p, 2 * frames * sizeof(*p->frames), err);
    if (status)
        return status;
    p->frames = memory;
    p->bands = p->frames + frames;
    return ORIEL_OK;
}

static void
resample_slice(preprocessor *p, int64_t slice, int32_t first_row, int32_t rows)
{
    int64_t first = p->plan->first_frame[p->item];
    oriel_bands bands = {
        .resampler = p->resampler,
        .frames = p->input->frames + first,
        .pitches = p->input->pitches ? p->input->pitches + first : NULL,
        .n_frames = p->plan->first_frame[p->item + 1] - first,
        .source_width = p->plan->items[p->item].width,
        .width = p->width,
        .per_slice = p->plan->network.temporal_patch_size,
        .memory = p->pixels,
        .band_bytes = p->band_bytes,
        .scratch = p->scratch,
    };

    oriel_resample_slice(&bands, slice, first_row, rows, p->bands);
}

/* Token row 'row' of the image is row 'row - first' of the bands. */
static float *
cut_token_row(const preprocessor *p, int32_t row, int32_t first, float *out)
{
    const oriel_network *net = &p->plan->network;
    int32_t grid_w = p->width / net->patch_size;
    size_t columns = (size_t)oriel_network_patch_columns(net);
    size_t side = (size_t)oriel_network_token_pixels(net);
    size_t pitch = (size_t)p->width * 3;

    for (int32_t f = 0; f < net->temporal_patch_size; f++)
        p->frames[f] = p->bands[f] + (size_t)(row - first) * side * pitch;
    oriel_patchify_band_f32(net, (const float(*)[256])p->table, p->frames,
                            pitch, grid_w, NULL, out, columns);
    return out + columns * (size_t)grid_w * (size_t)net->spatial_merge_size;
}

static oriel_status
preprocess_item(preprocessor *p, int32_t i, float *out, oriel_error *err)
{
    const int64_t *grid = &p->plan->info.grid_thw[3 * (int64_t)i];
    const oriel_network *net = &p->plan->network;
    int32_t token_rows = (int32_t)(grid[1] / net->spatial_merge_size);
    int32_t side = oriel_network_token_pixels(net);
    oriel_status status = take_item(p, i, err);

    for (int64_t t = 0; !status && t < grid[0]; t++)
        for (int32_t y = 0; y < token_rows; y += TOKEN_ROWS) {
            int32_t rows = token_rows - y;

            rows = rows < TOKEN_ROWS ? rows : TOKEN_ROWS;
            resample_slice(p, t, y * side, rows * side);
            for (int32_t k = y; k < y + rows; k++)
                out = cut_token_row(p, k, y, out);
        }
    release(p);
    return status;
}

static oriel_status
check(const oriel_plan *plan, oriel_input *in, const oriel_input *input,
      const float *pixel_values, size_t pixel_values_bytes, oriel_error *err)
{
    oriel_status status;
    size_t expected;

    if (!plan || !pixel_values)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT, "%s is NULL",
                          plan ? "pixel_values" : "plan");
    status = oriel_input_load(in, input, err);
    if (status)
        return status;
    if (!in->frames || in->pixels_memory != ORIEL_MEMORY_HOST)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "input: expected frames on the host");
    status = oriel_frames_check(plan, in, err);
    if (status)
        return status;
    expected = (size_t)plan->info.patches * (size_t)plan->info.patch_columns *
               sizeof(float);
    if (pixel_values_bytes != expected)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "pixel_values_bytes is %zu, expected %zu: %lld "
                          "patches of %d values",
                          pixel_values_bytes, expected,
                          (long long)plan->info.patches,
                          plan->info.patch_columns);
    return ORIEL_OK;
}

oriel_status
oriel_preprocess(const oriel_plan *plan, const oriel_input *input,
                 float *pixel_values, size_t pixel_values_bytes,
                 oriel_error *err)
{
    oriel_input in;
    preprocessor p = {.plan = plan, .input = &in};
    oriel_status status =
        check(plan, &in, input, pixel_values, pixel_values_bytes, err);

    if (status)
        return status;
    oriel_normalise_table(&plan->network, plan->resample, p.table);
    for (int32_t i = 0; i < plan->info.n_items; i++) {
        float *rows = pixel_values + (size_t)plan->first_patch[i] *
                                         (size_t)plan->info.patch_columns;

        status = preprocess_item(&p, i, rows, err);
        if (status)
            return status;
    }
    return oriel_ok(err);
}
