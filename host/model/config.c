/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - finding and reading the vision configuration */
#include "model/config.h"

#include "base/fail.h"
#include "model/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bounds for the rest of the numbers, as those in config.h. */
enum {
    MAX_WIDTH = ORIEL_CONFIG_MAX_WIDTH,
    MAX_HEADS = 1024,
    MAX_PATCH = 256,
    MAX_TEMPORAL = 16,
    MAX_MERGE = 16,
    MAX_WINDOW = 1 << 16
};

/* The reference's class defaults; hidden_size has none that fits. */
static const oriel_config defaults = {.depth = 32,
                                      .num_heads = 16,
                                      .in_channels = 3,
                                      .patch_size = 14,
                                      .temporal_patch_size = 2,
                                      .spatial_merge_size = 2,
                                      .window_size = 112,
                                      .rope_theta = 10000.0};
static const int32_t default_full_attention[] = {7, 15, 23, 31};

enum { N_DEFAULT_FULL = 4 };

static bool
is_one_of(const char *text, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(text, *list) == 0)
            return true;
    return false;
}

static void
refuse(oriel_fields *fields, const char *name, const char *found,
       const char *supported)
{
    if (!fields->status)
        fields->status =
            oriel_fail(fields->err, ORIEL_ERR_UNSUPPORTED,
                       "%s: %s%s \"%s\": only %s", ORIEL_QUOTE(fields->file),
                       fields->path, name, ORIEL_QUOTE(found), supported);
}

/* The reference's names for this tower, and for nothing else. */
static const char *const tower_types[] = {"qwen2_5_vl", "qwen2_5_vl_vision",
                                          "qwen2_5_omni_vision_encoder", NULL};

/* A relative's vision_config does not always say whose it is. */
static void
refuse_relatives(oriel_fields *fields)
{
    static const char *const relatives[] = {"qwen2_vl", "qwen3_vl",
                                            "qwen3_vl_moe", NULL};
    const char *type =
        json_string_value(json_object_get(fields->object, "model_type"));

    if (type && is_one_of(type, relatives))
        refuse(fields, "model_type", type,
               "qwen2_5_vl and qwen2_5_omni are supported");
}

/* What may stand around a vision_config: Omni, and retrieval wrappers. */
static const struct {
    const char *name, *path, *vision_path;
} wrappers[] = {
    {"thinker_config", "thinker_config.", "thinker_config.vision_config."},
    {"vlm_config", "vlm_config.", "vlm_config.vision_config."},
};

/* Point 'fields' at the vision_config of one wrapper, if that is there. */
static bool
enter_wrapper(oriel_fields *fields, size_t which)
{
    oriel_fields inner = *fields;

    inner.object = oriel_field_object(fields, wrappers[which].name);
    inner.path = wrappers[which].path;
    if (!inner.object)
        return false;
    refuse_relatives(&inner);
    fields->object = oriel_field_object(&inner, "vision_config");
    if (!fields->object)
        oriel_field_fail(&inner, "vision_config", NULL, "an object");
    fields->status = inner.status;
    fields->path = wrappers[which].vision_path;
    return true;
}

/* Point 'fields' at the vision configuration. */
static void
find_vision(oriel_fields *fields)
{
    const json_t *vision;
    const char *type;

    refuse_relatives(fields);
    vision = oriel_field_object(fields, "vision_config");
    if (vision || fields->status) {
        fields->object = vision;
        fields->path = "vision_config.";
        return;
    }
    for (size_t i = 0; i < sizeof(wrappers) / sizeof(*wrappers); i++)
        if (enter_wrapper(fields, i))
            return;
    /* A tower saved alone; "qwen2_5_vl" here would be a whole model. */
    type = json_string_value(json_object_get(fields->object, "model_type"));
    if (type && is_one_of(type, tower_types + 1)) {
        fields->path = "";
        return;
    }
    if (!fields->status)
        fields->status =
            oriel_fail(fields->err, ORIEL_ERR_MODEL,
                       "%s: expected vision_config or "
                       "thinker_config.vision_config, found neither",
                       ORIEL_QUOTE(fields->file));
}

static void
read_kinds(oriel_fields *fields)
{
    const char *type = oriel_field_text(fields, "model_type");
    const char *act = oriel_field_text(fields, "hidden_act");

    if (type && !is_one_of(type, tower_types))
        refuse(fields, "model_type", type, "the qwen2_5_vl tower is supported");
    if (act && strcmp(act, "silu") != 0)
        refuse(fields, "hidden_act", act, "\"silu\" is supported");
}

