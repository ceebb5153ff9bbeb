/* SPDX-License-Identifier: Apache-2.0 */
/* measure.c - what one item costs, without a plan */
#include "base/fail.h"
#include "plan/shape.h"

oriel_status
oriel_item_measure(const oriel_model *model, const oriel_item *item,
                   const oriel_plan_options *options, int64_t grid_thw[3],
                   int64_t *tokens, oriel_error *err)
{
    oriel_plan_request r = {.items = item, .n_items = 1};
    oriel_plan_shape s;
    oriel_status st =
        oriel_plan_request_load(&r, model, options, "oriel_item_measure", err);

    if (!st)
        st = oriel_plan_shape_get(&s, &r, 0, err);
    if (st)
        return st;
    if (grid_thw) {
        grid_thw[0] = s.t;
        grid_thw[1] = s.h;
        grid_thw[2] = s.w;
    }
    if (tokens)
        *tokens = s.t * s.tokens.rows * s.tokens.columns;
    return oriel_ok(err);
}
