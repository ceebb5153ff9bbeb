/* SPDX-License-Identifier: Apache-2.0 */
/* shape.h - one item of a request, checked and brought to its grid */
#ifndef ORIEL_PLAN_SHAPE_H
#define ORIEL_PLAN_SHAPE_H

#include "base/network.h"
#include "oriel.h"
#include "plan/windows.h"

/* What was asked for: items or grids. */
typedef struct oriel_plan_request {
    const oriel_network *network;
    const oriel_item *items;
    const int64_t *grid_thw;
    size_t n_items;
    int32_t resample, sizing;
    double min_pixels, max_pixels;
    oriel_hooks hooks;
} oriel_plan_request;

/* One item, resolved. */
typedef struct oriel_plan_shape {
    oriel_item item;
    int64_t t, h, w; /* grid_thw */
    oriel_token_grid tokens;
} oriel_plan_shape;

/* Resolve item 'i', or refuse it, which err->item names: ORIEL_ERR_INPUT, or
   ORIEL_ERR_UNSUPPORTED for a reserved field. */
oriel_status oriel_plan_shape_get(oriel_plan_shape *shape,
                                  const oriel_plan_request *request, size_t i,
                                  oriel_error *err);

#endif /* ORIEL_PLAN_SHAPE_H */
