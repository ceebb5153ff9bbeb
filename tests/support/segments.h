/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segments.h - attention segments cut into the work of blocks, one by one
 *
 * What expand_plan.cu finds in closed form.  Pure functions of prefix sums.  Each hands its rows of integers to 'put', in
 * order, and returns how many rows there are; with 'put' NULL it only counts.
 */
#ifndef TESTS_SUPPORT_SEGMENTS_H
#define TESTS_SUPPORT_SEGMENTS_H

#include "ops.h"

#include <stdint.h>

typedef void oriel_cuda_put(void *context, const int32_t *row);

/*
 * Windows of up to 64 patches into blocks of 64 rows, [4] each: the window of
 * each 16 rows, or -1.  A window starts at a multiple of 16 and shares its block
 * with whichever fit, of any image: where it lies does not change its bytes.
 */
int64_t oriel_cuda_pack_windows(const int32_t *cu_window, int32_t n_windows,
                                oriel_cuda_put *put, void *context);

/*
 * Segments into tiles of 128 queries, [3] each: first row of the segment, its
 * patches, first query.  Long segments come first, so that no long one starts
 * when everything else is done.
 */
int64_t oriel_cuda_tile_segments(const int32_t *cu_seqlens, int32_t n_segments,
                                 oriel_cuda_put *put, void *context);

#endif /* TESTS_SUPPORT_SEGMENTS_H */
