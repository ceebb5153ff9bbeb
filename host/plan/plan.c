/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.c - from the sizes of a batch to its geometry
 *
 * Two passes over the items.  The first refuses what must be refused and counts;
 * the second fills one allocation of exactly the size counted.
 */
#include "plan/plan.h"

#include "base/checked.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/options.h"
#include "plan/flops.h"
#include "plan/shape.h"

#include <string.h>

typedef struct totals {
    int64_t patches, tokens, frames, windows, source_frames;
    int32_t longest_frame, longest_window; /* patches */
    size_t largest;                        /* the item of most patches ... */
    int64_t largest_grid[3];               /* ... and its t, h, w */
} totals;

/* ---- First pass ------------------------------------------------------- */

static void
raise_to(int32_t *maximum, int64_t value)
{
    if (*maximum < value)
        *maximum = (int32_t)value;
}

static void
note_largest(totals *sum, size_t i, const oriel_plan_shape *s)
{
    const int64_t *most = sum->largest_grid;

    if (s->t * s->h * s->w <= most[0] * most[1] * most[2])
        return;
    sum->largest = i;
    sum->largest_grid[0] = s->t;
    sum->largest_grid[1] = s->h;
    sum->largest_grid[2] = s->w;
}

static oriel_status
measure(totals *sum, const oriel_plan_request *r, oriel_error *err)
{
    *sum = (totals){0};
    for (size_t i = 0; i < r->n_items; i++) {
        int64_t merge, tokens;
        oriel_status st;
        oriel_plan_shape s;

        st = oriel_plan_shape_get(&s, r, i, err);
        if (st)
            return st;
        merge = (int64_t)s.tokens.merge * s.tokens.merge;
        tokens = (int64_t)s.tokens.rows * s.tokens.columns;
        sum->patches += s.t * s.h * s.w;
        sum->tokens += s.t * tokens;
        sum->frames += s.t;
        sum->windows += s.t * oriel_windows_per_frame(&s.tokens);
        sum->source_frames += s.item.frames;
        note_largest(sum, i, &s);
        raise_to(&sum->longest_frame, tokens * merge);
        raise_to(&sum->longest_window,
                 oriel_windows_longest(&s.tokens) * merge);
        if (sum->patches > ORIEL_MAX_PATCHES)
            return oriel_fail_item(
                err, ORIEL_ERR_CAPACITY, (int64_t)i,
                "the items up to this one are over %d "
                "patches together: split the batch before it",
                ORIEL_MAX_PATCHES);
    }
    return ORIEL_OK;
}

/* ---- Second pass ------------------------------------------------------ */

/* Places arrays one after the other; from NULL it only counts. */
typedef struct arena {
    char *base;
    size_t used;
} arena;

/* No product or sum here overflows: no count exceeds 3 x ORIEL_MAX_PATCHES. */
static void *
take(arena *a, int64_t count, size_t bytes)
{
    const size_t at = a->used;

    a->used += oriel_round_up((size_t)count * bytes, ORIEL_ALIGNMENT);
    return a->base ? a->base + at : NULL;
}

/* The arrays of a plan, still to be written. */
typedef struct arrays {
    oriel_plan *plan;
    oriel_item *items;
    int64_t *grid_thw, *offsets, *flops, *first_frame, *first_patch;
    int32_t *blocks;
    oriel_window_writer windows;
} arrays;

static void
lay_out(arrays *to, arena *a, const oriel_plan_request *r, const totals *sum)
{
    const int64_t n = (int64_t)r->n_items;

    to->plan = take(a, 1, sizeof(*to->plan));
    to->items = take(a, n, sizeof(*to->items));
    to->grid_thw = take(a, 3 * n, sizeof(*to->grid_thw));
    to->offsets = take(a, n + 1, sizeof(*to->offsets));
    to->flops = take(a, n, sizeof(*to->flops));
    to->first_frame = take(a, n + 1, sizeof(*to->first_frame));
    to->first_patch = take(a, n + 1, sizeof(*to->first_patch));
    to->blocks =
        take(a, r->network->n_full_attention_blocks, sizeof(*to->blocks));
    to->windows = (oriel_window_writer){0};
    to->windows.cu_seqlens = take(a, sum->frames + 1, sizeof(int32_t));
    to->windows.cu_window_seqlens = take(a, sum->windows + 1, sizeof(int32_t));
    to->windows.index = take(a, sum->tokens, sizeof(int32_t));
    to->windows.inverse = take(a, sum->tokens, sizeof(int32_t));
    to->windows.positions = take(a, 2 * sum->patches, sizeof(int32_t));
}

/* Write every array; returns the FLOPs of the batch, and adds the FLOPs of steps. */
static int64_t
fill_items(const arrays *to, const oriel_plan_request *r,
           oriel_step_flops *steps)
{
    oriel_window_writer windows = to->windows;
    int64_t flops = 0;
    oriel_error ignored; /* the first pass accepted every item */

    to->offsets[0] = to->first_frame[0] = to->first_patch[0] = 0;
    windows.cu_seqlens[0] = windows.cu_window_seqlens[0] = 0;
    for (size_t i = 0; i < r->n_items; i++) {
        oriel_step_flops item;
        oriel_plan_shape s;

        oriel_plan_shape_get(&s, r, i, &ignored);
        to->items[i] = s.item;
        to->grid_thw[3 * i] = s.t;
        to->grid_thw[3 * i + 1] = s.h;
        to->grid_thw[3 * i + 2] = s.w;
        oriel_windows_write(&windows, &s.tokens);
        to->offsets[i + 1] = windows.tokens;
        to->first_frame[i + 1] = to->first_frame[i] + s.item.frames;
        to->first_patch[i + 1] = to->first_patch[i] + s.t * s.h * s.w;
        to->flops[i] = oriel_flops_item(r->network, &s.tokens);
        flops = oriel_flops_add(flops, to->flops[i]);
        item = oriel_flops_of_steps(r->network, &s.tokens);
        *steps = oriel_flops_add_steps(steps, &item);
    }
    return flops;
}

