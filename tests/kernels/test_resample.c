/* SPDX-License-Identifier: Apache-2.0 */
/* Frames to patches: against host/pixels and a slow cut by the plan's arrays. */
#include "base/network.h"
#include "kernels/device_case.h"
#include "oriel.h"
#include "pixels/axis.h"
#include "pixels/pixels.h"
#include "plan/fake_model.h"
#include "support/suite.h"

#include "ops.h"

#include <stdlib.h>
#include <string.h>

enum { UNTOUCHED = 0xA5, MAX_ITEMS = 8, MAX_JOBS = 12 };

static const oriel_network tiny = {.depth = 1,
                                   .hidden_size = 32,
                                   .intermediate_size = 64,
                                   .num_heads = 2,
                                   .head_dim = 16,
                                   .out_hidden_size = 32,
                                   .in_channels = 3,
                                   .patch_size = 4,
                                   .temporal_patch_size = 2,
                                   .spatial_merge_size = 2,
                                   .window_size = 16,
                                   .rope_theta = 10000.0,
                                   .min_pixels = 64,
                                   .max_pixels = 65536,
                                   .rescale_factor = 1 / 255.0,
                                   .do_rescale = 1,
                                   .do_normalize = 1};

typedef struct batch {
    const oriel_network *network;
    int32_t n_items;
    oriel_item items[MAX_ITEMS]; /* width, height, frames, resized */
} batch;

/* Lines of patches end within a thread's four pixels, and so do images. */
static const oriel_network odd = {.depth = 1,
                                  .hidden_size = 32,
                                  .intermediate_size = 64,
                                  .num_heads = 2,
                                  .head_dim = 16,
                                  .out_hidden_size = 32,
                                  .in_channels = 3,
                                  .patch_size = 5,
                                  .temporal_patch_size = 1,
                                  .spatial_merge_size = 1,
                                  .window_size = 10,
                                  .rope_theta = 10000.0,
                                  .min_pixels = 25,
                                  .max_pixels = 65536,
                                  .rescale_factor = 1 / 255.0,
                                  .do_rescale = 1,
                                  .do_normalize = 1};

/* Up, down, either axis kept, both kept, vertical first in Pillow 13, a video
   whose last frame stands alone; then sides so small that no line holds the
   words of its taps, and so long that there are hundreds of taps. */
static const batch batches[] = {
    {&tiny,
     7,
     {{19, 13, 1, 24, 16, 0},
      {40, 37, 1, 16, 24, 0},
      {24, 30, 1, 24, 16, 0},
      {21, 16, 0, 32, 16, 0},
      {16, 24, 1, 16, 24, 0},
      {17, 61, 1, 16, 16, 0},
      {20, 18, 3, 40, 24, 0}}},
    {&network_7b,
     4,
     {{33, 20, 1, 140, 28, 0},
      {29, 71, 1, 28, 28, 0},
      {45, 28, 2, 28, 28, 0},
      {28, 56, 1, 28, 56, 0}}},
    {&tiny,
     3,
     {{1, 1, 1, 8, 8, 0}, {2, 300, 1, 8, 8, 0}, {301, 3, 1, 8, 16, 0}}},
    {&odd,
     5,
     {{9, 12, 1, 15, 5, 0},
      {16, 43, 1, 15, 10, 0},
      {15, 21, 1, 15, 20, 0},
      {37, 10, 2, 35, 10, 0},
      {25, 5, 1, 25, 5, 0}}},
};

static const int32_t flavours[] = {
    ORIEL_RESAMPLE_TORCHVISION, ORIEL_RESAMPLE_PILLOW, ORIEL_RESAMPLE_PILLOW12};

struct frame {
    int32_t item, slice; /* of the patch */
    int64_t first_token; /* of its temporal slice */
    uint8_t *source;
    size_t pitch, bytes;
    void *d_memory; /* the source lies at its end */
};

struct axis_arrays {
    oriel_axis host;
    void *memory;
    int32_t *first, *count, *weights; /* on the device */
};

struct resample_case {
    const batch *batch;
    int32_t resample;
    oriel_plan *plan;
    oriel_plan_info info;
    struct frame frames[MAX_JOBS];
    int32_t n_frames;
    struct axis_arrays across[MAX_ITEMS], down[MAX_ITEMS];
    oriel_resample_job jobs[MAX_JOBS];
    device_buffer waiting[MAX_JOBS];
    device_buffer d_jobs, d_places;
    oriel_resample_args args;
    size_t row_bytes, bytes;
    uintptr_t rows_before; /* of the output, in front of what there is of it */
};

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

