/* SPDX-License-Identifier: Apache-2.0 */
/* inputs.c - the pixels of the cases, as make_golden.py makes them */
#include "golden/golden.h"
#include "weights/counter.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

float *
golden_pixels(const golden_case *c, int64_t columns)
{
    const int64_t n = c->states[0].rows * columns;
    float *pixels = malloc((size_t)n * sizeof(*pixels));
    char name[64];
    uint64_t key;

    ck_assert_ptr_nonnull(pixels);
    snprintf(name, sizeof(name), "golden.%s", c->name);
    key = oriel_counter_key(GOLDEN_SEED, name);
    for (int64_t i = 0; i < n; i++)
        pixels[i] = 2 * oriel_counter_unit(key, (uint64_t)i);
    return pixels;
}

/* Slopes, edges and noise; the products by 16 are exact and truncated. */
unsigned char *
golden_picture(int64_t width, int64_t height, int64_t frame)
{
    const uint64_t key = oriel_counter_key(GOLDEN_SEED, "golden.picture");
    unsigned char *rgb = malloc((size_t)(width * height * 3)), *out = rgb;

    ck_assert_ptr_nonnull(rgb);
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++)
            for (int64_t ch = 0; ch < 3; ch++) {
                int64_t place = ((frame * height + y) * width + x) * 3 + ch;
                float noise = oriel_counter_unit(key, (uint64_t)place) * 16;
                int64_t slope = (x * (3 + ch) + y * (5 - ch) + 160 * frame) / 4;

                *out++ = (unsigned char)((slope + 2 * ((x ^ y) & 31) +
                                          (int64_t)noise) &
                                         255);
            }
    return rgb;
}
