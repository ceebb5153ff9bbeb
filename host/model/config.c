/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - finding and reading the vision configuration */
#include "model/config.h"

#include "base/fail.h"
#include "model/json.h"
#include "model/published.h"

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

static bool
is_one_of(const char *text, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(text, *list) == 0)
            return true;
    return false;
}

/* Of a field that was found: after another complaint none is. */
static void
refuse(oriel_fields *fields, const char *name, const char *found,
       const char *supported)
{
    fields->status =
        oriel_fail(fields->err, ORIEL_ERR_UNSUPPORTED,
                   "%s: %s%s \"%s\": only %s", ORIEL_QUOTE(fields->file),
                   fields->path, name, ORIEL_QUOTE(found), supported);
}

/* The reference's names for models that have this tower ... */
static const char *const model_types[] = {"qwen2_5_vl", "qwen2_5_omni",
                                          "qwen2_5_omni_thinker", NULL};
/* ... and for the tower saved alone. */
static const char *const tower_types[] = {"qwen2_5_vl_vision",
                                          "qwen2_5_omni_vision_encoder", NULL};

static const char *
model_type(const oriel_fields *fields)
{
    const char *type =
        json_string_value(json_object_get(fields->object, "model_type"));

    return type ? type : "";
}

/* A relative's vision_config does not always say whose it is. */
static void
refuse_relatives(oriel_fields *fields)
{
    static const char *const relatives[] = {
        "qwen2_vl",     "qwen2_vl_vision",     "qwen3_vl", "qwen3_vl_vision",
        "qwen3_vl_moe", "qwen3_vl_moe_vision", NULL};

    if (is_one_of(model_type(fields), relatives))
        refuse(fields, "model_type", model_type(fields),
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
enter_wrapper(oriel_fields *fields, size_t which, bool *is_ours)
{
    oriel_fields inner = *fields;

    inner.object = oriel_field_object(fields, wrappers[which].name);
    inner.path = wrappers[which].path;
    if (!inner.object)
        return false;
    refuse_relatives(&inner);
    *is_ours = *is_ours || is_one_of(model_type(&inner), model_types);
    fields->object = oriel_field_object(&inner, "vision_config");
    if (!fields->object)
        oriel_field_fail(&inner, "vision_config", NULL, "an object");
    fields->status = inner.status;
    fields->path = wrappers[which].vision_path;
    return true;
}

/*
 * Point 'fields' at the vision configuration.  Whose it is, the model around it
 * says: with a model_type that is ours the reference does not look at that of
 * the vision_config, which may be empty, or of another class.
 */
static void
find_vision(oriel_fields *fields, bool *is_ours)
{
    const json_t *vision;

    *is_ours = is_one_of(model_type(fields), model_types);
    refuse_relatives(fields);
    vision = oriel_field_object(fields, "vision_config");
    if (vision || fields->status) {
        fields->object = vision;
        fields->path = "vision_config.";
        return;
    }
    for (size_t i = 0; i < sizeof(wrappers) / sizeof(*wrappers); i++)
        if (enter_wrapper(fields, i, is_ours))
            return;
    /* "qwen2_5_vl" here would be a whole model. */
    if (is_one_of(model_type(fields), tower_types)) {
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

/* "swish" is the reference's other name for SiLU. */
static void
read_kinds(oriel_fields *fields, bool is_ours)
{
    static const char *const acts[] = {"silu", "swish", NULL};
    const char *act = oriel_field_text(fields, "hidden_act");

    if (!is_ours && oriel_field_text(fields, "model_type"))
        refuse_relatives(fields);
    if (act && !is_one_of(act, acts))
        refuse(fields, "hidden_act", act, "\"silu\" is supported");
}

/* To the reference these are the same fields, and the later name wins. */
static const char *
newer_name(const oriel_fields *fields, const char *newer, const char *name)
{
    return oriel_field(fields, newer) ? newer : name;
}

static void
read_numbers(oriel_config *config, oriel_fields *fields)
{
    config->depth_given = oriel_field_i32(
        fields, newer_name(fields, "num_hidden_layers", "depth"), 1,
        ORIEL_CONFIG_MAX_DEPTH, &config->depth);
    oriel_field_i32(fields, "hidden_size", 4, MAX_WIDTH, &config->hidden_size);
    oriel_field_i32(fields, "intermediate_size", 1, MAX_WIDTH,
                    &config->intermediate_size);
    oriel_field_i32(fields, "out_hidden_size", 1, MAX_WIDTH,
                    &config->out_hidden_size);
    oriel_field_i32(fields,
                    newer_name(fields, "num_attention_heads", "num_heads"), 1,
                    MAX_HEADS, &config->num_heads);
    oriel_field_i32(fields, "in_channels", 3, 3, &config->in_channels);
    oriel_field_i32(fields, "patch_size", 1, MAX_PATCH, &config->patch_size);
    oriel_field_i32(fields, "temporal_patch_size", 1, MAX_TEMPORAL,
                    &config->temporal_patch_size);
    oriel_field_i32(fields, "spatial_merge_size", 1, MAX_MERGE,
                    &config->spatial_merge_size);
    oriel_field_i32(fields, "window_size", 1, MAX_WINDOW, &config->window_size);
}

/* The reference divides by the sides of a patch and of a token, and rounds
   down each time: to whole tokens. */
static void
settle_window(oriel_config *config, oriel_fields *fields)
{
    const int32_t token = config->patch_size * config->spatial_merge_size;

    if (!fields->status && config->window_size < token)
        fields->status =
            oriel_fail(fields->err, ORIEL_ERR_MODEL,
                       "%s: %swindow_size: expected at least patch_size x "
                       "spatial_merge_size, %d, found %d",
                       ORIEL_QUOTE(fields->file), fields->path, token,
                       config->window_size);
    else
        config->window_size -= config->window_size % token;
}

static void
read_theta(oriel_config *config, oriel_fields *fields)
{
    if (oriel_field_double(fields, "rope_theta", &config->rope_theta) &&
        (config->rope_theta < 1.0 || config->rope_theta > 1e12))
        oriel_field_fail(fields, "rope_theta",
                         oriel_field(fields, "rope_theta"),
                         "a number from 1 to 1e12");
}

/*
 * Absent in old files.  Of the two names of the object the old one wins, if it
 * is not empty; rope_theta may also stand beside it.  The type "default" is to
 * this tower what "axial" is.
 */
static void
read_rope(oriel_config *config, oriel_fields *fields)
{
    static const char *const types[] = {"axial", "default", NULL};
    const bool old = json_object_size(oriel_field(fields, "rope_scaling")) > 0;
    const char *name = old ? "rope_scaling" : "rope_parameters";
    oriel_fields rope = *fields;
    const char *type;
    char path[64];

    read_theta(config, fields);
    rope.status = fields->status;
    rope.object = oriel_field_object(fields, name);
    if (!rope.object)
        return;
    snprintf(path, sizeof(path), "%s%s.", fields->path, name);
    rope.path = path;
    name = oriel_field(&rope, "rope_type") ? "rope_type" : "type";
    type = oriel_field_text(&rope, name);
    if (type && !is_one_of(type, types))
        refuse(&rope, name, type, "\"axial\" is supported");
    read_theta(config, &rope);
    fields->status = rope.status;
}

static int
compare_blocks(const void *a, const void *b)
{
    const int32_t x = *(const int32_t *)a;
    const int32_t y = *(const int32_t *)b;

    return (x > y) - (x < y);
}

/* Add a block, unless the tower has no such block: as in the reference, a
   number that no block has is never met. */
static void
add_full_attention(oriel_config *config, int64_t block)
{
    if (block >= 0 && block < config->depth)
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

static oriel_status
reserve_full_attention(oriel_config *config, size_t n, const oriel_hooks *hooks,
                       oriel_error *err)
{
    const size_t bytes = sizeof(*config->full_attention_blocks);

    config->full_attention_blocks = oriel_calloc(hooks, n, bytes);
    return config->full_attention_blocks
               ? ORIEL_OK
               : oriel_fail_memory(err, n * bytes, "fullatt_block_indexes");
}

static oriel_status
default_full_attention(oriel_config *config, const oriel_hooks *hooks,
                       oriel_error *err)
{
    static const int32_t blocks[] = {7, 15, 23, 31};
    const size_t n = sizeof(blocks) / sizeof(*blocks);
    oriel_status status = reserve_full_attention(config, n, hooks, err);

    for (size_t i = 0; i < n && !status; i++)
        add_full_attention(config, blocks[i]);
    return status;
}

static void
read_full_attention(oriel_config *config, oriel_fields *fields,
                    const oriel_hooks *hooks)
{
    static const char name[] = "fullatt_block_indexes";
    const json_t *list = oriel_field_array(fields, name);
    const json_t *value;
    size_t i;

    if (fields->status)
        return;
    if (json_array_size(list) > ORIEL_CONFIG_MAX_DEPTH) {
        oriel_field_fail(fields, name, list, "an array of at most 1024");
        return;
    }
    fields->status = list
                         ? reserve_full_attention(config, json_array_size(list),
                                                  hooks, fields->err)
                         : default_full_attention(config, hooks, fields->err);
    if (fields->status)
        return;
    json_array_foreach(list, i, value)
    {
        if (!json_is_integer(value)) {
            oriel_field_fail(fields, name, value, "block numbers");
            return;
        }
        add_full_attention(config, json_integer_value(value));
    }
    sort_full_attention(config);
}

oriel_status
oriel_config_parse(oriel_config *out, const char *text, size_t bytes,
                   const char *file, const oriel_hooks *hooks, oriel_error *err)
{
    oriel_fields fields = {NULL, file, "", ORIEL_OK, err};
    bool is_ours = false;
    json_t *root;

    *out = defaults;
    fields.status =
        oriel_json_parse_python(&root, text, bytes, file, hooks, err);
    if (fields.status)
        return fields.status;
    fields.object = root;
    find_vision(&fields, &is_ours);
    read_kinds(&fields, is_ours);
    read_numbers(out, &fields);
    settle_window(out, &fields);
    read_rope(out, &fields);
    read_full_attention(out, &fields, hooks);
    json_decref(root);
    if (fields.status)
        oriel_config_free(out, hooks);
    return fields.status;
}

oriel_status
oriel_config_published(oriel_config *out, const char *name, bool *known,
                       const oriel_hooks *hooks, oriel_error *err)
{
    static const struct {
        const char *name;
        int32_t intermediate_size, out_hidden_size;
    } sizes[] = {
#define X(name, intermediate, out) {name, intermediate, out},
        ORIEL_PUBLISHED(X)
#undef X
    };
    oriel_status status;

    *out = defaults;
    out->depth_given = true;
    out->hidden_size = ORIEL_PUBLISHED_HIDDEN;
    *known = !name;
    for (size_t i = 0; name && i < sizeof(sizes) / sizeof(*sizes); i++)
        if (strcmp(name, sizes[i].name) == 0) {
            out->intermediate_size = sizes[i].intermediate_size;
            out->out_hidden_size = sizes[i].out_hidden_size;
            *known = true;
        }
    status = default_full_attention(out, hooks, err);
    if (status)
        oriel_config_free(out, hooks);
    return status;
}

void
oriel_config_free(oriel_config *config, const oriel_hooks *hooks)
{
    oriel_free(hooks, config->full_attention_blocks);
    config->full_attention_blocks = NULL;
    config->n_full_attention_blocks = 0;
}