/* Random pixels, a pitch of their own, and not one byte behind the last pixel,
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

/* Not one byte more, so that reading on is seen. */
static int32_t *
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

static struct resample_case
make_case(const batch *b, int32_t resample)
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

/* Checks the guards of the rows that waited, too. */
static void
free_case(struct resample_case *c)
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

static uint8_t *
expect(const struct resample_case *c)
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

/* ---- Tests ---------------------------------------------------------------- */

static cudaError_t
run(void *context, void *out)
{
    struct resample_case *c = context;

    for (int32_t k = 0; k < c->n_frames; k++)
        if (c->waiting[k].data)
            cudaMemsetAsync(c->waiting[k].data, UNTOUCHED, c->waiting[k].bytes,
                            NULL);
    c->args.pixels =
        (uint8_t *)((uintptr_t)out - c->rows_before * c->row_bytes);
    return oriel_cuda_resample(&c->args, NULL);
}

static void
check_bytes(const struct resample_case *c, const uint8_t *out,
            const uint8_t *expected)
{
    for (size_t i = 0; i < c->bytes; i++)
        ck_assert_msg(out[i] == expected[i],
                      "row %zu byte %zu: %d, not %d (batch of %d, flavour %d)",
                      i / c->row_bytes, i % c->row_bytes, out[i], expected[i],
                      c->batch->n_items, c->resample);
}

START_TEST(equals_the_host)
{
    struct resample_case c = make_case(&batches[_i / (int)COUNT(flavours)],
                                       flavours[_i % (int)COUNT(flavours)]);
    uint8_t *out = malloc(c.bytes), *initial = malloc(c.bytes);
    uint8_t *expected = expect(&c);

    memset(initial, UNTOUCHED, c.bytes);
    ck_assert_int_eq(oriel_cuda_resample_prepare(), cudaSuccess);
    device_check_schedules(run, &c, out, c.bytes, initial);
    check_bytes(&c, out, expected);
    free(out);
    free(initial);
    free(expected);
    free_case(&c);
}
END_TEST

/* Rows and tokens far beyond 32 bits of bytes and of values: the array of places
   and the output begin so far before what there is of them. */
START_TEST(reaches_rows_of_any_number)
{
    static const batch one = {&tiny, 1, {{9, 8, 1, 8, 8, 0}}};
    const int64_t first_token = 3000000000, place = 530000000;
    struct resample_case c = make_case(&one, ORIEL_RESAMPLE_TORCHVISION);
    const int32_t places[1] = {(int32_t)place};
    device_buffer d_places = device_upload(places, sizeof(places));
    uint8_t *out = malloc(c.bytes), *initial = malloc(c.bytes);
    uint8_t *expected = expect(&c);

    memset(initial, UNTOUCHED, c.bytes);
    c.jobs[0].first_token = first_token;
    ck_assert_int_eq(cudaMemcpy(c.d_jobs.data, c.jobs, c.d_jobs.bytes,
                                cudaMemcpyHostToDevice),
                     cudaSuccess);
    c.args.places = (const int32_t *)((uintptr_t)d_places.data -
                                      (uintptr_t)first_token * 4);
    c.rows_before = (uintptr_t)place * 4;
    ck_assert_int_eq(oriel_cuda_resample_prepare(), cudaSuccess);
    device_check_schedules(run, &c, out, c.bytes, initial);
    check_bytes(&c, out, expected);
    device_release(d_places);
    free(out);
    free(initial);
    free(expected);
    free_case(&c);
}
END_TEST

