/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_preprocess.c - a picture or video of any size, lines any distance apart:
 * the same patches as of tight lines, and no byte between the lines is read
 */
#include "fuzz/fuzz.h"
#include "fuzz/scratch.h"
#include "fuzz/tiny_folder.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Most pictures are small, so that most of the time goes into their variety. */
enum { SMALL_SIDE = 24, MAX_SIDE = 96, MAX_FRAMES = 4, MAX_PIXELS = 96 * 96 };

static void
read_item(oriel_item *item, fuzz_input *input)
{
    const uint8_t flags = fuzz_take_u8(input);
    const bool large = (flags & 0xc0) == 0xc0;
    const int32_t side = large ? MAX_SIDE : SMALL_SIDE;

    memset(item, 0, sizeof(*item));
    item->width = 1 + fuzz_take_u8(input) % side;
    item->height = 1 + fuzz_take_u8(input) % side;
    item->frames = 1 + flags % MAX_FRAMES;
    if (flags & 16) {
        item->resized_width = 8 * (1 + fuzz_take_u8(input) % (side / 6));
        item->resized_height = 8 * (1 + fuzz_take_u8(input) % (side / 6));
    }
    if (flags & 32)
        item->kind = ORIEL_KIND_VIDEO;
}

/* A frame with lines 'pitch' bytes apart.  It ends with its last pixel, and what
   lies between the lines differs from call to call. */
static uint8_t *
make_frame(const oriel_item *item, fuzz_input pixels, size_t pitch)
{
    static uint8_t between;
    const size_t line = 3 * (size_t)item->width;
    const size_t bytes = pitch * (size_t)(item->height - 1) + line;
    uint8_t *frame = malloc(bytes);

    FUZZ_CHECK(frame);
    memset(frame, between++, bytes);
    for (int32_t y = 0; y < item->height; y++)
        for (size_t i = 0; i < line; i++) {
            const size_t at = (size_t)y * line + i;

            frame[pitch * (size_t)y + i] =
                pixels.bytes ? (uint8_t)(pixels.at[at % pixels.bytes] + at / 7)
                             : 0;
        }
    return frame;
}

static float *
preprocess(const oriel_plan *plan, const oriel_item *item, fuzz_input pixels,
           const size_t *pitches, size_t bytes)
{
    oriel_input input = ORIEL_INPUT_INIT;
    const void *frames[MAX_FRAMES];
    float *values = malloc(bytes);

    FUZZ_CHECK(values);
    for (int32_t i = 0; i < item->frames; i++)
        frames[i] = make_frame(item, pixels,
                               pitches ? pitches[i] : 3 * (size_t)item->width);
    input.frames = frames;
    input.pitches = pitches;
    FUZZ_CHECK(oriel_preprocess(plan, &input, values, bytes, NULL) == ORIEL_OK);
    for (int32_t i = 0; i < item->frames; i++)
        free((void *)(uintptr_t)frames[i]);
    return values;
}

static void
compare(const oriel_plan *plan, const oriel_item *item, fuzz_input input)
{
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    size_t pitches[MAX_FRAMES], bytes;
    float *tight, *loose;

    FUZZ_CHECK(oriel_plan_get_info(plan, &info, NULL) == ORIEL_OK);
    bytes = (size_t)info.patches * (size_t)info.patch_columns * sizeof(float);
    for (int i = 0; i < MAX_FRAMES; i++)
        pitches[i] = 3 * (size_t)item->width + fuzz_take_u8(&input);
    tight = preprocess(plan, item, input, NULL, bytes);
    loose = preprocess(plan, item, input, pitches, bytes);
    FUZZ_CHECK(memcmp(tight, loose, bytes) == 0);
    free(tight);
    free(loose);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    oriel_plan_options options = ORIEL_PLAN_OPTIONS_INIT;
    fuzz_input input = {data, bytes};
    oriel_plan *plan;
    oriel_item item;
    oriel_error err;

    options.resample = fuzz_take_u8(&input) % 4;
    options.sizing = fuzz_take_u8(&input) % 2;
    options.min_pixels = options.video_min_pixels = 64;
    options.max_pixels = options.video_max_pixels = MAX_PIXELS;
    read_item(&item, &input);
    if (oriel_plan_create(&plan, fuzz_tiny_model(), &item, 1, &options, &err)) {
        FUZZ_CHECK(err.status == ORIEL_ERR_INPUT);
        return 0;
    }
    fuzz_accepted++;
    compare(plan, &item, input);
    oriel_plan_destroy(plan);
    return 0;
}