static void
read_numbers(oriel_config *config, oriel_fields *fields)
{
    config->depth_given = oriel_field_i32(
        fields, "depth", 1, ORIEL_CONFIG_MAX_DEPTH, &config->depth);
    oriel_field_i32(fields, "hidden_size", 4, MAX_WIDTH, &config->hidden_size);
    oriel_field_i32(fields, "intermediate_size", 1, MAX_WIDTH,
                    &config->intermediate_size);
    oriel_field_i32(fields, "out_hidden_size", 1, MAX_WIDTH,
                    &config->out_hidden_size);
    oriel_field_i32(fields, "num_heads", 1, MAX_HEADS, &config->num_heads);
    oriel_field_i32(fields, "in_channels", 3, 3, &config->in_channels);
    oriel_field_i32(fields, "patch_size", 1, MAX_PATCH, &config->patch_size);
    oriel_field_i32(fields, "temporal_patch_size", 1, MAX_TEMPORAL,
                    &config->temporal_patch_size);
    oriel_field_i32(fields, "spatial_merge_size", 1, MAX_MERGE,
                    &config->spatial_merge_size);
    oriel_field_i32(fields, "window_size", 1, MAX_WINDOW, &config->window_size);
}

static void
check_numbers(const oriel_config *config, oriel_fields *fields)
{
    const int32_t token = config->patch_size * config->spatial_merge_size;

    if (!fields->status && config->window_size % token != 0)
        fields->status =
            oriel_fail(fields->err, ORIEL_ERR_MODEL,
                       "%s: %swindow_size: expected a multiple of patch_size x "
                       "spatial_merge_size, %d, found %d",
                       ORIEL_QUOTE(fields->file), fields->path, token,
                       config->window_size);
}

/* Absent in old files. */
static void
read_rope(oriel_config *config, oriel_fields *fields)
{
    oriel_fields rope = *fields;
    const char *type;
    char path[64];

    rope.object = oriel_field_object(fields, "rope_parameters");
    if (!rope.object)
        return;
    snprintf(path, sizeof(path), "%srope_parameters.", fields->path);
    rope.path = path;
    type = oriel_field_text(&rope, "rope_type");
    if (type && strcmp(type, "axial") != 0)
        refuse(&rope, "rope_type", type, "\"axial\" is supported");
    if (oriel_field_double(&rope, "rope_theta", &config->rope_theta) &&
        (config->rope_theta < 1.0 || config->rope_theta > 1e12))
        oriel_field_fail(&rope, "rope_theta", oriel_field(&rope, "rope_theta"),
                         "a number from 1 to 1e12");
    fields->status = rope.status;
}

static int
compare_blocks(const void *a, const void *b)
{
    const int32_t x = *(const int32_t *)a;
    const int32_t y = *(const int32_t *)b;

    return (x > y) - (x < y);
}

/* Add a block, unless the tower has no such block: as in the reference, an
   index that is never reached has no effect. */
static void
add_full_attention(oriel_config *config, int64_t block)
{
    if (block < config->depth)
        config->full_attention_blocks[config->n_full_attention_blocks++] =
            (int32_t)block;
}

static void
sort_full_attention(oriel_config *config)
{
    int32_t *blocks = config->full_attention_blocks;
    int32_t n = 0;

    qsort(blocks, (size_t)config->n_full_attention_blocks, sizeof(*blocks),
          compare_blocks);
    for (int32_t i = 0; i < config->n_full_attention_blocks; i++)
        if (n == 0 || blocks[n - 1] != blocks[i])
            blocks[n++] = blocks[i];
    config->n_full_attention_blocks = n;
}

static void
read_full_attention(oriel_config *config, oriel_fields *fields,
                    const oriel_hooks *hooks)
{
    static const char name[] = "fullatt_block_indexes";
    const json_t *list = oriel_field_array(fields, name);
    size_t n = list ? json_array_size(list) : N_DEFAULT_FULL;

    if (fields->status)
        return;
    if (n > ORIEL_CONFIG_MAX_DEPTH) {
        oriel_field_fail(fields, name, list, "an array of at most 1024");
        return;
    }
    config->full_attention_blocks =
        oriel_calloc(hooks, n, sizeof(*config->full_attention_blocks));
    if (!config->full_attention_blocks) {
        fields->status = oriel_fail_memory(
            fields->err, n * sizeof(*config->full_attention_blocks), name);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *value = list ? json_array_get(list, i) : NULL;

        if (!list) {
            add_full_attention(config, default_full_attention[i]);
        } else if (!json_is_integer(value) || json_integer_value(value) < 0) {
            oriel_field_fail(fields, name, value, "block numbers from 0");
            return;
        } else {
            add_full_attention(config, json_integer_value(value));
        }
    }
    sort_full_attention(config);
}

oriel_status
oriel_config_parse(oriel_config *out, const char *text, size_t bytes,
                   const char *file, const oriel_hooks *hooks, oriel_error *err)
{
    oriel_fields fields = {NULL, file, "", ORIEL_OK, err};
    json_t *root;

    *out = defaults;
    fields.status = oriel_json_parse(&root, text, bytes, file, err);
    if (fields.status)
        return fields.status;
    fields.object = root;
    find_vision(&fields);
    read_kinds(&fields);
    read_numbers(out, &fields);
    check_numbers(out, &fields);
    read_rope(out, &fields);
    read_full_attention(out, &fields, hooks);
    json_decref(root);
    if (fields.status)
        oriel_config_free(out, hooks);
    return fields.status;
}

void
oriel_config_free(oriel_config *config, const oriel_hooks *hooks)
{
    oriel_free(hooks, config->full_attention_blocks);
    config->full_attention_blocks = NULL;
    config->n_full_attention_blocks = 0;
}
