/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_preprocess.c - oriel_preprocess against Hugging Face's processors
 *
 * preprocess.txt holds digests of their pixel_values, written by
 * tests/parity/make_preprocess_digests.py.
 */
#include "pixels/made_image.h"
#include "plan/plan.h"
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct test_case {
    int backend, frames, kind, seed, height, width;
    long min_pixels, max_pixels;
    int do_rescale, do_normalize;
    double rescale_factor, mean, deviation;
    int grid[3];
    unsigned crc;
} test_case;

static int
read_case(FILE *file, test_case *c)
{
    return fscanf(file,
                  "%d %d %d %d %d %d %ld %ld %d %d %lf %lf %lf %d %d %d %x",
                  &c->backend, &c->frames, &c->kind, &c->seed, &c->height,
                  &c->width, &c->min_pixels, &c->max_pixels, &c->do_rescale,
                  &c->do_normalize, &c->rescale_factor, &c->mean, &c->deviation,
                  &c->grid[0], &c->grid[1], &c->grid[2], &c->crc) == 17;
}

/* The 7B preset with the case's preprocessor configuration. */
static oriel_plan *
make_plan(const test_case *c, const oriel_hooks *hooks)
{
    oriel_item item = {c->width, c->height, c->frames, 0, 0, 0};
    oriel_plan_options options = ORIEL_PLAN_OPTIONS_INIT;
    oriel_plan *plan;
    oriel_error err;

    options.resample =
        c->backend ? ORIEL_RESAMPLE_PILLOW : ORIEL_RESAMPLE_TORCHVISION;
    options.min_pixels = c->min_pixels;
    options.max_pixels = c->max_pixels;
    options.video_min_pixels = c->min_pixels;
    options.video_max_pixels = c->max_pixels;
    options.hooks = hooks;
    ck_assert_msg(!oriel_plan_create(&plan, oriel_model_preset("qwen2.5-vl-7b"),
                                     &item, 1, &options, &err),
                  "%s", err.message);
    plan->network.do_rescale = c->do_rescale;
    plan->network.do_normalize = c->do_normalize;
    plan->network.rescale_factor = c->rescale_factor;
    for (int k = 0; k < 3 && c->deviation != 0; k++) {
        plan->network.image_mean[k] = c->mean;
        plan->network.image_std[k] = c->deviation;
    }
    return plan;
}

static size_t
output_bytes(const oriel_plan *plan)
{
    return (size_t)plan->info.patches * (size_t)plan->info.patch_columns *
           sizeof(float);
}

static void
check_case(const test_case *c, size_t padding)
{
    size_t n = (size_t)(c->frames ? c->frames : 1);
    size_t pitch = (size_t)c->width * 3 + padding, pitches[8];
    oriel_plan *plan = make_plan(c, NULL);
    oriel_input input = ORIEL_INPUT_INIT;
    float *out = malloc(output_bytes(plan));
    uint8_t *frames[8];
    oriel_error err;

    ck_assert_uint_le(n, COUNT(frames));
    for (size_t f = 0; f < n; f++) {
        pitches[f] = pitch + f * padding;
        frames[f] = made_image_make(c->kind, (uint64_t)c->seed + f, c->height,
                                    c->width, pitches[f]);
    }
    input.frames = (const void *const *)frames;
    input.pitches = padding ? pitches : NULL;
    for (int k = 0; k < 3; k++)
        ck_assert_int_eq(c->grid[k], plan->info.grid_thw[k]);
    ck_assert_msg(
        !oriel_preprocess(plan, &input, out, output_bytes(plan), &err), "%s",
        err.message);
    ck_assert_msg(made_image_crc(0, out, output_bytes(plan)) == c->crc,
                  "backend %d: %d frames of %dx%d, picture %d, seed %d",
                  c->backend, c->frames, c->height, c->width, c->kind, c->seed);
    for (size_t f = 0; f < n; f++)
        free(frames[f]);
    free(out);
    oriel_plan_destroy(plan);
}

