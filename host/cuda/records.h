/* SPDX-License-Identifier: Apache-2.0 */
/*
 * records.h - a plan as expand_plan.cu wants it: one record an item
 *
 * Linear in items, whatever their sizes.  The order of packs and tiles is that
 * kernel's; frames' tiles come longest first, by powers of two, so that no long
 * one starts when everything else is done.
 */
#ifndef ORIEL_CUDA_RECORDS_H
#define ORIEL_CUDA_RECORDS_H

#include "plan/plan.h"

#include "layout.h"

#include <stdbool.h>

/* What there is of a plan to be worked on. */
typedef struct oriel_cuda_work_counts {
    int32_t windows_of[ORIEL_CUDA_WINDOW_CLASSES];
    int64_t n_packs, n_window_tiles; /* of windows that fit a pack, or do not */
    int64_t n_frame_tiles;
    int32_t longest_side; /* of a frame, in patches */
} oriel_cuda_work_counts;

/* 'windows_fit': windows have at most 64 patches. */
void oriel_cuda_count(oriel_cuda_work_counts *counts, const oriel_plan *plan,
                      bool windows_fit);

typedef void oriel_cuda_put_record(void *context,
                                   const oriel_plan_record *record);

/* Hand each item's record to 'put', in order. */
void oriel_cuda_make_records(const oriel_plan *plan, bool windows_fit,
                             oriel_cuda_put_record *put, void *context);

/* Whether a temporal slice of an item shows one frame twice: then only its
   first half is sent. */
bool oriel_cuda_is_still(const oriel_plan *plan, int64_t item, int64_t slice);

#endif /* ORIEL_CUDA_RECORDS_H */
