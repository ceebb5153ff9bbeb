/* SPDX-License-Identifier: Apache-2.0 */
/* workspace.c - counting and laying out the scratch of one call */
#include "cpu/workspace.h"

#include "base/checked.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/processor.h"
#include "cpu/tables.h"

/* Offsets grow from it; once a sum overflows it stays overflowed. */
typedef struct cursor {
    size_t at;
    bool overflowed;
} cursor;

/* Take count x bytes; where they start. */
static size_t
take(cursor *c, size_t count, size_t bytes)
{
    size_t start = c->at, n;

    if (!oriel_mul_size(&n, count, bytes) || n > SIZE_MAX - ORIEL_ALIGNMENT ||
        !oriel_add_size(&c->at, c->at, oriel_round_up(n, ORIEL_ALIGNMENT))) {
        c->overflowed = true;
        return 0;
    }
    return start;
}

static void *
place(char *base, size_t at)
{
    return base ? base + at : NULL;
}

int64_t
oriel_cpu_rows(const oriel_plan *plan)
{
    return (plan->info.patches + ORIEL_ROW_STEP - 1) / ORIEL_ROW_STEP *
           ORIEL_ROW_STEP;
}

int64_t
oriel_cpu_rows_held(const oriel_plan *plan)
{
    return oriel_cpu_rows(plan) + ORIEL_ROW_TILE - ORIEL_ROW_STEP;
}

static size_t
larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Resamplers of all items, then room for each thread's band. */
static void
lay_out_pixels(oriel_cpu_pixels *p, cursor *c, char *base,
               const oriel_plan *plan, int32_t threads)
{
    const oriel_network *net = &plan->network;
    size_t n = (size_t)plan->info.n_items, scratch = 0, items, start;
    size_t side = (size_t)oriel_network_token_pixels(net);
    int32_t rows = ORIEL_BAND_TOKEN_ROWS * (int32_t)side;

    items = take(c, n + 1, sizeof(*p->items));
    p->items = place(base, items);
    start = c->at;
    p->resamplers = place(base, start);
    p->frame_bytes = 0;
    for (size_t i = 0; i < n; i++) {
        const oriel_item *it = &plan->items[i];
        size_t frame = (size_t)rows * (size_t)it->resized_width * 3;
        size_t at =
            take(c, 1,
                 oriel_resampler_bytes(plan->resample, it->width, it->height,
                                       it->resized_width, it->resized_height));

        if (base)
            p->items[i].at = at - start;
        p->frame_bytes =
            larger(p->frame_bytes, oriel_round_up(frame, ORIEL_ALIGNMENT));
        scratch =
            larger(scratch, oriel_resampler_scratch_bytes_for(
                                plan->resample, it->width, it->height,
                                it->resized_width, it->resized_height, rows));
    }
    if (!oriel_mul_size(&p->frames_bytes, p->frame_bytes,
                        (size_t)net->temporal_patch_size) ||
        scratch > SIZE_MAX / 2 ||
        !oriel_add_size(&p->band_bytes, p->frames_bytes,
                        oriel_round_up(scratch, ORIEL_ALIGNMENT)))
        c->overflowed = true;
    p->bands = place(base, take(c, (size_t)threads, p->band_bytes));
}

/* What the three stages of a block share; its bytes. */
static void
lay_out_union(oriel_cpu_workspace *s, cursor *c, char *base,
              const oriel_cpu_shapes *shapes, size_t rows, size_t unit)
{
    cursor heads = *c, inner = *c, patches = *c;
    size_t hidden = (size_t)shapes->hidden * unit;

    s->patch_rows =
        place(base, take(&patches, rows,
                         (size_t)shapes->product[ORIEL_LAYER_PATCH].k * unit));
    s->q = place(base, take(&heads, rows, hidden));
    s->k = place(base, take(&heads, rows, hidden));
    s->v = place(base, take(&heads, rows, hidden));
    s->inner =
        place(base, take(&inner, rows,
                         (size_t)shapes->product[ORIEL_LAYER_DOWN].k * unit));
    c->at = larger(heads.at, larger(inner.at, patches.at));
    c->overflowed = c->overflowed || heads.overflowed || inner.overflowed ||
                    patches.overflowed;
}

static int32_t
longest_side(const oriel_plan *plan)
{
    int64_t longest = 1;

    for (int64_t i = 0; i < plan->info.n_items; i++)
        for (int j = 1; j < 3; j++)
            if (plan->info.grid_thw[3 * i + j] > longest)
                longest = plan->info.grid_thw[3 * i + j];
    return (int32_t)longest;
}

oriel_status
oriel_cpu_lay_out(oriel_cpu_workspace *space, char *base,
                  const oriel_plan *plan, oriel_cpu_storage storage,
                  int32_t threads, oriel_error *err)
{
    const oriel_network *net = &plan->network;
    size_t rows = (size_t)oriel_cpu_rows_held(plan), table;
    cursor c = {0, false}, pixels = {0, false};
    oriel_cpu_shapes shapes;

    oriel_cpu_shapes_init(&shapes, net);
    space->residual =
        place(base, take(&c, rows, (size_t)shapes.hidden * sizeof(float)));
    if (!plan->from_grids)
        lay_out_pixels(&space->pixels, &pixels, base, plan, threads);
    c.at = larger(c.at, pixels.at);

    space->positions = longest_side(plan);
    space->cosine = space->sine = NULL;
    if (space->positions > ORIEL_CPU_ROPE_POSITIONS) {
        table = (size_t)space->positions * (size_t)(net->head_dim / 4);
        space->cosine = place(base, take(&c, table, sizeof(float)));
        space->sine = place(base, take(&c, table, sizeof(float)));
    }
    lay_out_union(space, &c, base, &shapes, rows,
                  oriel_cpu_storage_bytes(storage));
    space->bytes = c.at;
    if (c.overflowed || pixels.overflowed)
        return oriel_fail(err, ORIEL_ERR_CAPACITY,
                          "the plan's workspace exceeds the address space");
    return ORIEL_OK;
}

oriel_status
oriel_cpu_workspace_bytes(const oriel_plan *plan,
                          const oriel_backend_config *config, size_t *bytes,
                          oriel_error *err)
{
    oriel_cpu_workspace space;
    oriel_status status = oriel_cpu_shapes_check(&plan->network, err);

    if (status)
        return status;
    status = oriel_cpu_lay_out(
        &space, NULL, plan,
        oriel_cpu_storage_for(config->precision, oriel_processor_isa()),
        config->threads, err);
    *bytes = space.bytes;
    return status;
}
