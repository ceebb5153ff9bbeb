/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/request.h"

#include "base/fail.h"
#include "base/memory.h"
#include "base/options.h"

#include <math.h>
#include <stdbool.h>

/* ---- Options ---------------------------------------------------------- */

static oriel_status
check_pixels(const char *prefix, int64_t min_pixels, int64_t max_pixels,
             oriel_error *err)
{
    if (min_pixels >= 0 && max_pixels >= 0)
        return ORIEL_OK;
    return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                      "oriel_plan_options: %smin_pixels %lld, %smax_pixels "
                      "%lld: wanted 0 (the default) or more",
                      prefix, (long long)min_pixels, prefix,
                      (long long)max_pixels);
}

static oriel_status
check_choice(const char *field, int32_t value, int32_t n_choices,
             const char *names, oriel_error *err)
{
    if (value >= 0 && value < n_choices)
        return ORIEL_OK;
    return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                      "oriel_plan_options: %s %d: wanted one of %s", field,
                      value, names);
}

static oriel_status
load_options(oriel_plan_request *r, const oriel_plan_options *options,
             oriel_error *err)
{
    oriel_plan_options o;
    oriel_status st = oriel_options_load(&o, sizeof(o), sizeof(o), options,
                                         "oriel_plan_options", err);

    if (!st)
        st = oriel_reserved_check(o.reserved, "oriel_plan_options.reserved",
                                  err);
    if (!st)
        st = check_choice("resample", o.resample, ORIEL_FLAVOURS,
                          "ORIEL_RESAMPLE_*", err);
    if (!st)
        st = check_choice("sizing", o.sizing, ORIEL_SIZING_QWEN_VL_UTILS + 1,
                          "ORIEL_SIZING_*", err);
    if (!st)
        st = check_pixels("", o.min_pixels, o.max_pixels, err);
    if (!st)
        st =
            check_pixels("video_", o.video_min_pixels, o.video_max_pixels, err);
    if (st)
        return st;
    r->resample = o.resample;
    r->sizing = o.sizing;
    r->min_pixels = o.min_pixels;
    r->max_pixels = o.max_pixels;
    r->video_min_pixels = o.video_min_pixels;
    r->video_max_pixels = o.video_max_pixels;
    return oriel_hooks_load(&r->hooks, o.hooks, err);
}

oriel_status
oriel_plan_request_load(oriel_plan_request *r, const oriel_model *model,
                        const oriel_plan_options *options, const char *call,
                        oriel_error *err)
{
    if (!model)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "%s: model is NULL: wanted an opened model or one of "
                          "oriel_model_preset",
                          call);
    if ((!r->items && !r->grid_thw) || r->n_items == 0)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "%s: wanted at least one item", call);
    r->network = oriel_model_network(model);
    return load_options(r, options, err);
}

/* ---- Limits ----------------------------------------------------------- */

/* What qwen-vl-utils' fetch_video allows a frame, in tokens, and all frames. */
enum { FRAME_MIN_TOKENS = 128, FRAME_MAX_TOKENS = 768, VIDEO_TOKENS = 128000 };

/*
 * That function's arithmetic in its order: an equal share of nine tenths of the
 * budget, at most the limit of a frame and at least a little over the minimum;
 * a limit of the caller's only lowers it.
 */
static oriel_pixel_range
fetch_video_range(const oriel_plan_request *r, int32_t frames)
{
    const int64_t side = oriel_network_token_pixels(r->network);
    const int64_t temporal = r->network->temporal_patch_size;
    /* A short last slice counts as a full one. */
    const int64_t padded = (frames + temporal - 1) / temporal * temporal;
    const double share = (double)(VIDEO_TOKENS * side * side) * 0.9 /
                         (double)padded * (double)temporal;
    oriel_pixel_range range;

    range.min_pixels =
        (double)(r->video_min_pixels ? r->video_min_pixels
                                     : FRAME_MIN_TOKENS * side * side);
    range.max_pixels =
        fmax(fmin((double)(FRAME_MAX_TOKENS * side * side), share),
             floor(range.min_pixels * 1.05));
    if (r->video_max_pixels)
        range.max_pixels = fmin(range.max_pixels, (double)r->video_max_pixels);
    return range;
}

static oriel_pixel_range
given_or(int64_t min_pixels, int64_t max_pixels, double default_min,
         double default_max)
{
    return (oriel_pixel_range){min_pixels ? (double)min_pixels : default_min,
                               max_pixels ? (double)max_pixels : default_max};
}

/* transformers' rule for one frame, and its cap_pixels_per_frame in whole
   numbers, where the model asks for it. */
static oriel_pixel_range
video_processor_range(const oriel_plan_request *r, int32_t frames)
{
    const oriel_network *n = r->network;
    const int64_t side = oriel_network_token_pixels(n);
    oriel_pixel_range range =
        given_or(r->video_min_pixels, r->video_max_pixels, n->video_min_pixels,
                 n->video_max_pixels);

    if (n->video_tokens) {
        const double all = floor((double)(n->video_tokens * side * side) * 0.9);
        const double share =
            floor(all * n->temporal_patch_size / (double)frames);

        range.max_pixels =
            fmax(fmin(range.max_pixels, share), floor(range.min_pixels * 1.05));
    }
    return range;
}

oriel_status
oriel_plan_request_range(oriel_pixel_range *range, const oriel_plan_request *r,
                         int32_t kind, int32_t frames, oriel_error *err)
{
    const oriel_network *n = r->network;
    const bool utils = r->sizing == ORIEL_SIZING_QWEN_VL_UTILS;
    const bool video = kind == ORIEL_KIND_VIDEO;

    if (!video)
        *range = given_or(r->min_pixels, r->max_pixels, n->min_pixels,
                          n->max_pixels);
    else if (utils)
        *range = fetch_video_range(r, frames);
    else
        *range = video_processor_range(r, frames);
    /* transformers lets limits cross (shrinking comes first), qwen-vl-utils
       does not. */
    if (utils && range->min_pixels > range->max_pixels)
        return oriel_fail(
            err, ORIEL_ERR_ARGUMENT,
            "%smin_pixels %.15g is above %smax_pixels %.15g, which "
            "qwen-vl-utils sizing refuses",
            video ? "video_" : "", range->min_pixels, video ? "video_" : "",
            range->max_pixels);
    return ORIEL_OK;
}
