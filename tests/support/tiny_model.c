/* SPDX-License-Identifier: Apache-2.0 */
#include "support/tiny_model.h"

#include "model/manifest.h"
#include "support/random.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char config[] =
    "{\"model_type\": \"qwen2_5_vl\", \"vision_config\": {"
    "\"depth\": 4, \"hidden_size\": 32, \"num_heads\": 2, "
    "\"intermediate_size\": 20, \"out_hidden_size\": 24, "
    "\"in_channels\": 3, \"patch_size\": 4, \"temporal_patch_size\": 2, "
    "\"spatial_merge_size\": 2, \"window_size\": 32, "
    "\"fullatt_block_indexes\": [1, 3], \"hidden_act\": \"silu\"}}";

static const oriel_network network = {
    .depth = TINY_DEPTH,
    .hidden_size = TINY_HIDDEN,
    .intermediate_size = 20,
    .num_heads = 2,
    .head_dim = 16,
    .out_hidden_size = TINY_OUT,
    .in_channels = 3,
    .patch_size = 4,
    .temporal_patch_size = 2,
    .spatial_merge_size = 2,
    .window_size = 32,
};

enum { HEADER_BYTES = 32768, DATA_BYTES = 1 << 20 };

struct writer {
    char header[HEADER_BYTES];
    size_t header_used;
    float *data;
    size_t n_values;
    random_stream random;
};

static void
put_tensor(struct writer *w, oriel_tensor tensor, int32_t block)
{
    oriel_tensor_shape shape = oriel_tensor_get_shape(&network, tensor);
    size_t n = (size_t)(shape.rows * shape.columns);
    char name[128];
    char dims[64];

    oriel_tensor_full_name(name, sizeof(name), "visual.", tensor, block);
    if (tensor == ORIEL_TENSOR_PATCH_EMBED)
        snprintf(dims, sizeof(dims), "%d,3,2,4,4", (int)shape.rows);
    else if (shape.columns == 1)
        snprintf(dims, sizeof(dims), "%d", (int)shape.rows);
    else
        snprintf(dims, sizeof(dims), "%d,%d", (int)shape.rows,
                 (int)shape.columns);
    w->header_used += (size_t)snprintf(
        w->header + w->header_used, sizeof(w->header) - w->header_used,
        "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":"
        "[%zu,%zu]}",
        w->n_values ? "," : "", name, dims, w->n_values * sizeof(float),
        (w->n_values + n) * sizeof(float));
    for (size_t i = 0; i < n; i++)
        w->data[w->n_values + i] = (float)random_unit(&w->random) * 0.3f +
                                   (strstr(name, "norm") ? 1.0f : 0.0f);
    w->n_values += n;
}

tiny_model
tiny_model_open(const oriel_hooks *hooks)
{
    struct writer *w = calloc(1, sizeof(*w));
    oriel_model_options options = ORIEL_MODEL_OPTIONS_INIT;
    tiny_model tiny = {NULL, NULL, 0, NULL};
    oriel_error err;
    uint64_t header_bytes;

    w->data = calloc(DATA_BYTES, 1);
    w->random.state = 7;
    w->header[w->header_used++] = '{';
    for (int t = 0; t < ORIEL_N_TENSORS; t++)
        for (int32_t b = 0; b < network.depth; b++)
            if (b == 0 || oriel_tensor_in_block((oriel_tensor)t))
                put_tensor(w, (oriel_tensor)t, b);
    w->header[w->header_used++] = '}';
    ck_assert_uint_lt(w->header_used, HEADER_BYTES);
    ck_assert_uint_lt(w->n_values * sizeof(float), DATA_BYTES);

    header_bytes = w->header_used;
    tiny.config = strdup(config);
    tiny.weights_bytes = 8 + w->header_used + w->n_values * sizeof(float);
    tiny.weights = malloc(tiny.weights_bytes);
    memcpy(tiny.weights, &header_bytes, 8);
    memcpy(tiny.weights + 8, w->header, w->header_used);
    memcpy(tiny.weights + 8 + w->header_used, w->data,
           w->n_values * sizeof(float));
    free(w->data);
    free(w);

    options.hooks = hooks;
    oriel_model_open_memory(&tiny.model, tiny.config, strlen(tiny.config),
                            tiny.weights, tiny.weights_bytes, &options, &err);
    ck_assert_str_eq(err.message, "");
    return tiny;
}

void
tiny_model_free_bytes(tiny_model *tiny)
{
    free(tiny->config);
    free(tiny->weights);
}

void
tiny_model_close(tiny_model *tiny)
{
    oriel_model_destroy(tiny->model);
    tiny_model_free_bytes(tiny);
}
