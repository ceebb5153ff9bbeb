/* SPDX-License-Identifier: Apache-2.0 */
/* describe.c - the JSON files of a checkpoint */
#include "weights/describe.h"

#include "base/fail.h"
#include "base/memory.h"
#include "files/json_text.h"
#include "files/whole_file.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for every number of a configuration, and for the list of the blocks
   with full attention: a line of at most 16 bytes each. */
#define TEXT_BYTES (4096 + 16 * ORIEL_SYNTH_MAX_DEPTH)

typedef struct text {
    size_t used;
    char bytes[TEXT_BYTES];
} text;

__attribute__((format(printf, 2, 3))) static void
add(text *t, const char *format, ...)
{
    size_t room = sizeof(t->bytes) - t->used;
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(t->bytes + t->used, room, format, arguments);
    va_end(arguments);
    t->used += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

char *
oriel_describe_path(const char *folder, const char *name,
                    const oriel_hooks *hooks)
{
    size_t bytes = strlen(folder) + strlen(name) + 2;
    char *path = oriel_alloc(hooks, bytes);

    if (path)
        snprintf(path, bytes, "%s/%s", folder, name);
    return path;
}

static oriel_status
put(const char *folder, const char *name, const char *bytes, size_t n_bytes,
    bool replace, const oriel_hooks *hooks, oriel_error *err)
{
    char *path = oriel_describe_path(folder, name, hooks);
    oriel_status status;

    if (!path)
        return oriel_fail_memory(err, strlen(folder) + strlen(name) + 2,
                                 "a path");
    status = oriel_whole_file_put(path, replace, bytes, n_bytes, hooks, err);
    oriel_free(hooks, path);
    return status;
}

/* {"metadata": {"total_size": N}, "weight_map": {name: file}}, or NULL. */
static json_t *
index_of(const oriel_layout *layout)
{
    json_t *map = json_object(), *root;

    for (int32_t i = 0; map && i < layout->n_tensors; i++) {
        char file[48];

        oriel_layout_file_name(file, layout->tensors[i].shard,
                               layout->n_shards);
        if (json_object_set_new(map, layout->tensors[i].name,
                                json_string(file)) != 0) {
            json_decref(map);
            map = NULL;
        }
    }
    root = map ? json_pack("{s:{s:I},s:o}", "metadata", "total_size",
                           (json_int_t)layout->bytes, "weight_map", map)
               : NULL;
    return root;
}

oriel_status
oriel_describe_index(const char *folder, const oriel_layout *layout,
                     bool replace, oriel_error *err)
{
    json_t *root = index_of(layout);
    char *bytes = oriel_json_text(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    oriel_status status;
    size_t length;

    json_decref(root);
    if (!bytes)
        return oriel_fail(err, ORIEL_ERR_MEMORY,
                          "out of memory for the index of tensors");
    length = strlen(bytes);
    bytes[length] = '\n'; /* in the place of the final zero */
    status = put(folder, ORIEL_INDEX_FILE, bytes, length + 1, replace,
                 layout->hooks, err);
    free(bytes);
    return status;
}

static void
add_preprocessor(text *t, const oriel_synth_config *config)
{
    add(t,
        "{\n"
        "  \"min_pixels\": 3136,\n"
        "  \"max_pixels\": 12845056,\n"
        "  \"patch_size\": %d,\n"
        "  \"temporal_patch_size\": 2,\n"
        "  \"merge_size\": 2,\n"
        "  \"image_mean\": [\n"
        "    0.48145466,\n    0.4578275,\n    0.40821073\n  ],\n"
        "  \"image_std\": [\n"
        "    0.26862954,\n    0.26130258,\n    0.27577711\n  ],\n"
        "  \"image_processor_type\": \"Qwen2VLImageProcessor\",\n"
        "  \"processor_class\": \"Qwen2_5_VLProcessor\"\n"
        "}\n",
        config->network.patch_size);
}

/* The fields of the language model, as the official files order them. */
static void
add_text_fields(text *t, const oriel_synth_config *config)
{
    const oriel_synth_text *lm = &config->text;

    add(t,
        "  \"architectures\": [\n"
        "    \"Qwen2_5_VLForConditionalGeneration\"\n  ],\n"
        "  \"attention_dropout\": 0.0,\n"
        "  \"bos_token_id\": 151643,\n"
        "  \"eos_token_id\": 151645,\n"
        "  \"vision_start_token_id\": 151652,\n"
        "  \"vision_end_token_id\": 151653,\n"
        "  \"vision_token_id\": 151654,\n"
        "  \"image_token_id\": 151655,\n"
        "  \"video_token_id\": 151656,\n"
        "  \"hidden_act\": \"silu\",\n"
        "  \"hidden_size\": %d,\n"
        "  \"initializer_range\": 0.02,\n"
        "  \"intermediate_size\": %d,\n"
        "  \"max_position_embeddings\": 128000,\n"
        "  \"max_window_layers\": %d,\n"
        "  \"model_type\": \"qwen2_5_vl\",\n"
        "  \"num_attention_heads\": %d,\n"
        "  \"num_hidden_layers\": %d,\n"
        "  \"num_key_value_heads\": %d,\n",
        config->network.out_hidden_size, lm->intermediate_size, lm->num_layers,
        lm->num_heads, lm->num_layers, lm->num_kv_heads);
    add(t, "  \"rms_norm_eps\": 1e-06,\n"
           "  \"rope_theta\": 1000000.0,\n"
           "  \"sliding_window\": 32768,\n"
           "  \"tie_word_embeddings\": false,\n"
           "  \"torch_dtype\": \"bfloat16\",\n"
           "  \"use_cache\": true,\n"
           "  \"use_sliding_window\": false,\n");
}

static void
add_vision_fields(text *t, const oriel_network *net)
{
    add(t,
        "  \"vision_config\": {\n"
        "    \"depth\": %d,\n"
        "    \"hidden_act\": \"silu\",\n"
        "    \"hidden_size\": %d,\n"
        "    \"intermediate_size\": %d,\n"
        "    \"num_heads\": %d,\n"
        "    \"in_chans\": 3,\n"
        "    \"in_channels\": 3,\n"
        "    \"out_hidden_size\": %d,\n"
        "    \"patch_size\": %d,\n"
        "    \"spatial_merge_size\": 2,\n"
        "    \"spatial_patch_size\": %d,\n"
        "    \"window_size\": %d,\n"
        "    \"fullatt_block_indexes\": [",
        net->depth, net->hidden_size, net->intermediate_size, net->num_heads,
        net->out_hidden_size, net->patch_size, net->patch_size,
        net->window_size);
    for (int32_t i = 0; i < net->n_full_attention_blocks; i++)
        add(t, "%s\n      %d", i ? "," : "", net->full_attention_blocks[i]);
    add(t,
        "%s],\n"
        "    \"tokens_per_second\": 2,\n"
        "    \"temporal_patch_size\": 2,\n"
        "    \"model_type\": \"qwen2_5_vl\"\n"
        "  },\n",
        net->n_full_attention_blocks ? "\n    " : "");
}

static oriel_status
put_text(const char *folder, const char *name, const text *t, bool replace,
         const oriel_hooks *hooks, oriel_error *err)
{
    if (t->used == sizeof(t->bytes) - 1)
        return oriel_fail(err, ORIEL_ERR_INTERNAL, "%s: longer than its room",
                          name);
    return put(folder, name, t->bytes, t->used, replace, hooks, err);
}

oriel_status
oriel_describe_preprocessor(const char *folder,
                            const oriel_synth_config *config, bool replace,
                            const oriel_hooks *hooks, oriel_error *err)
{
    text *t = oriel_calloc(hooks, 1, sizeof(*t));
    oriel_status status;

    if (!t)
        return oriel_fail_memory(err, sizeof(*t), ORIEL_PREPROCESSOR_FILE);
    add_preprocessor(t, config);
    status = put_text(folder, ORIEL_PREPROCESSOR_FILE, t, replace, hooks, err);
    oriel_free(hooks, t);
    return status;
}

oriel_status
oriel_describe_config(const char *folder, const oriel_synth_config *config,
                      bool replace, const oriel_hooks *hooks, oriel_error *err)
{
    text *t = oriel_calloc(hooks, 1, sizeof(*t));
    oriel_status status;

    if (!t)
        return oriel_fail_memory(err, sizeof(*t), ORIEL_CONFIG_FILE);
    add(t, "{\n");
    add_text_fields(t, config);
    add_vision_fields(t, &config->network);
    add(t,
        "  \"rope_scaling\": {\n"
        "    \"type\": \"mrope\",\n"
        "    \"mrope_section\": [\n      16,\n      24,\n      24\n    ]\n"
        "  },\n"
        "  \"vocab_size\": %d\n"
        "}\n",
        config->text.vocab_size);
    status = put_text(folder, ORIEL_CONFIG_FILE, t, replace, hooks, err);
    oriel_free(hooks, t);
    return status;
}
