/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slow.h - windows the reference's way: pad, cut, drop, remove repeats
 *
 * The grid of each image is padded by a whole window where it already divides,
 * padding cells are dropped afterwards, empty windows vanish when repeated
 * lengths are removed from the concatenated list.  Nothing is shared with
 * host/plan.
 */
#ifndef TESTS_PLAN_SLOW_H
#define TESTS_PLAN_SLOW_H

#include <stddef.h>
#include <stdint.h>

typedef struct slow_plan {
    int32_t *index, *inverse, *positions, *cu_window, *cu;
    size_t tokens, patches, n_windows, n_frames;
} slow_plan;

/* 'side' tokens a window; grid_thw [n, 3] in patches. */
slow_plan slow_plan_make(const int64_t *grid_thw, size_t n, int32_t side,
                         int32_t merge);
void slow_plan_free(slow_plan *plan);

#endif /* TESTS_PLAN_SLOW_H */
