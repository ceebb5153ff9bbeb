/* SPDX-License-Identifier: Apache-2.0 */
#include "support/networks.h"

#include "support/tiny_network.h"

static const int32_t tiny_full[] = {TINY_FULL_ATTENTION_BLOCKS};
const oriel_network fixture_tiny = {
    .depth = TINY_DEPTH,
    .hidden_size = TINY_HIDDEN,
    .intermediate_size = TINY_INTERMEDIATE,
    .num_heads = TINY_HEADS,
    .head_dim = TINY_HIDDEN / TINY_HEADS,
    .out_hidden_size = TINY_OUT,
    .in_channels = 3,
    .patch_size = TINY_PATCH,
    .temporal_patch_size = TINY_TEMPORAL_PATCH,
    .spatial_merge_size = TINY_MERGE,
    .window_size = TINY_WINDOW,
    .n_full_attention_blocks = sizeof(tiny_full) / sizeof(tiny_full[0]),
    .full_attention_blocks = tiny_full,
    .rope_theta = 10000.0,
};

static const int32_t wide_full[] = {1};
const oriel_network fixture_wide = {
    .depth = 2,
    .hidden_size = 240,
    .intermediate_size = 411,
    .num_heads = 3,
    .head_dim = 80,
    .out_hidden_size = 72,
    .in_channels = 3,
    .patch_size = 6,
    .temporal_patch_size = 2,
    .spatial_merge_size = 2,
    .window_size = 48,
    .n_full_attention_blocks = 1,
    .full_attention_blocks = wide_full,
    .rope_theta = 10000.0,
};

static const int32_t broad_full[] = {0};
const oriel_network fixture_broad = {
    .depth = 2,
    .hidden_size = 48,
    .intermediate_size = 64,
    .num_heads = 2,
    .head_dim = 24,
    .out_hidden_size = 700,
    .in_channels = 3,
    .patch_size = 4,
    .temporal_patch_size = 2,
    .spatial_merge_size = 2,
    .window_size = 48,
    .n_full_attention_blocks = 1,
    .full_attention_blocks = broad_full,
    .rope_theta = 10000.0,
};

static const int32_t narrow_full[] = {0};
const oriel_network fixture_narrow = {
    .depth = 2,
    .hidden_size = 24,
    .intermediate_size = 36,
    .num_heads = 3,
    .head_dim = 8,
    .out_hidden_size = 20,
    .in_channels = 3,
    .patch_size = 32,
    .temporal_patch_size = 1,
    .spatial_merge_size = 2,
    .window_size = 192,
    .n_full_attention_blocks = 1,
    .full_attention_blocks = narrow_full,
    .rope_theta = 10000.0,
};

static const int32_t single_full[] = {1};
const oriel_network fixture_single = {
    .depth = 2,
    .hidden_size = 40,
    .intermediate_size = 100,
    .num_heads = 1,
    .head_dim = 40,
    .out_hidden_size = 12,
    .in_channels = 3,
    .patch_size = 5,
    .temporal_patch_size = 2,
    .spatial_merge_size = 2,
    .window_size = 10,
    .n_full_attention_blocks = 1,
    .full_attention_blocks = single_full,
    .rope_theta = 10000.0,
};
