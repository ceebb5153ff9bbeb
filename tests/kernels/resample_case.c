/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/resample_case.h"

#include "pixels/pixels.h"
#include "support/fake_model.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* ---- The batch ------------------------------------------------------------ */

static void
make_plan(struct resample_case *c)
{
    oriel_plan_options options = ORIEL_PLAN_OPTIONS_INIT;
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    oriel_error err;

    options.resample = c->resample;
    ck_assert_msg(oriel_plan_create(&c->plan, model_of(c->batch->network),
                                    c->batch->items, (size_t)c->batch->n_items,
                                    &options, &err) == ORIEL_OK,
                  "%s", err.message);
    ck_assert_int_eq(oriel_plan_get_info(c->plan, &info, &err), ORIEL_OK);
    c->info = info;
}

/* Random pixels, a pitch of their own, and not one byte after the last pixel,
   here or on the device, where the first byte's alignment is any. */
static void
make_source(struct frame *f, const oriel_item *item, random_stream *random)
{
    size_t offset = (size_t)random_between(random, 0, 3);

    f->pitch = (size_t)item->width * 3 + (size_t)random_between(random, 0, 7);
    f->bytes = f->pitch * ((size_t)item->height - 1) + (size_t)item->width * 3;
    f->source = malloc(f->bytes);
    for (size_t i = 0; i < f->bytes; i++)
        f->source[i] = (uint8_t)random_u64(random);
    /* Runs of the extremes, so that sums are clipped at both ends. */
    for (size_t i = 0; i < f->bytes; i += 64)
        memset(f->source + i, i / 64 % 2 ? 255 : 0,
               f->bytes - i < 24 ? f->bytes - i : 24);
    ck_assert_int_eq(cudaMalloc(&f->d_memory, offset + f->bytes), cudaSuccess);
    ck_assert_int_eq(cudaMemcpy((char *)f->d_memory + offset, f->source,
                                f->bytes, cudaMemcpyHostToDevice),
                     cudaSuccess);
    f->d_memory = (char *)f->d_memory + offset;
}

static void
make_frames(struct resample_case *c)
{
    random_stream random = {11};
    int32_t per_slice = c->batch->network->temporal_patch_size;

    for (int32_t i = 0; i < c->batch->n_items; i++) {
        const int64_t *grid = &c->info.grid_thw[3 * i];
        int64_t slice_tokens =
            (c->info.offsets[i + 1] - c->info.offsets[i]) / grid[0];
        int32_t n = c->batch->items[i].frames ? c->batch->items[i].frames : 1;

        for (int32_t k = 0; k < n; k++) {
            struct frame *f = &c->frames[c->n_frames++];

            f->item = i;
            f->slice = k % per_slice;
            f->first_token = c->info.offsets[i] + k / per_slice * slice_tokens;
            make_source(f, &c->batch->items[i], &random);
        }
    }
}

/* ---- What the host sends -------------------------------------------------- */

int32_t *
upload_exactly(const int32_t *host, size_t n)
{
    void *data;

    ck_assert_int_eq(cudaMalloc(&data, n * 4), cudaSuccess);
    ck_assert_int_eq(cudaMemcpy(data, host, n * 4, cudaMemcpyHostToDevice),
                     cudaSuccess);
    return data;
}

static void
make_axis(struct axis_arrays *a, int32_t resample, int32_t source, int32_t size)
{
    size_t bytes, n = (size_t)size;

    a->host.source = source;
    a->host.size = size;
    if (source == size)
        return;
    ck_assert(oriel_axis_bytes(source, size, &bytes));
    a->memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
    oriel_axis_init(&a->host, resample, source, size, a->memory);
    a->first = upload_exactly(a->host.first, n);
    a->count = upload_exactly(a->host.count, n);
    a->weights =
        upload_exactly(a->host.weights.fixed, n * (size_t)a->host.max_taps);
}

static oriel_resample_axis
axis_on_device(const struct axis_arrays *a)
{
    return (oriel_resample_axis){a->first,       a->count,     a->weights,
                                 a->host.source, a->host.size, a->host.max_taps,
                                 a->host.shift};
}

static void
make_job(struct resample_case *c, int32_t k)
{
    const struct frame *f = &c->frames[k];
    const struct axis_arrays *down = &c->down[f->item];
    oriel_resample_job *job = &c->jobs[k];
    size_t most, bytes;

    *job = (oriel_resample_job){.source = f->d_memory,
                                .pitch = (int64_t)f->pitch,
                                .across = axis_on_device(&c->across[f->item]),
                                .down = axis_on_device(down),
                                .first_token = f->first_token,
                                .slice = f->slice};
    job->vertical_first = oriel_resample_vertical_first(
        c->resample, job->across.source, job->down.source, job->across.size,
        job->down.size);
    most = oriel_cuda_resample_measure(job, NULL, NULL);
    bytes =
        oriel_cuda_resample_measure(job, down->host.first, down->host.count);
    ck_assert_uint_le(bytes, most);
    if (bytes == 0)
        return;
    c->waiting[k] = device_output(bytes);
    job->waiting = c->waiting[k].data;
}

