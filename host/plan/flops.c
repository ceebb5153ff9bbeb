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

/* Of a patch outside attention: the embedding, and the linears of the blocks:
   qkv (3 D^2), projection (D^2), gate, up and down (3 D I). */
static int64_t
linears(const oriel_network *n)
{
    const int64_t d = n->hidden_size;
    const int64_t weights = oriel_flops_add(
        times(4, times(d, d)), times(3, times(d, n->intermediate_size)));

    return times(2, oriel_flops_add(times(oriel_network_patch_columns(n), d),
                                    times(n->depth, weights)));
}

/* Of a token: the two linears of the merger. */
static int64_t
merger(const oriel_network *n)
{
    const int64_t m = times(times(n->hidden_size, n->spatial_merge_size),
                            n->spatial_merge_size);

    return times(2, oriel_flops_add(times(m, m), times(m, n->out_hidden_size)));
}

/* Of all blocks, for one frame: 4 D len^2 (scores, then values) a segment. */
static int64_t
attention(const oriel_network *n, const oriel_token_grid *grid)
{
    const int64_t patches = (int64_t)grid->merge * grid->merge;
    const int64_t frame = patches * grid->rows * grid->columns;
    const int64_t windows =
        times(times(patches, patches), oriel_windows_square_sum(grid));
    const int64_t full = n->n_full_attention_blocks;
    const int64_t squares = oriel_flops_add(times(full, times(frame, frame)),
                                            times(n->depth - full, windows));

    return times(times(4, n->hidden_size), squares);
}

int64_t
oriel_flops_item(const oriel_network *network, const oriel_token_grid *grid)
{
    const int64_t tokens = (int64_t)grid->frames * grid->rows * grid->columns;
    const int64_t patches = tokens * grid->merge * grid->merge;

    return oriel_flops_add(oriel_flops_add(times(patches, linears(network)),
                                           times(tokens, merger(network))),
                           times(grid->frames, attention(network, grid)));
}
