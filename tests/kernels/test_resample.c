/* SPDX-License-Identifier: Apache-2.0 */
/* Frames to patches: against host/pixels and a slow cut by the plan's arrays. */
#include "kernels/resample_case.h"
#include "support/fake_model.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

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
   words of its taps, so long that there are hundreds of taps, and a hundred times
   as long as wide. */
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
     5,
     {{1, 1, 1, 8, 8, 0},
      {2, 300, 1, 8, 8, 0},
      {301, 3, 1, 8, 16, 0},
      {805, 5, 1, 800, 8, 0},
      {3, 777, 1, 8, 784, 0}}},
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
    struct resample_case c =
        make_resample_case(&batches[_i / (int)COUNT(flavours)],
                           flavours[_i % (int)COUNT(flavours)]);
    uint8_t *out = malloc(c.bytes), *initial = malloc(c.bytes);
    uint8_t *expected = expected_pixels(&c);

    memset(initial, UNTOUCHED, c.bytes);
    ck_assert_int_eq(oriel_cuda_resample_prepare(NULL), cudaSuccess);
    device_check_schedules(run, &c, out, c.bytes, initial);
    check_bytes(&c, out, expected);
    free(out);
    free(initial);
    free(expected);
    free_resample_case(&c);
}
END_TEST

/* Rows and tokens far beyond 32 bits of bytes and of values: the array of places
   and the output begin so far before what there is of them. */
START_TEST(reaches_rows_of_any_number)
{
    static const batch one = {&tiny, 1, {{9, 8, 1, 8, 8, 0}}};
    const int64_t first_token = 3000000000, place = 530000000;
    struct resample_case c =
        make_resample_case(&one, ORIEL_RESAMPLE_TORCHVISION);
    const int32_t places[1] = {(int32_t)place};
    device_buffer d_places = device_upload(places, sizeof(places));
    uint8_t *out = malloc(c.bytes), *initial = malloc(c.bytes);
    uint8_t *expected = expected_pixels(&c);

    memset(initial, UNTOUCHED, c.bytes);
    c.jobs[0].first_token = first_token;
    ck_assert_int_eq(cudaMemcpy(c.d_jobs.data, c.jobs, c.d_jobs.bytes,
                                cudaMemcpyHostToDevice),
                     cudaSuccess);
    c.args.places = (const int32_t *)((uintptr_t)d_places.data -
                                      (uintptr_t)first_token * 4);
    c.rows_before = (uintptr_t)place * 4;
    ck_assert_int_eq(oriel_cuda_resample_prepare(NULL), cudaSuccess);
    device_check_schedules(run, &c, out, c.bytes, initial);
    check_bytes(&c, out, expected);
    device_release(d_places);
    free(out);
    free(initial);
    free(expected);
    free_resample_case(&c);
}
END_TEST

/* The same picture below five lines that are not read. */
START_TEST(skips_lines_that_are_not_read)
{
    enum { SKIPPED = 5 };
    static const batch one = {&tiny, 1, {{9, 20, 1, 8, 8, 0}}};
    struct resample_case c =
        make_resample_case(&one, ORIEL_RESAMPLE_TORCHVISION);
    oriel_resample_job *job = &c.jobs[0];
    const struct frame *f = &c.frames[0];
    const oriel_axis *down = &c.down[0].host;
    size_t before = SKIPPED * f->pitch;
    uint8_t *tall = calloc(before + f->bytes, 1);
    uint8_t *out = malloc(c.bytes), *initial = malloc(c.bytes);
    uint8_t *expected = expected_pixels(&c);
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
    ck_assert_int_eq(oriel_cuda_resample_prepare(NULL), cudaSuccess);
    memset(initial, UNTOUCHED, c.bytes);
    device_check_schedules(run, &c, out, c.bytes, initial);
    check_bytes(&c, out, expected);
    device_release(source);
    cudaFree(d_first);
    free(tall);
    free(initial);
    free(out);
    free(expected);
    free_resample_case(&c);
}
END_TEST

/* The pass order of Pillow 13 is in the batches, and matters. */
START_TEST(the_batches_go_both_ways)
{
    int orders[2] = {0, 0}, passes[3] = {0, 0, 0};
    struct resample_case c =
        make_resample_case(&batches[0], ORIEL_RESAMPLE_PILLOW);

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
    free_resample_case(&c);
}
END_TEST

/* Where 61 rows are cut down to their middle, only the middle waits. */
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
    tcase_add_test(tcase, skips_lines_that_are_not_read);
    tcase_add_test(tcase, the_batches_go_both_ways);
    tcase_add_test(tcase, only_rows_that_are_read_wait);
    tcase_add_test(tcase, refuses_jobs_that_do_not_fit);
    tcase_add_test(tcase, counts_blocks_of_the_largest_sizes);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