struct resample_case
make_resample_case(const batch *b, int32_t resample)
{
    struct resample_case c = {.batch = b, .resample = resample};
    const oriel_network *net = b->network;

    make_plan(&c);
    make_frames(&c);
    for (int32_t i = 0; i < b->n_items; i++) {
        const oriel_item *item = &b->items[i];

        make_axis(&c.across[i], resample, item->width, item->resized_width);
        make_axis(&c.down[i], resample, item->height, item->resized_height);
    }
    for (int32_t k = 0; k < c.n_frames; k++)
        make_job(&c, k);
    c.args = (oriel_resample_args){.resample = resample,
                                   .patch_size = net->patch_size,
                                   .slices = net->temporal_patch_size,
                                   .merge = net->spatial_merge_size};
    ck_assert_int_eq(oriel_cuda_resample_number(&c.args, c.jobs, c.n_frames),
                     cudaSuccess);
    c.d_jobs =
        device_upload(c.jobs, (size_t)c.n_frames * sizeof(oriel_resample_job));
    c.d_places =
        device_upload(c.info.window_inverse, (size_t)c.info.tokens * 4);
    c.args.jobs = c.d_jobs.data;
    c.args.places = c.d_places.data;
    c.row_bytes = (size_t)(net->temporal_patch_size * net->patch_size *
                           oriel_cuda_patch_line(net->patch_size));
    c.bytes = (size_t)c.info.patches * c.row_bytes;
    return c;
}

static void
free_axis(struct axis_arrays *a)
{
    if (a->memory == NULL)
        return;
    cudaFree(a->first);
    cudaFree(a->count);
    cudaFree(a->weights);
    free(a->memory);
}

void
free_resample_case(struct resample_case *c)
{
    for (int32_t k = 0; k < c->n_frames; k++) {
        uintptr_t memory = (uintptr_t)c->frames[k].d_memory;

        ck_assert_int_eq(cudaFree((void *)(memory / 4 * 4)), cudaSuccess);
        free(c->frames[k].source);
        if (c->waiting[k].data) {
            void *rows = malloc(c->waiting[k].bytes);

            device_download(rows, c->waiting[k]);
            device_release(c->waiting[k]);
            free(rows);
        }
    }
    for (int32_t i = 0; i < c->batch->n_items; i++) {
        free_axis(&c->across[i]);
        free_axis(&c->down[i]);
    }
    device_release(c->d_jobs);
    device_release(c->d_places);
    oriel_plan_destroy(c->plan);
}

/* ---- What should come out ------------------------------------------------- */

static uint8_t *
resample_on_host(const struct resample_case *c, const struct frame *f)
{
    const oriel_item *i = &c->batch->items[f->item];
    size_t pitch = (size_t)i->resized_width * 3;
    size_t bytes = oriel_resampler_bytes(c->resample, i->width, i->height,
                                         i->resized_width, i->resized_height);
    void *memory = aligned_alloc(64, (bytes + 63) / 64 * 64), *scratch;
    uint8_t *out = malloc(pitch * (size_t)i->resized_height);
    oriel_resampler *r =
        oriel_resampler_init(memory, c->resample, i->width, i->height,
                             i->resized_width, i->resized_height);

    bytes = oriel_resampler_scratch_bytes(r, i->resized_height);
    scratch = aligned_alloc(64, (bytes + 63) / 64 * 64);
    oriel_resample_band(r, f->source, f->pitch, 0, i->resized_height, out,
                        pitch, scratch);
    free(memory);
    free(scratch);
    return out;
}

/* The place in window order of a token, looked for in the other array. */
static int64_t
place_of(const struct resample_case *c, int64_t token)
{
    int64_t place = 0;

    while (c->info.window_index[place] != token)
        place++;
    return place;
}

/* Pixel after pixel of the frame to where the plan puts it. */
static void
cut_slowly(const struct resample_case *c, const struct frame *f,
           const uint8_t *pixels, uint8_t *out)
{
    const oriel_item *item = &c->batch->items[f->item];
    const oriel_network *net = c->batch->network;
    int32_t patch = net->patch_size, merge = net->spatial_merge_size;
    int32_t side = patch * merge, line = oriel_cuda_patch_line(patch);
    int32_t tokens_across = item->resized_width / side;

    for (int32_t y = 0; y < item->resized_height; y++)
        for (int32_t x = 0; x < item->resized_width; x++) {
            int64_t token =
                f->first_token + y / side * tokens_across + x / side;
            int64_t row = place_of(c, token) * merge * merge +
                          y % side / patch * merge + x % side / patch;
            uint8_t *to = out + (size_t)row * c->row_bytes +
                          (size_t)((f->slice * patch + y % patch) * line);

            if (x % patch == 0)
                memset(to, 0, (size_t)line);
            memcpy(to + 3 * (x % patch),
                   pixels +
                       ((size_t)y * (size_t)item->resized_width + (size_t)x) *
                           3,
                   3);
        }
}

uint8_t *
expected_pixels(const struct resample_case *c)
{
    uint8_t *out = malloc(c->bytes);

    memset(out, UNTOUCHED, c->bytes);
    for (int32_t k = 0; k < c->n_frames; k++) {
        uint8_t *pixels = resample_on_host(c, &c->frames[k]);

        cut_slowly(c, &c->frames[k], pixels, out);
        free(pixels);
    }
    return out;
}
