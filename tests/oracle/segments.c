/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segments.c - which patches attend to which, as lists of rows
 *
 * Row order is the image order of pixel_values: item, frame, token row, token
 * column, then the merge x merge patches of the token.  A window is found by
 * asking every patch which window it lies in; nothing is permuted.
 */
#include "oracle/oracle.h"

#include <stdlib.h>

int64_t
oracle_count_patches(const int64_t (*grids)[3], int64_t n_grids)
{
    int64_t n = 0;

    for (int64_t g = 0; g < n_grids; g++)
        n += grids[g][0] * grids[g][1] * grids[g][2];
    return n;
}

/* Row and column of patch 'i' of a frame 'width' patches wide. */
static void
patch_position(int64_t i, int64_t width, int32_t merge, int32_t *row,
               int32_t *column)
{
    int64_t area = (int64_t)merge * merge, token = i / area, inner = i % area;
    int64_t tokens_across = width / merge;

    *row = (int32_t)(token / tokens_across * merge + inner / merge);
    *column = (int32_t)(token % tokens_across * merge + inner % merge);
}

int32_t *
oracle_positions(const int64_t (*grids)[3], int64_t n_grids, int32_t merge)
{
    int64_t n = oracle_count_patches(grids, n_grids), at = 0;
    int32_t *positions = oracle_alloc((size_t)n, 2 * sizeof(*positions));

    for (int64_t g = 0; g < n_grids; g++)
        for (int64_t frame = 0; frame < grids[g][0]; frame++)
            for (int64_t i = 0; i < grids[g][1] * grids[g][2]; i++, at++)
                patch_position(i, grids[g][2], merge, &positions[2 * at],
                               &positions[2 * at + 1]);
    return positions;
}

/* Append the patches of one frame that lie in window (wy, wx). */
static void
add_window(oracle_segments *s, int64_t first, const int64_t grid[3],
           int32_t merge, int64_t side, int64_t wy, int64_t wx)
{
    int64_t end = s->first[s->n];

    for (int64_t i = 0; i < grid[1] * grid[2]; i++) {
        int32_t row, column;

        patch_position(i, grid[2], merge, &row, &column);
        if (row / side == wy && column / side == wx)
            s->rows[end++] = first + i;
    }
    s->first[++s->n] = end;
}

oracle_segments *
oracle_segments_create(const int64_t (*grids)[3], int64_t n_grids,
                       int32_t merge, int32_t side)
{
    int64_t n = oracle_count_patches(grids, n_grids), first = 0;
    oracle_segments *s = oracle_alloc(1, sizeof(*s));

    s->first = oracle_alloc((size_t)n + 1, sizeof(*s->first));
    s->rows = oracle_alloc((size_t)n, sizeof(*s->rows));
    for (int64_t g = 0; g < n_grids; g++) {
        int64_t h = grids[g][1], w = grids[g][2];
        int64_t patches = side ? (int64_t)side * merge : (h > w ? h : w);

        for (int64_t frame = 0; frame < grids[g][0]; frame++, first += h * w)
            for (int64_t wy = 0; wy * patches < h; wy++)
                for (int64_t wx = 0; wx * patches < w; wx++)
                    add_window(s, first, grids[g], merge, patches, wy, wx);
    }
    return s;
}

void
oracle_segments_free(oracle_segments *segments)
{
    if (!segments)
        return;
    free(segments->first);
    free(segments->rows);
    free(segments);
}
