/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/shape.h"

#include "base/checked.h"
#include "base/fail.h"
#include "plan/plan.h"

/* The grid's own limits, and everything that follows from it. */
static oriel_status
complete_shape(oriel_plan_shape *s, const oriel_plan_request *r, size_t i,
               oriel_error *err)
{
    const oriel_network *n = r->network;
    const int64_t merge = n->spatial_merge_size;
    int64_t patches;

    if (!oriel_mul_i64(&patches, s->h, s->w) ||
        !oriel_mul_i64(&patches, patches, s->t) || patches > ORIEL_MAX_PATCHES)
        return oriel_fail_item(
            err, ORIEL_ERR_INPUT, (int64_t)i,
            "item %zu: grid %lld x %lld x %lld is over %d patches", i,
            (long long)s->t, (long long)s->h, (long long)s->w,
            ORIEL_MAX_PATCHES);

    s->tokens.frames = (int32_t)s->t;
    s->tokens.rows = (int32_t)(s->h / merge);
    s->tokens.columns = (int32_t)(s->w / merge);
    s->tokens.side = oriel_network_window_tokens(n);
    s->tokens.merge = n->spatial_merge_size;
    return ORIEL_OK;
}

/* pixel_values come with a grid: the pictures behind it are its own size. */
static oriel_status
shape_of_grid(oriel_plan_shape *s, const oriel_plan_request *r, size_t i,
              oriel_error *err)
{
    const oriel_network *n = r->network;
    const int64_t *grid = r->grid_thw + 3 * i;
    int64_t width, height, frames;

    s->t = grid[0];
    s->h = grid[1];
    s->w = grid[2];
    if (s->t < 1 || s->h < 1 || s->w < 1 || s->h % n->spatial_merge_size ||
        s->w % n->spatial_merge_size)
        return oriel_fail_item(
            err, ORIEL_ERR_INPUT, (int64_t)i,
            "item %zu: grid %lld x %lld x %lld: wanted t >= 1 and positive "
            "multiples of %d for h and w",
            i, (long long)s->t, (long long)s->h, (long long)s->w,
            n->spatial_merge_size);
    if (complete_shape(s, r, i, err))
        return ORIEL_ERR_INPUT;

    frames = s->t * n->temporal_patch_size;
    height = s->h * n->patch_size;
    width = s->w * n->patch_size;
    if (frames > INT32_MAX || height > INT32_MAX || width > INT32_MAX)
        return oriel_fail_item(err, ORIEL_ERR_INPUT, (int64_t)i,
                               "item %zu: grid %lld x %lld x %lld stands for "
                               "a side or frame count above 2^31 - 1",
                               i, (long long)s->t, (long long)s->h,
                               (long long)s->w);
    s->item.frames = (int32_t)frames;
    s->item.height = s->item.resized_height = (int32_t)height;
    s->item.width = s->item.resized_width = (int32_t)width;
    s->item.reserved = 0;
    return ORIEL_OK;
}

/* The size an item is resampled to: its own wish, or the rule. */
static oriel_status
resize(oriel_item *item, const oriel_plan_request *r, size_t i,
       oriel_error *err)
{
    const int32_t unit = oriel_network_token_pixels(r->network);
    const char *complaint;
    int64_t height, width;

    if (item->resized_width || item->resized_height) {
        if (item->resized_width < 1 || item->resized_height < 1 ||
            item->resized_width % unit || item->resized_height % unit)
            return oriel_fail_item(
                err, ORIEL_ERR_INPUT, (int64_t)i,
                "item %zu: resized size %d x %d: wanted positive multiples "
                "of %d",
                i, item->resized_width, item->resized_height, unit);
        return ORIEL_OK;
    }
    complaint =
        oriel_smart_resize(item->height, item->width, unit, r->min_pixels,
                           r->max_pixels, r->sizing, &height, &width);
    if (complaint)
        return oriel_fail_item(err, ORIEL_ERR_INPUT, (int64_t)i,
                               "item %zu (%d x %d): %s", i, item->width,
                               item->height, complaint);
    item->resized_width = (int32_t)width;
    item->resized_height = (int32_t)height;
    return ORIEL_OK;
}

static oriel_status
shape_of_item(oriel_plan_shape *s, const oriel_plan_request *r, size_t i,
              oriel_error *err)
{
    const int64_t temporal = r->network->temporal_patch_size;
    const int64_t patch = r->network->patch_size;
    oriel_item *item = &s->item;

    *item = r->items[i];
    if (item->reserved)
        return oriel_fail_item(err, ORIEL_ERR_UNSUPPORTED, (int64_t)i,
                               "item %zu: its reserved field is not 0", i);
    if (item->width < 1 || item->height < 1 || item->frames < 0)
        return oriel_fail_item(err, ORIEL_ERR_INPUT, (int64_t)i,
                               "item %zu: %d x %d, %d frames: wanted sides of "
                               "1 or more and frames of 0 or more",
                               i, item->width, item->height, item->frames);
    if (item->frames == 0)
        item->frames = 1;
    if (resize(item, r, i, err))
        return ORIEL_ERR_INPUT;

    /* A short last slice is filled up with copies of the last frame. */
    s->t = ((int64_t)item->frames + temporal - 1) / temporal;
    s->h = item->resized_height / patch;
    s->w = item->resized_width / patch;
    return complete_shape(s, r, i, err);
}

oriel_status
oriel_plan_shape_get(oriel_plan_shape *s, const oriel_plan_request *r, size_t i,
                     oriel_error *err)
{
    return r->items ? shape_of_item(s, r, i, err) : shape_of_grid(s, r, i, err);
}
