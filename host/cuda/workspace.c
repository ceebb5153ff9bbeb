/* SPDX-License-Identifier: Apache-2.0 */
/* workspace.c - counting and laying out the scratch of one call */
#include "cuda/workspace.h"

#include "base/fail.h"
#include "cuda/device.h"
#include "cuda/products.h"
#include "cuda/tables.h"

/* False when a block a head of each would be more than a grid can have. */
static bool
count_work(oriel_cuda_metadata *m, const oriel_plan *plan,
           const oriel_cuda_shapes *s)
{
    oriel_cuda_census *census = &m->census;
    int64_t most = INT32_MAX / s->heads;

    oriel_cuda_count(census, plan, s->windows_fit);
    m->n_packs = (int32_t)census->n_packs;
    m->n_window_tiles = (int32_t)census->n_window_tiles;
    m->n_frame_tiles = (int32_t)census->n_frame_tiles;
    m->n_positions = census->longest_side > ORIEL_CUDA_ROPE_POSITIONS
                         ? census->longest_side
                         : 0;
    return census->n_packs <= most && census->n_window_tiles <= most &&
           census->n_frame_tiles <= most;
}

static void
lay_out_metadata(oriel_cuda_metadata *m, oriel_cuda_cursor *c,
                 const oriel_plan *plan, const oriel_cuda_shapes *s)
{
    const oriel_plan_info *info = &plan->info;
    int64_t word = sizeof(int32_t);

    m->tokens = oriel_cuda_take(c, info->tokens, word);
    m->positions = oriel_cuda_take(c, info->patches, 2 * word);
    m->cu_window = oriel_cuda_take(c, info->n_windows + 1, word);
    m->packs = oriel_cuda_take(c, m->n_packs, ORIEL_PACK_COLUMNS * word);
    m->window_tiles =
        oriel_cuda_take(c, m->n_window_tiles, ORIEL_TILE_COLUMNS * word);
    m->frame_tiles =
        oriel_cuda_take(c, m->n_frame_tiles, ORIEL_TILE_COLUMNS * word);
    m->is_still = oriel_cuda_take(c, info->patches, 1);
    m->records = oriel_cuda_take(c, info->n_items, sizeof(*m->records));
    m->own_rope =
        oriel_cuda_take(c, m->n_positions, oriel_cuda_rope_row(s->head_dim));
}

static void
extend(oriel_cuda_cursor *all, const oriel_cuda_cursor *member)
{
    all->at = member->at > all->at ? member->at : all->at;
    all->overflowed = all->overflowed || member->overflowed;
}

/* What follows one another in the same place. */
static void
lay_out_union(oriel_cuda_workspace *w, oriel_cuda_cursor *c,
              const oriel_plan *plan, const oriel_cuda_shapes *s,
              int32_t kernels)
{
    int64_t rows = plan->info.patches, tokens = plan->info.tokens;
    int64_t half = sizeof(uint16_t), full = sizeof(float);
    oriel_cuda_cursor pixels = *c, values = *c, qkv = *c, inner = *c, tap = *c,
                      merge = *c;

    w->pixels =
        oriel_cuda_take(&pixels, rows, s->slices * (int64_t)s->slice_bytes);
    if (oriel_cuda_resamples(plan))
        oriel_cuda_lay_out_frames(&w->frames, &pixels, plan);
    w->pixel_values = oriel_cuda_take(&values, rows, s->patch_values * full);
    w->qkv = oriel_cuda_take(&qkv, rows, INT64_C(3) * s->hidden * half);
    w->inner = oriel_cuda_take(&inner, rows, s->intermediate * half);
    w->gate_up = NULL;
    if (oriel_cuda_products_need_gate_up(kernels))
        w->gate_up =
            oriel_cuda_take(&inner, rows, INT64_C(2) * s->intermediate * half);
    w->tap = oriel_cuda_take(&tap, rows, s->hidden * full);
    w->fc1 = oriel_cuda_take(&merge, tokens, s->merged * half);
    w->embeddings = oriel_cuda_take(&merge, tokens, s->out_hidden * full);
    extend(c, &pixels);
    extend(c, &values);
    extend(c, &qkv);
    extend(c, &inner);
    extend(c, &tap);
    extend(c, &merge);
}

oriel_status
oriel_cuda_lay_out(oriel_cuda_workspace *space, void *base,
                   const oriel_plan *plan, const oriel_cuda_shapes *shapes,
                   int32_t kernels, oriel_error *err)
{
    oriel_cuda_cursor c = {base, 0, false};
    int64_t row = shapes->hidden * (int64_t)sizeof(uint16_t);

    if (!count_work(&space->metadata, plan, shapes))
        return oriel_fail(err, ORIEL_ERR_CAPACITY,
                          "%lld patches are too many for one call on a GPU",
                          (long long)plan->info.patches);
    lay_out_metadata(&space->metadata, &c, plan, shapes);
    space->residual = oriel_cuda_take(&c, plan->info.patches, row);
    space->operand = oriel_cuda_take(&c, plan->info.patches, row);
    lay_out_union(space, &c, plan, shapes, kernels);
    space->bytes = c.at;
    if (c.overflowed)
        return oriel_fail(err, ORIEL_ERR_CAPACITY,
                          "the plan's workspace exceeds the address space");
    return ORIEL_OK;
}

oriel_status
oriel_cuda_workspace_bytes(const oriel_plan *plan,
                           const oriel_backend_config *config, size_t *bytes,
                           oriel_error *err)
{
    oriel_cuda_workspace space = {0};
    oriel_cuda_shapes shapes;
    oriel_status status =
        oriel_cuda_check_network(&plan->network, config->precision, err);

    if (status)
        return status;
    oriel_cuda_shapes_init(&shapes, &plan->network);
    status =
        oriel_cuda_lay_out(&space, NULL, plan, &shapes, config->kernels, err);
    *bytes = status ? 0 : space.bytes;
    return status;
}

oriel_status
oriel_cuda_alloc_workspace(void **out, size_t bytes,
                           const oriel_backend_config *config, oriel_error *err)
{
    oriel_cuda_scope scope;
    oriel_status status = oriel_cuda_enter(&scope, config->device_index, err);

    *out = NULL;
    if (!status)
        status = oriel_cuda_alloc(out, bytes, config->hooks,
                                  config->device_index, "the workspace", err);
    oriel_cuda_leave(&scope);
    return status;
}

void
oriel_cuda_free_workspace(void *workspace, const oriel_backend_config *config)
{
    oriel_cuda_scope scope;
    oriel_error ignored;

    (void)oriel_cuda_enter(&scope, config->device_index, &ignored);
    oriel_cuda_free(workspace, config->hooks, config->device_index);
    oriel_cuda_leave(&scope);
}
