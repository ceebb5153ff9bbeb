/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/flops.h"

#include "base/checked.h"

int64_t
oriel_flops_add(int64_t a, int64_t b)
{
    int64_t sum;

    return oriel_add_i64(&sum, a, b) ? sum : INT64_MAX;
}

static int64_t
times(int64_t a, int64_t b)
{
    int64_t product;

    return oriel_mul_i64(&product, a, b) ? product : INT64_MAX;
}

/* Of a matrix product with 'rows' rows. */
static int64_t
product(int64_t rows, int64_t depth, int64_t columns)
{
    return times(2, times(rows, times(depth, columns)));
}

/* Scores, then values: 4 D len^2 a segment; 'squares' is the sum over a frame. */
static int64_t
attention(const oriel_network *n, const oriel_token_grid *grid, int64_t squares)
{
    return times(grid->frames, times(times(4, n->hidden_size), squares));
}

oriel_step_flops
oriel_flops_of_steps(const oriel_network *n, const oriel_token_grid *grid)
{
    const int64_t merge2 = (int64_t)grid->merge * grid->merge;
    const int64_t frame = merge2 * grid->rows * grid->columns; /* patches */
    const int64_t tokens = (int64_t)grid->frames * grid->rows * grid->columns;
    const int64_t patches = tokens * merge2;
    const int64_t d = n->hidden_size, inner = n->intermediate_size;
    const int64_t merged =
        times(times(d, n->spatial_merge_size), n->spatial_merge_size);
    const int64_t windows =
        times(times(merge2, merge2), oriel_windows_square_sum(grid));

    return (oriel_step_flops){
        .embed = product(patches, oriel_network_patch_columns(n), d),
        .attn_in = product(patches, d, times(3, d)),
        .attend_windows = attention(n, grid, windows),
        .attend_frames = attention(n, grid, times(frame, frame)),
        .attn_out = product(patches, d, d),
        .mlp_in = product(patches, d, times(2, inner)),
        .mlp_out = product(patches, inner, d),
        .merge = oriel_flops_add(product(tokens, merged, merged),
                                 product(tokens, merged, n->out_hidden_size)),
    };
}

oriel_step_flops
oriel_flops_add_steps(const oriel_step_flops *a, const oriel_step_flops *b)
{
    return (oriel_step_flops){
        .embed = oriel_flops_add(a->embed, b->embed),
        .attn_in = oriel_flops_add(a->attn_in, b->attn_in),
        .attend_windows = oriel_flops_add(a->attend_windows, b->attend_windows),
        .attend_frames = oriel_flops_add(a->attend_frames, b->attend_frames),
        .attn_out = oriel_flops_add(a->attn_out, b->attn_out),
        .mlp_in = oriel_flops_add(a->mlp_in, b->mlp_in),
        .mlp_out = oriel_flops_add(a->mlp_out, b->mlp_out),
        .merge = oriel_flops_add(a->merge, b->merge),
    };
}

int64_t
oriel_flops_of_block(const oriel_step_flops *s, bool full_attention)
{
    return oriel_flops_add(
        oriel_flops_add(oriel_flops_add(s->attn_in, s->attn_out),
                        oriel_flops_add(s->mlp_in, s->mlp_out)),
        full_attention ? s->attend_frames : s->attend_windows);
}

int64_t
oriel_flops_item(const oriel_network *n, const oriel_token_grid *grid)
{
    const oriel_step_flops s = oriel_flops_of_steps(n, grid);
    const int64_t full = n->n_full_attention_blocks;

    return oriel_flops_add(
        oriel_flops_add(s.embed, s.merge),
        oriel_flops_add(
            times(full, oriel_flops_of_block(&s, true)),
            times(n->depth - full, oriel_flops_of_block(&s, false))));
}
