/* SPDX-License-Identifier: Apache-2.0 */
/* presets.c - the published sizes, as models without weights */
#include "model/published.h"
#include "model/state.h"

#include <string.h>

static const int32_t full_attention_blocks[] = {7, 15, 23, 31};

enum {
    DEPTH = 32,
    HIDDEN = ORIEL_PUBLISHED_HIDDEN,
    MERGED = 4 * HIDDEN,
    PATCH = 3 * 2 * 14 * 14
};

/* Values of all tensors, counted as the manifest lists them. */
#define IN_BLOCK(intermediate) \
    (2 * HIDDEN + (HIDDEN + 1) * 3 * HIDDEN + (HIDDEN + 1) * HIDDEN + \
     2 * (HIDDEN + 1) * (intermediate) + ((intermediate) + 1) * HIDDEN)
#define OUTSIDE(out) \
    (HIDDEN * PATCH + HIDDEN + (MERGED + 1) * MERGED + (MERGED + 1) * (out))
#define VALUES(intermediate, out) \
    ((uint64_t)DEPTH * IN_BLOCK(intermediate) + OUTSIDE(out))

#define PRESET(intermediate, out) \
    { \
        .network = {.tower = ORIEL_TOWER_QWEN2_5_VL, \
                    .depth = DEPTH, \
                    .hidden_size = HIDDEN, \
                    .intermediate_size = (intermediate), \
                    .num_heads = 16, \
                    .head_dim = HIDDEN / 16, \
                    .out_hidden_size = (out), \
                    .in_channels = 3, \
                    .patch_size = 14, \
                    .temporal_patch_size = 2, \
                    .spatial_merge_size = 2, \
                    .window_size = 112, \
                    .n_full_attention_blocks = 4, \
                    .full_attention_blocks = full_attention_blocks, \
                    .rope_theta = 10000.0, \
                    .min_pixels = 3136, \
                    .max_pixels = 12845056, \
                    .video_min_pixels = 3136, \
                    .video_max_pixels = 12845056, \
                    .image_mean = {0.48145466, 0.4578275, 0.40821073}, \
                    .image_std = {0.26862954, 0.26130258, 0.27577711}, \
                    .rescale_factor = 1.0 / 255.0, \
                    .do_rescale = 1, \
                    .do_normalize = 1}, \
        .weight_dtype = ORIEL_DTYPE_BF16, \
        .n_tensors = ORIEL_N_TENSORS + (DEPTH - 1) * 12, \
        .weight_bytes = 2 * VALUES(intermediate, out) \
    }

static const struct oriel_model presets[] = {
#define X(name, intermediate, out) PRESET(intermediate, out),
    ORIEL_PUBLISHED(X)
#undef X
};
static const char *const names[] = {
#define X(name, intermediate, out) name,
    ORIEL_PUBLISHED(X)
#undef X
};

const oriel_model *
oriel_model_preset(const char *name)
{
    for (size_t i = 0; name && i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(name, names[i]) == 0)
            return &presets[i];
    return NULL;
}
