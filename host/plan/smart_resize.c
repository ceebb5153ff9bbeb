/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smart_resize.c - which size an image is resampled to
 *
 * Both sides become multiples of 'factor', their product moves between the two
 * limits, the ratio is kept as well as that allows.  The arithmetic is that of
 * IEEE doubles in the reference's order: exact integers would give 3584 where
 * the reference gives 3556 (a square of 4867 at 12845056 pixels).
 */
#include "base/checked.h"
#include "plan/plan.h"

#include <math.h>
#include <stdbool.h>

#define MAX_RATIO 200.0

/* Ties go to the even multiple. */
static int64_t
nearest(int64_t side, int64_t factor)
{
    return (int64_t)rint((double)side / (double)factor) * factor;
}

static int64_t
at_least(int64_t side, int64_t floor)
{
    return side < floor ? floor : side;
}

/* Saturates: no limit is larger. */
static int64_t
area(int64_t height, int64_t width)
{
    int64_t product;

    return oriel_mul_i64(&product, height, width) ? product : INT64_MAX;
}

static int64_t
shrunk(int64_t side, double beta, int64_t factor)
{
    return (int64_t)floor((double)side / beta / (double)factor) * factor;
}

/* At most sqrt(ratio x limit), so below 2^36. */
static int64_t
grown(int64_t side, double beta, int64_t factor)
{
    return (int64_t)ceil((double)side * beta / (double)factor) * factor;
}

const char *
oriel_smart_resize(int64_t height, int64_t width, int64_t factor,
                   const oriel_pixel_range *range, int32_t sizing,
                   int64_t *resized_height, int64_t *resized_width)
{
    const int64_t longer = height > width ? height : width;
    const int64_t shorter = height > width ? width : height;
    const bool utils = sizing == ORIEL_SIZING_QWEN_VL_UTILS;
    int64_t h, w;
    double beta;

    if (shorter < 1)
        return "a side is below 1";
    if (longer > INT32_MAX)
        return "a side is above 2^31 - 1";
    if ((double)longer / (double)shorter > MAX_RATIO)
        return "aspect ratio above 200";

    /* A thin side is kept from vanishing: by qwen-vl-utils before the limits
       are looked at, by transformers after it was shrunk. */
    h = at_least(nearest(height, factor), utils ? factor : 0);
    w = at_least(nearest(width, factor), utils ? factor : 0);
    if ((double)area(h, w) > range->max_pixels) {
        beta = sqrt((double)area(height, width) / range->max_pixels);
        h = at_least(shrunk(height, beta, factor), utils ? 0 : factor);
        w = at_least(shrunk(width, beta, factor), utils ? 0 : factor);
    } else if ((double)area(h, w) < range->min_pixels) {
        beta = sqrt(range->min_pixels / (double)area(height, width));
        h = grown(height, beta, factor);
        w = grown(width, beta, factor);
    }
    if (h < 1 || w < 1)
        return "the pixel limits leave no room for its shorter side";
    if (h > INT32_MAX || w > INT32_MAX)
        return "the pixel limits ask for a side above 2^31 - 1";

    *resized_height = h;
    *resized_width = w;
    return NULL;
}