START_TEST(equals_processors)
{
    FILE *file = fopen(ORIEL_TEST_DATA "/preprocess.txt", "r");
    test_case c;
    int n = 0;

    ck_assert_ptr_nonnull(file);
    for (; read_case(file, &c); n++) {
        check_case(&c, 0);
        if (c.height * c.width < 100000)
            check_case(&c, 5);
    }
    ck_assert_int_ge(n, 127);
    fclose(file);
}
END_TEST

/* ---- A batch, and what callers get wrong ------------------------------- */

typedef struct batch {
    oriel_plan *plan;
    oriel_input input;
    uint8_t *frames[4];
    float *out;
    size_t bytes;
} batch;

/* A still, a video of two frames, a still. */
static batch
make_batch(const oriel_hooks *hooks)
{
    static const oriel_item items[3] = {
        {50, 30, 0, 0, 0, 0}, {61, 70, 2, 0, 0, 0}, {28, 56, 1, 0, 0, 0}};
    static const int item_of[4] = {0, 1, 1, 2};
    oriel_plan_options options = ORIEL_PLAN_OPTIONS_INIT;
    batch b = {.input = ORIEL_INPUT_INIT};

    options.hooks = hooks;
    ck_assert(!oriel_plan_create(&b.plan, oriel_model_preset("qwen2.5-vl-7b"),
                                 items, 3, &options, NULL));
    for (int f = 0; f < 4; f++)
        b.frames[f] = made_image_make(
            IMAGE_NOISE, (uint64_t)f, items[item_of[f]].height,
            items[item_of[f]].width, (size_t)items[item_of[f]].width * 3);
    b.bytes = output_bytes(b.plan);
    b.out = malloc(b.bytes);
    b.input.frames = NULL;
    return b;
}

static oriel_status
run_batch(batch *b, oriel_error *err)
{
    b->input.frames = (const void *const *)b->frames;
    return oriel_preprocess(b->plan, &b->input, b->out, b->bytes, err);
}

static void
free_batch(batch *b)
{
    for (int f = 0; f < 4; f++)
        free(b->frames[f]);
    free(b->out);
    oriel_plan_destroy(b->plan);
}

START_TEST(batch_is_its_items)
{
    static const int first_frame[3] = {0, 1, 3};
    batch b = make_batch(NULL);

    ck_assert_int_eq(ORIEL_OK, run_batch(&b, NULL));
    for (int i = 0; i < 3; i++) {
        oriel_item item = b.plan->items[i];
        oriel_input input = ORIEL_INPUT_INIT;
        oriel_plan *plan;
        size_t bytes;
        float *out;

        ck_assert(!oriel_plan_create(&plan, oriel_model_preset("qwen2.5-vl-7b"),
                                     &item, 1, NULL, NULL));
        bytes = output_bytes(plan);
        out = malloc(bytes);
        input.frames = (const void *const *)&b.frames[first_frame[i]];
        ck_assert(!oriel_preprocess(plan, &input, out, bytes, NULL));
        ck_assert_mem_eq(out, b.out + b.plan->first_patch[i] * 1176, bytes);
        free(out);
        oriel_plan_destroy(plan);
    }
    free_batch(&b);
}
END_TEST

static void
expect_argument(const oriel_plan *plan, const oriel_input *input, float *out,
                size_t bytes, int32_t item, const char *words)
{
    oriel_error err;

    ck_assert_int_eq(ORIEL_ERR_ARGUMENT,
                     oriel_preprocess(plan, input, out, bytes, &err));
    ck_assert_int_eq(item, err.item);
    ck_assert_msg(strstr(err.message, words) != NULL, "%s", err.message);
    ck_assert_int_eq(ORIEL_ERR_ARGUMENT,
                     oriel_preprocess(plan, input, out, bytes, NULL));
}

