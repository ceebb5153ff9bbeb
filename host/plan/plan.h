/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.h - the geometry of a batch, inside the library
 *
 * Integers only: sizes after smart_resize, grids, the window permutation and
 * the segments of both kinds of attention.  Everything a backend needs of the
 * batch, and all of it immutable.
 */
#ifndef ORIEL_PLAN_PLAN_H
#define ORIEL_PLAN_PLAN_H

#include "base/network.h"
#include "oriel.h"
#include "plan/flops.h"
#include "plan/request.h"

struct oriel_plan {
    oriel_hooks hooks;
    oriel_network network; /* its full_attention_blocks: the plan's own copy */
    oriel_plan_info info;  /* its arrays follow in the same allocation */
    oriel_step_flops step_flops;
    int32_t resample;        /* ORIEL_RESAMPLE_*; unused from grids */
    int32_t from_grids;      /* only pixel_values can be encoded with it */
    int64_t n_source_frames; /* sum of items[i].frames as given, >= 1 each */
    const oriel_item *items; /* [n_items]; frames >= 1, kind and resized sizes
                                filled; from grids: width, height are the
                                resized, kind is ORIEL_KIND_BY_FRAMES */
    const int64_t *first_frame; /* [n_items + 1] index into input->frames */
    const int64_t *first_patch; /* [n_items + 1] row of pixel_values */
};

/*
 * The reference's smart_resize in doubles (docs/model.md, section 5), both
 * forms.  'factor' is patch x merge.  Returns NULL and stores the multiples of
 * 'factor', or the complaint, a static string such as "aspect ratio above 200".
 */
const char *oriel_smart_resize(int64_t height, int64_t width, int64_t factor,
                               const oriel_pixel_range *range, int32_t sizing,
                               int64_t *resized_height, int64_t *resized_width);

#endif /* ORIEL_PLAN_PLAN_H */
