/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/slow.h"

#include <stdlib.h>
#include <string.h>

static int32_t *
array(size_t count)
{
    int32_t *a = malloc((count + 1) * sizeof(int32_t));

    if (!a)
        abort();
    return a;
}

/* Cells of one padded image in the order of its windows; -1 is padding. */
static void
add_image(slow_plan *p, int32_t *raw, size_t *n_raw, int32_t t, int32_t rows,
          int32_t columns, int32_t side, int32_t merge)
{
    const int32_t down = rows + side - rows % side;
    const int32_t across = columns + side - columns % side;
    const size_t cells = (size_t)t * (size_t)down * (size_t)across;
    const int32_t base = (int32_t)p->tokens;
    int32_t *padded = array(cells);

    for (size_t c = 0; c < cells; c++) {
        const int32_t x = (int32_t)(c % (size_t)across);
        const int32_t y = (int32_t)(c / (size_t)across % (size_t)down);
        const int32_t f = (int32_t)(c / (size_t)across / (size_t)down);

        padded[c] = x < columns && y < rows ? (f * rows + y) * columns + x : -1;
    }
    for (size_t c = 0; c < cells; c++) {
        /* c counts through (f, wy, wx, y, x). */
        size_t rest = c;
        const size_t s = (size_t)side, nx = (size_t)across / s;
        const size_t ny = (size_t)down / s;
        const size_t x = rest % s, y = (rest /= s) % s;
        const size_t wx = (rest /= s) % nx, wy = (rest /= nx) % ny;
        const size_t f = rest / ny;
        const int32_t cell =
            padded[(f * (size_t)down + wy * s + y) * (size_t)across + wx * s +
                   x];

        if (cell >= 0)
            p->index[p->tokens++] = base + cell;
        if (x == s - 1 && y == s - 1)
            raw[(*n_raw)++] = (int32_t)p->tokens * merge * merge;
    }
    free(padded);
}

/* Row and column of patch 'r' of an image, in image order. */
static void
position(int32_t *out, size_t r, size_t h, size_t w, size_t merge)
{
    const size_t cells = merge * merge;
    const size_t token = r / cells % (h / merge * (w / merge));
    const size_t y = token / (w / merge), x = token % (w / merge);

    out[0] = (int32_t)(y * merge + r % cells / merge);
    out[1] = (int32_t)(x * merge + r % merge);
}

static void
add_positions(slow_plan *p, const int64_t *grid_thw, size_t n, int32_t merge)
{
    const size_t cells = (size_t)merge * (size_t)merge;
    int32_t *plain = array(2 * p->patches);
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        const size_t h = (size_t)grid_thw[3 * i + 1];
        const size_t w = (size_t)grid_thw[3 * i + 2];

        for (size_t r = 0; r < (size_t)grid_thw[3 * i] * h * w; r++)
            position(plain + 2 * at++, r, h, w, (size_t)merge);
    }
    for (size_t k = 0; k < p->tokens; k++)
        memcpy(p->positions + 2 * cells * k,
               plain + 2 * cells * (size_t)p->index[k],
               2 * cells * sizeof(int32_t));
    free(plain);
}

slow_plan
slow_plan_make(const int64_t *grid_thw, size_t n, int32_t side, int32_t merge)
{
    slow_plan p = {0};
    size_t most_windows = 1, n_raw = 0;
    int32_t *raw;

    for (size_t i = 0; i < n; i++) {
        const int64_t *g = grid_thw + 3 * i;

        p.patches += (size_t)(g[0] * g[1] * g[2]);
        p.n_frames += (size_t)g[0];
        most_windows += (size_t)(g[0] * (g[1] / merge / side + 1) *
                                 (g[2] / merge / side + 1));
    }
    p.index = array(p.patches);
    p.inverse = array(p.patches);
    p.positions = array(2 * p.patches);
    p.cu_window = array(most_windows);
    p.cu = array(p.n_frames);
    raw = array(most_windows);
    raw[n_raw++] = 0;

    p.cu[0] = 0;
    for (size_t i = 0, f = 0; i < n; i++) {
        const int64_t *g = grid_thw + 3 * i;

        add_image(&p, raw, &n_raw, (int32_t)g[0], (int32_t)g[1] / merge,
                  (int32_t)g[2] / merge, side, merge);
        for (int64_t k = 0; k < g[0]; k++, f++)
            p.cu[f + 1] = p.cu[f] + (int32_t)(g[1] * g[2]);
    }
    p.cu_window[0] = raw[0];
    for (size_t k = 1; k < n_raw; k++)
        if (raw[k] != raw[k - 1])
            p.cu_window[++p.n_windows] = raw[k];
    for (size_t k = 0; k < p.tokens; k++)
        p.inverse[p.index[k]] = (int32_t)k;
    add_positions(&p, grid_thw, n, merge);
    free(raw);
    return p;
}

void
slow_plan_free(slow_plan *p)
{
    free(p->index);
    free(p->inverse);
    free(p->positions);
    free(p->cu_window);
    free(p->cu);
}
