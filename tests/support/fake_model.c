/* SPDX-License-Identifier: Apache-2.0 */
#include "support/fake_model.h"

static const int32_t full_blocks[] = {7, 15, 23, 31};

#define PUBLISHED(intermediate, out) \
    { \
        .tower = ORIEL_TOWER_QWEN2_5_VL, .depth = 32, .hidden_size = 1280, \
        .intermediate_size = (intermediate), .num_heads = 16, .head_dim = 80, \
        .out_hidden_size = (out), .in_channels = 3, .patch_size = 14, \
        .temporal_patch_size = 2, .spatial_merge_size = 2, .window_size = 112, \
        .n_full_attention_blocks = 4, .full_attention_blocks = full_blocks, \
        .rope_theta = 10000.0, .min_pixels = 3136, .max_pixels = 12845056, \
        .video_min_pixels = 3136, .video_max_pixels = 12845056, \
        .rescale_factor = 1 / 255.0, .do_rescale = 1, .do_normalize = 1 \
    }

const oriel_network network_7b = PUBLISHED(3420, 3584);
const oriel_network network_72b = PUBLISHED(3456, 8192);

const oriel_network *
oriel_model_network(const oriel_model *model)
{
    return (const oriel_network *)model;
}
