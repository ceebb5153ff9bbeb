/* SPDX-License-Identifier: Apache-2.0 */
/* probe_model.c - one block of one head of 80, all weights zero */
#include "cli/probe_model.h"

#include "base/fail.h"
#include "base/manifest.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char config[] =
    "{\"model_type\": \"qwen2_5_vl\", \"vision_config\": {\"depth\": 1, "
    "\"hidden_size\": 80, \"intermediate_size\": 16, \"num_heads\": 1, "
    "\"out_hidden_size\": 16, \"patch_size\": 14, \"temporal_patch_size\": 2, "
    "\"spatial_merge_size\": 2, \"window_size\": 112, "
    "\"fullatt_block_indexes\": []}}";

static const oriel_network network = {
    .depth = 1,
    .hidden_size = 80,
    .intermediate_size = 16,
    .num_heads = 1,
    .out_hidden_size = 16,
    .in_channels = 3,
    .patch_size = 14,
    .temporal_patch_size = 2,
    .spatial_merge_size = 2,
    .window_size = 112,
};

static json_t *
shape_of(oriel_tensor tensor)
{
    oriel_tensor_shape shape = oriel_tensor_get_shape(&network, tensor);

    if (tensor == ORIEL_TENSOR_PATCH_EMBED)
        return json_pack("[i, i, i, i, i]", network.hidden_size,
                         network.in_channels, network.temporal_patch_size,
                         network.patch_size, network.patch_size);
    if (oriel_tensor_is_vector(tensor))
        return json_pack("[I]", (json_int_t)shape.rows);
    return json_pack("[I, I]", (json_int_t)shape.rows,
                     (json_int_t)shape.columns);
}

/* The table of all tensors, one after the other; 'bytes' is their sum. */
static json_t *
header_of(size_t *bytes)
{
    json_t *header = json_object();

    *bytes = 0;
    for (int32_t i = 0; i < oriel_manifest_count(network.depth); i++) {
        oriel_tensor tensor;
        oriel_tensor_shape shape;
        int32_t block;
        char name[160];
        size_t end;

        oriel_manifest_at(network.depth, i, &tensor, &block);
        oriel_tensor_full_name(name, sizeof(name), "visual.", tensor, block);
        shape = oriel_tensor_get_shape(&network, tensor);
        end = *bytes + (size_t)(shape.rows * shape.columns) * sizeof(float);
        if (json_object_set_new(header, name,
                                json_pack("{s:s, s:o, s:[I, I]}", "dtype",
                                          "F32", "shape", shape_of(tensor),
                                          "data_offsets", (json_int_t)*bytes,
                                          (json_int_t)end))) {
            json_decref(header);
            return NULL;
        }
        *bytes = end;
    }
    return header;
}

/* A whole safetensors file; NULL when memory is out. */
static void *
make_file(size_t *file_bytes)
{
    size_t bytes;
    json_t *header = header_of(&bytes);
    uint64_t length = header ? json_dumpb(header, NULL, 0, JSON_COMPACT) : 0;
    unsigned char *file = NULL;

    *file_bytes = sizeof(length) + length + bytes;
    if (length)
        file = calloc(1, *file_bytes);
    if (file) {
        memcpy(file, &length, sizeof(length));
        (void)json_dumpb(header, (char *)file + sizeof(length), length,
                         JSON_COMPACT);
    }
    json_decref(header);
    return file;
}

oriel_status
cli_probe_model_open(cli_probe_model *out, oriel_error *err)
{
    size_t bytes;

    out->model = NULL;
    out->weights = make_file(&bytes);
    if (!out->weights)
        return oriel_fail_memory(err, bytes, "a model to try the device with");
    return oriel_model_open_memory(&out->model, config, sizeof(config) - 1,
                                   out->weights, bytes, NULL, err);
}

void
cli_probe_model_close(cli_probe_model *probe)
{
    oriel_model_destroy(probe->model);
    free(probe->weights);
}
