/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/windows.h"

static int32_t
lesser(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static int32_t
pieces(int32_t length, int32_t side)
{
    return (int32_t)(((int64_t)length + side - 1) / side);
}

int32_t
oriel_windows_per_frame(const oriel_token_grid *grid)
{
    return pieces(grid->rows, grid->side) * pieces(grid->columns, grid->side);
}

int32_t
oriel_windows_longest(const oriel_token_grid *grid)
{
    return lesser(grid->side, grid->rows) * lesser(grid->side, grid->columns);
}

/* Sum of the squares of the pieces that 'length' is cut into. */
static int64_t
piece_squares(int32_t length, int32_t side)
{
    const int64_t whole = length / side, rest = length % side;

    return whole * side * side + rest * rest;
}

/* (height x width)^2 summed over a grid of windows is a product of sums. */
int64_t
oriel_windows_square_sum(const oriel_token_grid *grid)
{
    return piece_squares(grid->rows, grid->side) *
           piece_squares(grid->columns, grid->side);
}

/* Row and column of a token's patches, upper left first. */
static inline void
write_positions(int32_t *positions, int32_t row, int32_t column, int32_t merge)
{
    for (int32_t y = 0; y < merge; y++)
        for (int32_t x = 0; x < merge; x++) {
            *positions++ = row * merge + y;
            *positions++ = column * merge + x;
        }
}

/*
 * A window's row of tokens: image order 'image' and on, window order 'window'
 * and on.  Inlined with a constant 'merge' and 'width' for the published sizes.
 */
static inline void
write_row(const oriel_window_writer *w, int32_t window, int32_t image,
          int32_t row, int32_t column, int32_t width, int32_t merge)
{
    const int32_t patches = merge * merge;
    int32_t *positions = w->positions + (int64_t)window * patches * 2;

    for (int32_t x = 0; x < width; x++) {
        w->index[window + x] = image + x;
        w->inverse[image + x] = window + x;
        write_positions(positions + (int64_t)x * patches * 2, row, column + x,
                        merge);
    }
}

/* The windows of a frame whose upper rows are 'top' and on. */
static void
write_band(oriel_window_writer *w, const oriel_token_grid *grid, int32_t base,
           int32_t top)
{
    const int32_t height = lesser(grid->side, grid->rows - top);
    const int32_t patches = grid->merge * grid->merge;
    int32_t next = w->tokens;

    for (int32_t left = 0; left < grid->columns;) {
        const int32_t width = lesser(grid->side, grid->columns - left);

        for (int32_t row = top; row < top + height; row++) {
            const int32_t image = base + row * grid->columns + left;

            if (width == 4 && grid->merge == 2)
                write_row(w, next, image, row, left, 4, 2);
            else
                write_row(w, next, image, row, left, width, grid->merge);
            next += width;
        }
        w->cu_window_seqlens[++w->windows] = next * patches;
        left += width;
    }
    w->tokens = next;
}

void
oriel_windows_write(oriel_window_writer *w, const oriel_token_grid *grid)
{
    const int32_t patches = grid->merge * grid->merge;

    for (int32_t frame = 0; frame < grid->frames; frame++) {
        /* Frames, and with them items, keep their place in both orders. */
        const int32_t base = w->tokens;

        for (int32_t top = 0; top < grid->rows;) {
            write_band(w, grid, base, top);
            top += lesser(grid->side, grid->rows - top);
        }
        w->cu_seqlens[++w->frames] = w->tokens * patches;
    }
}
