/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rms_norm.c - y = x / sqrt(mean(x^2) + eps) * weight, row by row
 *
 * Four running sums hide the latency of the additions.  fp32 mode: relative
 * error of the scale below (width / (4 LANES) + 8) 2^-24, rounding up.
 */
#include "cpu/kernel_table.h"
#include "cpu/vector.h"

#include <math.h>

static float
sum_of_squares(const float *x, int64_t width)
{
    vf sum[4] = {{0}, {0}, {0}, {0}};
    int64_t i = 0;

    for (; i + 4 * LANES <= width; i += 4 * LANES)
        for (int64_t j = 0; j < 4; j++) {
            vf v = load(x + i + j * LANES);

            sum[j] += v * v;
        }
    for (int64_t j = 0; i < width; i += LANES, j = (j + 1) % 4) {
        vf v = width - i < LANES ? load_part(x + i, width - i) : load(x + i);

        sum[j] += v * v;
    }
    return sum_lanes((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

/* Specialised on 'storage' by the calls below. */
static inline __attribute__((always_inline)) void
scale_row(void *y, int64_t at, const float *x, const float *weight,
          int64_t width, float scale, oriel_cpu_storage storage)
{
    int64_t i = 0;

    for (; i + LANES <= width; i += LANES)
        store_lanes(y, at + i, load(x + i) * scale * load(weight + i), LANES,
                    storage);
    if (i < width)
        store_lanes(y, at + i,
                    load_part(x + i, width - i) * scale *
                        load_part(weight + i, width - i),
                    width - i, storage);
}

void
ORIEL_KERNEL(rms_norm)(void *y, const float *x, const float *weight,
                       int64_t rows, int64_t width, float eps,
                       oriel_cpu_storage storage)
{
    for (int64_t r = 0; r < rows; r++, x += width) {
        float mean = sum_of_squares(x, width) / (float)width;
        float scale = 1.0f / sqrtf(mean + eps);

        if (storage == ORIEL_STORAGE_BF16)
            scale_row(y, r * width, x, weight, width, scale,
                      ORIEL_STORAGE_BF16);
        else
            scale_row(y, r * width, x, weight, width, scale, storage);
    }
}
