/* SPDX-License-Identifier: Apache-2.0 */
/* segments.c - windows into packs, frames into tiles */
#include "support/segments.h"

#include <stddef.h>

/* ---- Packs --------------------------------------------------------------- */

enum { SLOT_ROWS = 16, SLOTS = ORIEL_PACK_COLUMNS };

/* The windows that take 'slots' slots, one after another. */
typedef struct walker {
    const int32_t *cu_window;
    int32_t n_windows, slots, next;
} walker;

/* The next one, or -1. */
static int32_t
take(walker *w)
{
    for (; w->next < w->n_windows; w->next++) {
        int32_t n = w->cu_window[w->next + 1] - w->cu_window[w->next];

        if ((n + SLOT_ROWS - 1) / SLOT_ROWS == w->slots)
            return w->next++;
    }
    return -1;
}

/* Fill what is left of a pack with windows of at most 'slots'; what it took. */
static int32_t
fill(int32_t pack[SLOTS], int32_t used, walker walkers[SLOTS], int32_t slots)
{
    int32_t first = used;

    for (; slots > 0; slots--)
        while (used + slots <= SLOTS) {
            int32_t window = take(&walkers[slots - 1]);

            if (window < 0)
                break;
            for (int32_t i = 0; i < slots; i++)
                pack[used++] = window;
        }
    return used - first;
}

int64_t
oriel_cuda_pack_windows(const int32_t *cu_window, int32_t n_windows,
                        oriel_cuda_put *put, void *context)
{
    walker walkers[SLOTS];
    int64_t n_packs = 0;

    for (int32_t i = 0; i < SLOTS; i++)
        walkers[i] = (walker){cu_window, n_windows, i + 1, 0};
    for (;;) {
        int32_t pack[SLOTS] = {-1, -1, -1, -1};

        /* The largest that is left, and small ones beside it. */
        if (fill(pack, 0, walkers, SLOTS) == 0)
            return n_packs;
        if (put)
            put(context, pack);
        n_packs++;
    }
}

/* ---- Tiles --------------------------------------------------------------- */

enum { TILE_QUERIES = 128, LENGTH_CLASSES = 31 };

/* Lengths within a factor of two of each other: enough for a schedule. */
static int32_t
length_class(int32_t n)
{
    return 31 - __builtin_clz((uint32_t)n);
}

static int64_t
tile_class(const int32_t *cu_seqlens, int32_t n_segments, int32_t class,
           oriel_cuda_put *put, void *context)
{
    int64_t n_tiles = 0;

    for (int32_t s = 0; s < n_segments; s++) {
        int32_t n = cu_seqlens[s + 1] - cu_seqlens[s];

        if (length_class(n) != class)
            continue;
        for (int32_t query = 0; query < n; query += TILE_QUERIES, n_tiles++)
            if (put) {
                int32_t tile[ORIEL_TILE_COLUMNS] = {cu_seqlens[s], n, query};

                put(context, tile);
            }
    }
    return n_tiles;
}

int64_t
oriel_cuda_tile_segments(const int32_t *cu_seqlens, int32_t n_segments,
                         oriel_cuda_put *put, void *context)
{
    uint32_t present = 0;
    int64_t n_tiles = 0;

    for (int32_t s = 0; s < n_segments; s++)
        present |= UINT32_C(1)
                   << length_class(cu_seqlens[s + 1] - cu_seqlens[s]);
    for (int32_t class = LENGTH_CLASSES - 1; class >= 0; class --)
        if (present >> class & 1)
            n_tiles += tile_class(cu_seqlens, n_segments, class, put, context);
    return n_tiles;
}
