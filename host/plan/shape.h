/* SPDX-License-Identifier: Apache-2.0 */
/* shape.h - one item of a request, checked and brought to its grid */
#ifndef ORIEL_PLAN_SHAPE_H
#define ORIEL_PLAN_SHAPE_H

#include "oriel.h"
#include "plan/request.h"
#include "plan/windows.h"

/* One item, resolved. */
typedef struct oriel_plan_shape {
    oriel_item item;
    int64_t t, h, w; /* grid_thw */
    oriel_token_grid tokens;
} oriel_plan_shape;

/*
 * Resolve item 'i', or refuse it: ORIEL_ERR_INPUT with err->item, or
 * ORIEL_ERR_ARGUMENT for what only the calling program can get wrong (its kind,
 * with err->item; limits that cross, without).
 */
oriel_status oriel_plan_shape_get(oriel_plan_shape *shape,
                                  const oriel_plan_request *request, size_t i,
                                  oriel_error *err);

#endif /* ORIEL_PLAN_SHAPE_H */