/* The same picture below five lines that nobody reads. */
START_TEST(skips_lines_that_nobody_reads)
{
    enum { SKIPPED = 5 };
    static const batch one = {&tiny, 1, {{9, 20, 1, 8, 8, 0}}};
    struct resample_case c = make_case(&one, ORIEL_RESAMPLE_TORCHVISION);
    oriel_resample_job *job = &c.jobs[0];
    const struct frame *f = &c.frames[0];
    const oriel_axis *down = &c.down[0].host;
    size_t before = SKIPPED * f->pitch;
    uint8_t *tall = calloc(before + f->bytes, 1);
    uint8_t *out = malloc(c.bytes), *initial = malloc(c.bytes);
    uint8_t *expected = expect(&c);
    int32_t first[8], *d_first;
    device_buffer source;

    memcpy(tall + before, f->source, f->bytes);
    source = device_upload(tall, before + f->bytes);
    for (int32_t y = 0; y < 8; y++)
        first[y] = down->first[y] + SKIPPED;
    d_first = upload_exactly(first, 8);
    job->source = source.data;
    job->down.source += SKIPPED;
    job->down.first = d_first;
    ck_assert_uint_eq(oriel_cuda_resample_measure(job, first, down->count),
                      c.waiting[0].bytes);
    ck_assert_int_eq(job->waiting_first, SKIPPED);
    ck_assert_int_eq(cudaMemcpy(c.d_jobs.data, c.jobs, c.d_jobs.bytes,
                                cudaMemcpyHostToDevice),
                     cudaSuccess);
    ck_assert_int_eq(oriel_cuda_resample_prepare(), cudaSuccess);
    memset(initial, UNTOUCHED, c.bytes);
    device_check_schedules(run, &c, out, c.bytes, initial);
    check_bytes(&c, out, expected);
    device_release(source);
    cudaFree(d_first);
    free(tall);
    free(initial);
    free(out);
    free(expected);
    free_case(&c);
}
END_TEST