static void
fill_info(oriel_plan_info *info, const arrays *to, const oriel_plan_request *r,
          const totals *sum)
{
    info->struct_size = sizeof(*info);
    info->n_items = (int32_t)r->n_items;
    info->n_frames = (int32_t)sum->frames;
    info->n_windows = (int32_t)sum->windows;
    info->longest_frame = sum->longest_frame;
    info->longest_window = sum->longest_window;
    info->patch_columns = oriel_network_patch_columns(r->network);
    info->out_hidden_size = r->network->out_hidden_size;
    info->patches = sum->patches;
    info->tokens = sum->tokens;
    info->grid_thw = to->grid_thw;
    info->offsets = to->offsets;
    info->flops_per_item = to->flops;
    info->cu_seqlens = to->windows.cu_seqlens;
    info->cu_window_seqlens = to->windows.cu_window_seqlens;
    info->window_index = to->windows.index;
    info->window_inverse = to->windows.inverse;
    info->positions = to->windows.positions;
}

/* One allocation serves all items; the largest is the one to leave out. */
static oriel_status
fail_memory(const oriel_plan_request *r, const totals *sum, size_t bytes,
            oriel_error *err)
{
    const int64_t *grid = sum->largest_grid;

    return oriel_fail_item(
        err, ORIEL_ERR_MEMORY, (int64_t)sum->largest,
        "grid %lld x %lld x %lld%s: out of memory: wanted %zu bytes for a plan "
        "of %lld patches",
        (long long)grid[0], (long long)grid[1], (long long)grid[2],
        r->n_items > 1 ? ", the largest" : "", bytes, (long long)sum->patches);
}

static oriel_status
build(oriel_plan **out, const oriel_plan_request *r, oriel_error *err)
{
    oriel_plan *plan;
    oriel_status st;
    totals sum;
    arrays to;
    arena a = {0};

    st = measure(&sum, r, err);
    if (st)
        return st;
    lay_out(&to, &a, r, &sum);
    a.base = oriel_alloc(&r->hooks, a.used);
    if (!a.base)
        return fail_memory(r, &sum, a.used, err);
    a.used = 0;
    lay_out(&to, &a, r, &sum);

    plan = to.plan;
    *plan = (oriel_plan){.hooks = r->hooks,
                         .network = *r->network,
                         .resample = r->resample,
                         .from_grids = !r->items,
                         .n_source_frames = sum.source_frames,
                         .items = to.items,
                         .first_frame = to.first_frame,
                         .first_patch = to.first_patch};
    if (r->network->n_full_attention_blocks)
        memcpy(to.blocks, r->network->full_attention_blocks,
               (size_t)r->network->n_full_attention_blocks *
                   sizeof(*to.blocks));
    plan->network.full_attention_blocks = to.blocks;
    plan->info.flops = fill_items(&to, r, &plan->step_flops);
    fill_info(&plan->info, &to, r, &sum);
    *out = plan;
    return oriel_ok(err);
}

/* ---- The public functions --------------------------------------------- */

static oriel_status
create(oriel_plan **out, oriel_plan_request *r, const oriel_model *model,
       const oriel_plan_options *options, const char *call, oriel_error *err)
{
    oriel_status st;

    if (!out)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT, "%s: out is NULL", call);
    *out = NULL;
    st = oriel_plan_request_load(r, model, options, call, err);
    return st ? st : build(out, r, err);
}

oriel_status
oriel_plan_create(oriel_plan **out, const oriel_model *model,
                  const oriel_item *items, size_t n_items,
                  const oriel_plan_options *options, oriel_error *err)
{
    oriel_plan_request r = {.items = items, .n_items = n_items};

    return create(out, &r, model, options, "oriel_plan_create", err);
}

oriel_status
oriel_plan_create_from_grids(oriel_plan **out, const oriel_model *model,
                             const int64_t *grid_thw, size_t n_items,
                             const oriel_plan_options *options,
                             oriel_error *err)
{
    oriel_plan_request r = {.grid_thw = grid_thw, .n_items = n_items};

    return create(out, &r, model, options, "oriel_plan_create_from_grids", err);
}

oriel_status
oriel_plan_get_info(const oriel_plan *plan, oriel_plan_info *info,
                    oriel_error *err)
{
    oriel_status st;

    if (!plan || !info)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT, "%s is NULL",
                          plan ? "info" : "plan");
    st = oriel_info_store(info, &plan->info, sizeof(plan->info),
                          sizeof(plan->info), "oriel_plan_info", err);
    return st ? st : oriel_ok(err);
}

void
oriel_plan_destroy(oriel_plan *plan)
{
    oriel_hooks hooks;

    if (!plan)
        return;
    hooks = plan->hooks; /* the plan lies in what is freed */
    oriel_free(&hooks, plan);
}
