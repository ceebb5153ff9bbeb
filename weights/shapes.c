/* SPDX-License-Identifier: Apache-2.0 */
/* shapes.c - the towers that can be made */
#include "weights/synth.h"

#include "base/fail.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int32_t hidden, intermediate, heads, out_hidden, patch, window;
    int32_t depth, full_every; /* full attention in the last of so many */
    oriel_synth_text text;
} shapes[] = {
    {"3b", 1280, 3420, 16, 2048, 14, 112, 32, 8, {11008, 16, 36, 2, 151936}},
    {"7b", 1280, 3420, 16, 3584, 14, 112, 32, 8, {18944, 28, 28, 4, 152064}},
    {"32b", 1280, 3456, 16, 5120, 14, 112, 32, 8, {27648, 40, 64, 8, 152064}},
    {"72b", 1280, 3456, 16, 8192, 14, 112, 32, 8, {29568, 64, 80, 8, 152064}},
    {"tiny", 32, 20, 2, 24, 4, 32, 4, 2, {48, 2, 2, 1, 151936}},
};
#define N_SHAPES (sizeof(shapes) / sizeof(shapes[0]))

/* What preprocessor_config.json says, the same for every shape. */
static const oriel_network preprocessing = {
    .rope_theta = 10000.0,
    .min_pixels = 3136,
    .max_pixels = 12845056,
    .image_mean = {0.48145466, 0.4578275, 0.40821073},
    .image_std = {0.26862954, 0.26130258, 0.27577711},
    .rescale_factor = 1.0 / 255.0,
    .do_rescale = 1,
    .do_normalize = 1,
};

static oriel_status
find_shape(size_t *found, const char *name, int32_t depth, oriel_error *err)
{
    for (*found = 0; *found < N_SHAPES; ++*found)
        if (strcmp(shapes[*found].name, name) == 0)
            break;
    if (*found == N_SHAPES)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "no configuration %s; expected 3b, 7b, 32b, 72b or "
                          "tiny",
                          ORIEL_QUOTE(name));
    if (depth < 0 || depth > ORIEL_SYNTH_MAX_DEPTH)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "depth %d; expected 1 to %d blocks, or 0 for the "
                          "published number",
                          depth, ORIEL_SYNTH_MAX_DEPTH);
    return oriel_ok(err);
}

/* All but which blocks have full attention. */
static void
set_shape(oriel_synth_config *config, size_t shape, int32_t depth)
{
    oriel_network *net = &config->network;

    memset(config, 0, sizeof(*config));
    snprintf(config->name, sizeof(config->name), "%s", shapes[shape].name);
    config->text = shapes[shape].text;
    *net = preprocessing;
    net->depth = depth ? depth : shapes[shape].depth;
    net->hidden_size = shapes[shape].hidden;
    net->intermediate_size = shapes[shape].intermediate;
    net->num_heads = shapes[shape].heads;
    net->head_dim = net->hidden_size / net->num_heads;
    net->out_hidden_size = shapes[shape].out_hidden;
    net->in_channels = 3;
    net->patch_size = shapes[shape].patch;
    net->temporal_patch_size = 2;
    net->spatial_merge_size = 2;
    net->window_size = shapes[shape].window;
    net->full_attention_blocks = config->full_attention_blocks;
}

oriel_status
oriel_synth_config_init(oriel_synth_config *config, const char *name,
                        int32_t depth, oriel_error *err)
{
    size_t shape;
    int32_t every, n = 0;
    oriel_status status = find_shape(&shape, name, depth, err);

    if (status)
        return status;
    set_shape(config, shape, depth);
    every = shapes[shape].full_every;
    for (int32_t b = every - 1; b < config->network.depth; b += every)
        config->full_attention_blocks[n++] = b;
    if (n == 0)
        config->full_attention_blocks[n++] = config->network.depth - 1;
    config->network.n_full_attention_blocks = n;
    return oriel_ok(err);
}

oriel_status
oriel_synth_config_init_blocks(oriel_synth_config *config, const char *name,
                               int32_t depth, const int32_t *full_blocks,
                               int32_t n_full_blocks, oriel_error *err)
{
    size_t shape;
    int32_t last = -1;
    oriel_status status = find_shape(&shape, name, depth, err);

    if (status)
        return status;
    set_shape(config, shape, depth);
    for (int32_t i = 0; i < n_full_blocks; i++) {
        if (full_blocks[i] <= last || full_blocks[i] >= config->network.depth)
            return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                              "full attention in block %d; expected numbers "
                              "that ascend from 0 to %d",
                              full_blocks[i], config->network.depth - 1);
        last = full_blocks[i];
        config->full_attention_blocks[i] = last;
    }
    config->network.n_full_attention_blocks = n_full_blocks;
    return oriel_ok(err);
}
