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
            "grid %lld x %lld x %lld: wanted at most %d patches",
            (long long)s->t, (long long)s->h, (long long)s->w,
            ORIEL_MAX_PATCHES);

    s->tokens.frames = (int32_t)s->t;
    s->tokens.rows = (int32_t)(s->h / merge);
    s->tokens.columns = (int32_t)(s->w / merge);
    s->tokens.side = oriel_network_window_tokens(n);
    s->tokens.merge = n->spatial_merge_size;
    return ORIEL_OK;
}

/* A grid of pixel_values stands for pictures of its own size. */
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
            "grid %lld x %lld x %lld: wanted t >= 1 and positive multiples of "
            "%d for h and w",
            (long long)s->t, (long long)s->h, (long long)s->w,
            n->spatial_merge_size);
    if (complete_shape(s, r, i, err))
        return ORIEL_ERR_INPUT;

    frames = s->t * n->temporal_patch_size;
    height = s->h * n->patch_size;
    width = s->w * n->patch_size;
    if (frames > INT32_MAX || height > INT32_MAX || width > INT32_MAX)
        return oriel_fail_item(err, ORIEL_ERR_INPUT, (int64_t)i,
                               "grid %lld x %lld x %lld: wanted sides in "
                               "pixels and a number of frames up to 2^31 - 1",
                               (long long)s->t, (long long)s->h,
                               (long long)s->w);
    s->item.frames = (int32_t)frames;
    s->item.height = s->item.resized_height = (int32_t)height;
    s->item.width = s->item.resized_width = (int32_t)width;
    s->item.kind = ORIEL_KIND_BY_FRAMES;
    return ORIEL_OK;
}

/* The size that an item is resampled to: what it asks for, or the rule's. */
static oriel_status
resize(oriel_item *item, const oriel_plan_request *r, size_t i,
       oriel_error *err)
{
    const int32_t unit = oriel_network_token_pixels(r->network);
    oriel_pixel_range range;
    const char *complaint;
    int64_t height, width;

    if (item->resized_width || item->resized_height) {
        if (item->resized_width < 1 || item->resized_height < 1 ||
            item->resized_width % unit || item->resized_height % unit)
            return oriel_fail_item(
                err, ORIEL_ERR_INPUT, (int64_t)i,
                "resized size %d x %d: wanted positive multiples of %d",
                item->resized_width, item->resized_height, unit);
        return ORIEL_OK;
    }
    if (oriel_plan_request_range(&range, r, item->kind, item->frames, err))
        return ORIEL_ERR_ARGUMENT;
    complaint = oriel_smart_resize(item->height, item->width, unit, &range,
                                   r->sizing, &height, &width);
    if (complaint)
        return oriel_fail_item(err, ORIEL_ERR_INPUT, (int64_t)i, "%d x %d: %s",
                               item->width, item->height, complaint);
    item->resized_width = (int32_t)width;
    item->resized_height = (int32_t)height;
    return ORIEL_OK;
}

/* Settle whether it is an image or a video, and that its frames agree. */
static oriel_status
settle_kind(oriel_item *item, size_t i, oriel_error *err)
{
    if (item->kind < ORIEL_KIND_BY_FRAMES || item->kind > ORIEL_KIND_VIDEO)
        return oriel_fail_item(err, ORIEL_ERR_ARGUMENT, (int64_t)i,
                               "oriel_item.kind %d: wanted one of ORIEL_KIND_*",
                               item->kind);
    if (item->kind == ORIEL_KIND_BY_FRAMES)
        item->kind = item->frames > 1 ? ORIEL_KIND_VIDEO : ORIEL_KIND_IMAGE;
    if (item->kind == ORIEL_KIND_IMAGE && item->frames > 1)
        return oriel_fail_item(err, ORIEL_ERR_INPUT, (int64_t)i,
                               "an image of %d frames: wanted 0 or 1",
                               item->frames);
    if (item->kind == ORIEL_KIND_VIDEO && item->frames < 1)
        return oriel_fail_item(err, ORIEL_ERR_INPUT, (int64_t)i,
                               "a video of no frames: wanted 1 or more");
    if (item->frames == 0)
        item->frames = 1;
    return ORIEL_OK;
}

static oriel_status
shape_of_item(oriel_plan_shape *s, const oriel_plan_request *r, size_t i,
              oriel_error *err)
{
    const int64_t temporal = r->network->temporal_patch_size;
    const int64_t patch = r->network->patch_size;
    oriel_item *item = &s->item;
    oriel_status st;

    *item = r->items[i];
    if (item->width < 1 || item->height < 1 || item->frames < 0)
        return oriel_fail_item(err, ORIEL_ERR_INPUT, (int64_t)i,
                               "%d x %d, %d frames: wanted sides of 1 or more "
                               "and frames of 0 or more",
                               item->width, item->height, item->frames);
    st = settle_kind(item, i, err);
    if (!st)
        st = resize(item, r, i, err);
    if (st)
        return st;

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
