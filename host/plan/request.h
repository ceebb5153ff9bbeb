/* SPDX-License-Identifier: Apache-2.0 */
/* request.h - what a caller wants planned: items or grids, and by which rules */
#ifndef ORIEL_PLAN_REQUEST_H
#define ORIEL_PLAN_REQUEST_H

#include "base/network.h"
#include "oriel.h"

#include <stdint.h>

/* The flavours of resampling are ORIEL_RESAMPLE_* from 0 to this, exclusive. */
enum { ORIEL_FLAVOURS = ORIEL_RESAMPLE_FLOAT + 1 };

/* Limits of one frame's pixels.  They need not be whole: a model may have
   fractions, and qwen-vl-utils divides a budget by the number of frames. */
typedef struct oriel_pixel_range {
    double min_pixels, max_pixels;
} oriel_pixel_range;

/* Exactly one of 'items' and 'grid_thw' is set. */
typedef struct oriel_plan_request {
    const oriel_network *network;
    const oriel_item *items;
    const int64_t *grid_thw;
    size_t n_items;
    int32_t resample, sizing;
    int64_t min_pixels, max_pixels;             /* of images; 0: the default */
    int64_t video_min_pixels, video_max_pixels; /* of videos; likewise */
    oriel_hooks hooks;
} oriel_plan_request;

/*
 * Fill in what model and options say; 'call' is the public function's name for
 * the message.  ORIEL_ERR_ARGUMENT: no model, no items, or options out of
 * range; ORIEL_ERR_UNSUPPORTED: options of a newer library.
 */
oriel_status oriel_plan_request_load(oriel_plan_request *request,
                                     const oriel_model *model,
                                     const oriel_plan_options *options,
                                     const char *call, oriel_error *err);

/*
 * The limits of an item of this kind (ORIEL_KIND_IMAGE or ORIEL_KIND_VIDEO) and
 * so many frames.  ORIEL_ERR_ARGUMENT where they cross and the rule refuses it.
 */
oriel_status oriel_plan_request_range(oriel_pixel_range *range,
                                      const oriel_plan_request *request,
                                      int32_t kind, int32_t frames,
                                      oriel_error *err);

#endif /* ORIEL_PLAN_REQUEST_H */