/* The pass order of Pillow 13 is in the batches, and matters. */
START_TEST(the_batches_go_both_ways)
{
    int orders[2] = {0, 0}, passes[3] = {0, 0, 0};
    struct resample_case c = make_case(&batches[0], ORIEL_RESAMPLE_PILLOW);

    for (int32_t k = 0; k < c.n_frames; k++) {
        int across = c.jobs[k].across.source != c.jobs[k].across.size;
        int down = c.jobs[k].down.source != c.jobs[k].down.size;

        passes[across + down]++;
        if (across && down)
            orders[c.jobs[k].vertical_first]++;
    }
    ck_assert_int_gt(orders[0], 0);
    ck_assert_int_gt(orders[1], 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_gt(passes[i], 0);
    free_case(&c);
}
END_TEST

/* Of 61 rows cut down to their middle, only the middle waits. */
START_TEST(only_rows_that_are_read_wait)
{
    const int32_t first[2] = {20, 18}, count[2] = {3, 9};
    oriel_resample_job job = {.across = {.source = 10, .size = 8},
                              .down = {.source = 61, .size = 2}};

    ck_assert_uint_eq(oriel_cuda_resample_measure(&job, first, count), 9 * 32);
    ck_assert_int_eq(job.waiting_first, 18);
    ck_assert_int_eq(job.waiting_rows, 9);
    ck_assert_uint_eq(oriel_cuda_resample_measure(&job, NULL, NULL), 61 * 32);
    job.vertical_first = 1;
    ck_assert_uint_eq(oriel_cuda_resample_measure(&job, first, count), 2 * 32);
    ck_assert_int_eq(job.waiting_first, 0);
    job.across.size = 10;
    ck_assert_uint_eq(oriel_cuda_resample_measure(&job, first, count), 0);
    ck_assert_int_eq(job.waiting_pitch, 0);
}
END_TEST

START_TEST(refuses_what_it_cannot)
{
    static _Alignas(16) uint8_t memory[16];
    oriel_resample_args good = {
        .pixels = memory, .patch_size = 14, .slices = 2, .merge = 2};
    oriel_resample_args bad;

    ck_assert_int_eq(oriel_cuda_resample_prepare(), cudaSuccess);
    ck_assert_int_eq(oriel_cuda_resample(&good, NULL), cudaSuccess);
    bad = good, bad.resample = ORIEL_RESAMPLE_FLOAT;
    ck_assert_int_eq(oriel_cuda_resample(&bad, NULL), cudaErrorInvalidValue);
    bad = good, bad.resample = -1;
    ck_assert_int_eq(oriel_cuda_resample(&bad, NULL), cudaErrorInvalidValue);
    bad = good, bad.patch_size = 33;
    ck_assert_int_eq(oriel_cuda_resample(&bad, NULL), cudaErrorInvalidValue);
    bad = good, bad.slices = 3;
    ck_assert_int_eq(oriel_cuda_resample(&bad, NULL), cudaErrorInvalidValue);
    bad = good, bad.merge = 0;
    ck_assert_int_eq(oriel_cuda_resample(&bad, NULL), cudaErrorInvalidValue);
    bad = good, bad.pixels = memory + 4;
    ck_assert_int_eq(oriel_cuda_resample(&bad, NULL), cudaErrorInvalidValue);
}
END_TEST

static cudaError_t
number(oriel_resample_job job)
{
    oriel_resample_args args = {.patch_size = 14, .slices = 2, .merge = 2};

    return oriel_cuda_resample_number(&args, &job, 1);
}

START_TEST(refuses_jobs_that_do_not_fit)
{
    static _Alignas(16) uint8_t memory[16];
    static const int32_t array[1];
    const oriel_resample_axis kept = {.source = 28, .size = 28};
    const oriel_resample_axis changed = {array, array, array, 30, 28, 1, 22};
    oriel_resample_job good = {
        .source = memory, .pitch = 90, .across = changed, .down = changed};
    oriel_resample_job bad;

    oriel_cuda_resample_measure(&good, NULL, NULL);
    ck_assert_int_eq(number(good), cudaErrorInvalidValue); /* nothing waits */
    good.waiting = memory;
    ck_assert_int_eq(number(good), cudaSuccess);
    bad = good, bad.waiting = memory + 8;
    ck_assert_int_eq(number(bad), cudaErrorInvalidValue);
    bad = good, bad.source = NULL;
    ck_assert_int_eq(number(bad), cudaErrorInvalidValue);
    bad = good, bad.pitch = 89;
    ck_assert_int_eq(number(bad), cudaErrorInvalidValue);
    bad = good, bad.slice = 2;
    ck_assert_int_eq(number(bad), cudaErrorInvalidValue);
    bad = good, bad.first_token = -1;
    ck_assert_int_eq(number(bad), cudaErrorInvalidValue);
    bad = good, bad.across.size = 27;
    ck_assert_int_eq(number(bad), cudaErrorInvalidValue);
    bad = good, bad.down.weights = NULL;
    ck_assert_int_eq(number(bad), cudaErrorInvalidValue);
    bad = good, bad.down = kept; /* measured for two passes */
    ck_assert_int_eq(number(bad), cudaErrorInvalidValue);
    bad = good, bad.waiting_pitch = 0;
    ck_assert_int_eq(number(bad), cudaErrorInvalidValue);
}
END_TEST

/* Blocks are counted without overflow, and refused beyond a grid. */
START_TEST(counts_blocks_of_the_largest_sizes)
{
    static _Alignas(16) uint8_t memory[16];
    static const int32_t array[1];
    const int32_t large = INT32_MAX / 28 * 28;
    oriel_resample_job jobs[2] = {{.source = memory, .pitch = 3LL * large}};
    oriel_resample_args args = {.patch_size = 14, .slices = 2, .merge = 2};

    jobs[0].across = (oriel_resample_axis){.source = large, .size = large};
    jobs[0].down = (oriel_resample_axis){.source = 28, .size = 28};
    jobs[1] = jobs[0];
    /* two rows of large / 14 patches, 56 threads each, 256 threads a block */
    const int64_t blocks = (2LL * (large / 14) * 56 + 255) / 256;

    ck_assert_int_eq(oriel_cuda_resample_number(&args, jobs, 2), cudaSuccess);
    ck_assert_int_eq(args.blocks[0], 0);
    ck_assert_int_eq(args.blocks[1], 2 * blocks);
    ck_assert_int_eq(jobs[1].first_block[1], blocks);

    jobs[1].across =
        (oriel_resample_axis){array, array, array, 28, large, 1, 22};
    jobs[1].down =
        (oriel_resample_axis){array, array, array, INT32_MAX, 28, 1, 22};
    jobs[1].waiting = memory;
    oriel_cuda_resample_measure(&jobs[1], NULL, NULL);
    ck_assert_int_eq(oriel_cuda_resample_number(&args, jobs, 2),
                     cudaErrorInvalidConfiguration);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("resample");
    TCase *tcase = tcase_create("resample");

    _Static_assert((int)ORIEL_CUDA_TORCHVISION ==
                           (int)ORIEL_RESAMPLE_TORCHVISION &&
                       (int)ORIEL_CUDA_PILLOW == (int)ORIEL_RESAMPLE_PILLOW &&
                       (int)ORIEL_CUDA_PILLOW12 == (int)ORIEL_RESAMPLE_PILLOW12,
                   "the flavours' numbers");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, equals_the_host, 0,
                        COUNT(batches) * COUNT(flavours));
    tcase_add_test(tcase, reaches_rows_of_any_number);
    tcase_add_test(tcase, skips_lines_that_nobody_reads);
    tcase_add_test(tcase, the_batches_go_both_ways);
    tcase_add_test(tcase, only_rows_that_are_read_wait);
    tcase_add_test(tcase, refuses_what_it_cannot);
    tcase_add_test(tcase, refuses_jobs_that_do_not_fit);
    tcase_add_test(tcase, counts_blocks_of_the_largest_sizes);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
