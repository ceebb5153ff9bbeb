/* SPDX-License-Identifier: Apache-2.0 */
/*
 * windows.h - one item's tokens cut into attention windows
 *
 * Windows are squares of 'side' tokens within a frame, read row by row; those
 * at the right and lower edge are smaller, never padded and never merged with
 * a neighbour.
 */
#ifndef ORIEL_PLAN_WINDOWS_H
#define ORIEL_PLAN_WINDOWS_H

#include <stdint.h>

/* An item in tokens.  All numbers are >= 1, and their product is at most
   ORIEL_MAX_PATCHES / merge^2. */
typedef struct oriel_token_grid {
    int32_t frames, rows, columns;
    int32_t side;  /* of a window */
    int32_t merge; /* side of a token in patches */
} oriel_token_grid;

int32_t oriel_windows_per_frame(const oriel_token_grid *grid);

/* Tokens of the largest one. */
int32_t oriel_windows_longest(const oriel_token_grid *grid);

/* Sum over one frame's windows of the square of their tokens. */
int64_t oriel_windows_square_sum(const oriel_token_grid *grid);

/* The plan's arrays (see oriel_plan_info), and how far they are written. */
typedef struct oriel_window_writer {
    int32_t *index, *inverse, *positions;
    int32_t *cu_seqlens;        /* the leading 0 is there */
    int32_t *cu_window_seqlens; /* likewise */
    int32_t tokens, frames, windows;
} oriel_window_writer;

/* Append one item. */
void oriel_windows_write(oriel_window_writer *writer,
                         const oriel_token_grid *grid);

#endif /* ORIEL_PLAN_WINDOWS_H */