START_TEST(refuses_wrong_arguments)
{
    batch b = make_batch(NULL);
    size_t pitches[4] = {150, 183, 182, 84};
    oriel_input in = b.input;

    in.frames = (const void *const *)b.frames;
    expect_argument(NULL, &in, b.out, b.bytes, -1, "plan");
    expect_argument(b.plan, NULL, b.out, b.bytes, -1, "input");
    expect_argument(b.plan, &in, NULL, b.bytes, -1, "pixel_values");
    expect_argument(b.plan, &in, b.out, b.bytes - 4, -1, "pixel_values_bytes");
    in.pitches = pitches;
    expect_argument(b.plan, &in, b.out, b.bytes, 1, "pitches[2]");
    in.pitches = NULL;
    in.pixels_memory = ORIEL_MEMORY_DEVICE;
    expect_argument(b.plan, &in, b.out, b.bytes, -1, "host");
    in.pixels_memory = ORIEL_MEMORY_HOST;
    in.struct_size = 8;
    expect_argument(b.plan, &in, b.out, b.bytes, -1, "struct_size");
    in = b.input;
    expect_argument(b.plan, &in, b.out, b.bytes, -1, "frames");
    in.pixel_values = b.out;
    expect_argument(b.plan, &in, b.out, b.bytes, -1, "frames");
    free(b.frames[3]);
    b.frames[3] = NULL;
    in = b.input;
    in.frames = (const void *const *)b.frames;
    expect_argument(b.plan, &in, b.out, b.bytes, 2, "frames[3]");
    free_batch(&b);
}
END_TEST

START_TEST(refuses_a_plan_from_grids)
{
    static const int64_t grid[3] = {1, 4, 4};
    const void *frame = grid;
    oriel_input input = ORIEL_INPUT_INIT;
    float out[16 * 1176];
    oriel_plan *plan;

    ck_assert(!oriel_plan_create_from_grids(
        &plan, oriel_model_preset("qwen2.5-vl-7b"), grid, 1, NULL, NULL));
    input.frames = &frame;
    expect_argument(plan, &input, out, sizeof(out), -1, "grids");
    oriel_plan_destroy(plan);
}
END_TEST

/* ---- Memory ------------------------------------------------------------ */

typedef struct heap {
    int allowed, live; /* allowed < 0: no limit */
} heap;

static void *
heap_alloc(void *user, size_t bytes, size_t alignment)
{
    heap *h = user;
    void *memory;

    if (h->allowed == 0 || posix_memalign(&memory, alignment, bytes))
        return NULL;
    h->allowed -= h->allowed > 0;
    h->live++;
    return memory;
}

static void
heap_free(void *user, void *memory)
{
    heap *h = user;

    h->live -= memory != NULL;
    free(memory);
}

START_TEST(survives_every_failed_allocation)
{
    heap h = {-1, 0};
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_status status = ORIEL_ERR_MEMORY;
    batch b;
    int live, n = 0;

    hooks.user = &h;
    hooks.alloc = heap_alloc;
    hooks.free = heap_free;
    b = make_batch(&hooks);
    live = h.live;
    for (; status == ORIEL_ERR_MEMORY && n < 100; n++) {
        oriel_error err;

        h.allowed = n;
        status = run_batch(&b, &err);
        ck_assert_int_eq(status, err.status);
        ck_assert_int_eq(live, h.live);
    }
    ck_assert_int_eq(ORIEL_OK, status);
    ck_assert_int_gt(n, 9); /* three items took at least three each */
    free_batch(&b);
    ck_assert_int_eq(0, h.live);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("preprocess");
    TCase *tests = tcase_create("preprocess");

    tcase_set_timeout(tests, 200);
    tcase_add_test(tests, equals_processors);
    tcase_add_test(tests, batch_is_its_items);
    tcase_add_test(tests, refuses_wrong_arguments);
    tcase_add_test(tests, refuses_a_plan_from_grids);
    tcase_add_test(tests, survives_every_failed_allocation);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
