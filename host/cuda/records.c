/* SPDX-License-Identifier: Apache-2.0 */
/* records.c - items counted, and what comes before each */
#include "cuda/records.h"

enum {
    PATCHES = 4,     /* of a token: shapes.c takes no other merge */
    SLOT_TOKENS = 4, /* 16 patches */
    TILE_TOKENS = 32,
    LENGTH_CLASSES = 31
};

static int32_t
divide_up(int64_t a, int32_t b)
{
    return (int32_t)((a + b - 1) / b);
}

/* ---- An item -------------------------------------------------------------- */

/* The windows of a frame: whole, cut at the right, cut below, cut at both. */
typedef struct kinds {
    int32_t windows[4]; /* 0: there is no such */
    int32_t tokens[4];
} kinds;

typedef struct item_shape {
    int32_t frames, rows, columns; /* in tokens */
    kinds kinds;
} item_shape;

static item_shape
shape_of(const oriel_plan *plan, int64_t item)
{
    const int64_t *grid = &plan->info.grid_thw[3 * item];
    int32_t side = oriel_network_window_tokens(&plan->network);
    int32_t merge = plan->network.spatial_merge_size;
    item_shape s = {(int32_t)grid[0],
                    (int32_t)(grid[1] / merge),
                    (int32_t)(grid[2] / merge),
                    {{0}, {0}}};
    int32_t down[2] = {s.rows / side, s.rows % side > 0};
    int32_t across[2] = {s.columns / side, s.columns % side > 0};
    int32_t height[2] = {side, s.rows % side};
    int32_t width[2] = {side, s.columns % side};

    for (int k = 0; k < 4; k++) {
        s.kinds.windows[k] = down[k / 2] * across[k % 2];
        if (s.kinds.windows[k])
            s.kinds.tokens[k] = height[k / 2] * width[k % 2];
    }
    return s;
}

static int32_t
windows_per_frame(const item_shape *s)
{
    int32_t sum = 0;

    for (int k = 0; k < 4; k++)
        sum += s->kinds.windows[k];
    return sum;
}

static int32_t
frame_tiles(const item_shape *s)
{
    return divide_up((int64_t)s->rows * s->columns, TILE_TOKENS);
}

static int64_t
window_tiles(const item_shape *s)
{
    int64_t sum = 0;

    for (int k = 0; k < 4; k++)
        sum += (int64_t)s->kinds.windows[k] *
               divide_up(s->kinds.tokens[k], TILE_TOKENS);
    return sum * s->frames;
}

static void
add_classes(int32_t windows_of[ORIEL_CUDA_WINDOW_CLASSES], const item_shape *s)
{
    for (int k = 0; k < 4; k++)
        if (s->kinds.windows[k])
            windows_of[divide_up(s->kinds.tokens[k], SLOT_TOKENS) - 1] +=
                s->frames * s->kinds.windows[k];
}

/* Frames within a factor of two of each other: enough for a schedule. */
static int32_t
length_class(const item_shape *s)
{
    return 31 - __builtin_clz((uint32_t)(s->rows * s->columns * PATCHES));
}

bool
oriel_cuda_is_still(const oriel_plan *plan, int64_t item, int64_t slice)
{
    int64_t frames = plan->first_frame[item + 1] - plan->first_frame[item];
    int64_t per_slice = plan->network.temporal_patch_size;

    return per_slice > 1 && slice * per_slice >= frames - 1;
}

/* Slices from here on are still: that which the last frame begins, or none. */
static int32_t
first_still(const oriel_plan *plan, int64_t item, int32_t slices)
{
    return oriel_cuda_is_still(plan, item, slices - 1) ? slices - 1 : slices;
}

/* ---- All of them ---------------------------------------------------------- */

/* Threes take a one beside them; what is left of twos, two. */
static int64_t
count_packs(const int32_t windows_of[ORIEL_CUDA_WINDOW_CLASSES])
{
    int64_t ones = windows_of[0], twos = windows_of[1];
    int64_t packs = (int64_t)windows_of[3] + windows_of[2] + (twos + 1) / 2;

    ones -= windows_of[2] + twos % 2 * 2;
    return ones > 0 ? packs + (ones + 3) / 4 : packs;
}

void
oriel_cuda_count(oriel_cuda_work_counts *counts, const oriel_plan *plan,
                 bool windows_fit)
{
    *counts = (oriel_cuda_work_counts){.longest_side = 1};
    for (int64_t i = 0; i < plan->info.n_items; i++) {
        const int64_t *grid = &plan->info.grid_thw[3 * i];
        item_shape s = shape_of(plan, i);

        counts->n_frame_tiles += (int64_t)s.frames * frame_tiles(&s);
        if (windows_fit)
            add_classes(counts->windows_of, &s);
        else
            counts->n_window_tiles += window_tiles(&s);
        for (int j = 1; j < 3; j++)
            if (grid[j] > counts->longest_side)
                counts->longest_side = (int32_t)grid[j];
    }
    counts->n_packs = count_packs(counts->windows_of);
}

/* The first tile of each class, the longest first. */
static void
place_classes(int32_t first[LENGTH_CLASSES], const oriel_plan *plan)
{
    int32_t tiles[LENGTH_CLASSES] = {0}, sum = 0;

    for (int64_t i = 0; i < plan->info.n_items; i++) {
        item_shape s = shape_of(plan, i);

        tiles[length_class(&s)] += s.frames * frame_tiles(&s);
    }
    for (int class = LENGTH_CLASSES - 1; class >= 0; class --) {
        first[class] = sum;
        sum += tiles[class];
    }
}

void
oriel_cuda_make_records(const oriel_plan *plan, bool windows_fit,
                        oriel_cuda_put_record *put, void *context)
{
    int32_t next_frame_tile[LENGTH_CLASSES];
    oriel_plan_record r = {0};

    place_classes(next_frame_tile, plan);
    for (int64_t i = 0; i < plan->info.n_items; i++) {
        item_shape s = shape_of(plan, i);
        int32_t *frame_tile = &next_frame_tile[length_class(&s)];

        r.frames = s.frames;
        r.rows = s.rows;
        r.columns = s.columns;
        r.first_token = (int32_t)plan->info.offsets[i];
        r.first_frame_tile = *frame_tile;
        r.first_still = first_still(plan, i, s.frames);
        put(context, &r);
        *frame_tile += s.frames * frame_tiles(&s);
        r.first_window += s.frames * windows_per_frame(&s);
        if (windows_fit)
            add_classes(r.first_of, &s);
        else
            r.first_window_tile += (int32_t)window_tiles(&s);
    }
}
