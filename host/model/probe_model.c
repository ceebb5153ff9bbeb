/* SPDX-License-Identifier: Apache-2.0 */
/* probe_model.c - a network of two blocks and two heads of 80, its weights made by
   hashing */
#include "model/probe_model.h"

#include "base/fail.h"
#include "base/half.h"
#include "base/manifest.h"

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 2
#define HIDDEN 160
#define INTERMEDIATE 48
#define HEADS 2
#define OUT_HIDDEN 32
#define WINDOW 112
#define FULL_ATTENTION 1 /* the block that attends to whole frames */
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

static const char config[] =
    "{\"model_type\": \"qwen2_5_vl\", \"vision_config\": {\"depth\": " TEXT(DEPTH) ", \"hidden_size\": " TEXT(HIDDEN) ", \"intermediate_size\": " TEXT(
        INTERMEDIATE) ", \"num_heads\": " TEXT(HEADS) ", "
                                                      "\"out_hidden_size\":"
                                                      " " TEXT(
                                                          OUT_HIDDEN) ", "
                                                                      "\"patch_"
                                                                      "size\": "
                                                                      "14, "
                                                                      "\"tempor"
                                                                      "al_"
                                                                      "patch_"
                                                                      "size\": "
                                                                      "2, "
                                                                      "\"spatia"
                                                                      "l_merge_"
                                                                      "size\": "
                                                                      "2, "
                                                                      "\"window"
                                                                      "_size\":"
                                                                      " " TEXT(
                                                                          WINDOW) ", "
                                                                                  "\"fullatt_block_indexes\": [" TEXT(
                                                                                      FULL_ATTENTION) "]}}";

/* Of which the manifest wants these alone. */
static const oriel_network network = {
    .depth = DEPTH,
    .hidden_size = HIDDEN,
    .intermediate_size = INTERMEDIATE,
    .num_heads = HEADS,
    .out_hidden_size = OUT_HIDDEN,
    .in_channels = 3,
    .patch_size = 14,
    .temporal_patch_size = 2,
    .spatial_merge_size = 2,
    .window_size = WINDOW,
};

/* In [-1, 1), by the number of a value among all. */
static float
hashed(uint32_t i)
{
    uint32_t h = i * 0x9E3779B1u;

    h = (h ^ (h >> 15)) * 0x2C1B3C6Du;
    h = (h ^ (h >> 12)) * 0x297A2D39u;
    h ^= h >> 15;
    return (float)(h >> 8) * 0x1p-23f - 1;
}

/* Exact in bf16, so that every backend has the same weights; a row of a matrix
   keeps the size of what it multiplies. */
static void
fill_tensor(oriel_tensor tensor, unsigned char *to, uint32_t first)
{
    const oriel_tensor_shape shape = oriel_tensor_get_shape(&network, tensor);
    const char *name = oriel_tensor_name(tensor);
    const bool is_norm = strstr(name, "norm") || strstr(name, "ln_q");
    const float scale = oriel_tensor_is_vector(tensor)
                            ? 0.25f
                            : sqrtf(3.0f / (float)shape.columns);

    for (uint32_t i = 0; i < (uint32_t)(shape.rows * shape.columns); i++) {
        const float value = oriel_bf16_to_f32(
            oriel_f32_to_bf16(hashed(first + i) * scale + (is_norm ? 1 : 0)));

        memcpy(to + i * sizeof(value), &value, sizeof(value));
    }
}

/* All tensors in the order of the header; 'to' need not be aligned. */
static void
fill_values(unsigned char *to)
{
    uint32_t done = 0;

    for (int32_t i = 0; i < oriel_manifest_count(network.depth); i++) {
        oriel_tensor tensor;
        oriel_tensor_shape shape;
        int32_t block;

        oriel_manifest_at(network.depth, i, &tensor, &block);
        shape = oriel_tensor_get_shape(&network, tensor);
        fill_tensor(tensor, to + done * sizeof(float), done);
        done += (uint32_t)(shape.rows * shape.columns);
    }
}

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
        fill_values(file + sizeof(length) + length);
    }
    if (file && json_dumpb(header, (char *)file + sizeof(length), length,
                           JSON_COMPACT) != length) {
        free(file);
        file = NULL;
    }
    json_decref(header);
    return file;
}

oriel_status
oriel_probe_model_open(oriel_probe_model *out, oriel_error *err)
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
oriel_probe_model_close(oriel_probe_model *probe)
{
    oriel_model_destroy(probe->model);
    free(probe->weights);
}
