/* SPDX-License-Identifier: Apache-2.0 */
/* tower.c - reading the configuration that a tower's own file holds */
#include "model/tower.h"

#include "base/fail.h"
#include "model/json.h"

#include <stdio.h>
#include <string.h>

/* What each entry must hold, in the object of this name or, without one, at the
   top. */
static const struct {
    const char *key, *object;
    const char *fields[16];
} entries[] = {
    [ORIEL_TOWER_CONFIG] = {"config.json",
                            "vision_config",
                            {"depth", "hidden_size", "intermediate_size",
                             "num_heads", "out_hidden_size", "in_channels",
                             "patch_size", "temporal_patch_size",
                             "spatial_merge_size", "window_size", "rope_theta",
                             "fullatt_block_indexes"}},
    [ORIEL_TOWER_PREPROCESSOR] = {"preprocessor_config.json",
                                  NULL,
                                  {"min_pixels", "max_pixels", "patch_size",
                                   "temporal_patch_size", "merge_size",
                                   "do_rescale", "rescale_factor",
                                   "do_normalize", "image_mean", "image_std"}},
    [ORIEL_TOWER_VIDEO_PREPROCESSOR] = {"video_preprocessor_config.json",
                                        NULL,
                                        {"min_pixels", "max_pixels",
                                         "cap_pixels_per_frame",
                                         "max_video_tokens"}},
};

const char *
oriel_tower_key(oriel_tower_entry entry)
{
    return entries[entry].key;
}

/* The value of a key in __metadata__, or NULL. */
static const char *
value_of(const oriel_safetensors *file, const char *key)
{
    size_t n;
    const oriel_metadata_pair *pairs = oriel_safetensors_metadata(file, &n);

    for (size_t i = 0; i < n; i++)
        if (strcmp(pairs[i].key, key) == 0)
            return pairs[i].value;
    return NULL;
}

bool
oriel_tower_is(const oriel_safetensors *file)
{
    const char *format = value_of(file, "format");

    return format && strcmp(format, ORIEL_TOWER_FORMAT) == 0;
}

static oriel_status
check_version(const oriel_safetensors *file, oriel_error *err)
{
    const char *version = value_of(file, "format_version");

    if (version && strcmp(version, ORIEL_TOWER_FORMAT_VERSION) == 0)
        return ORIEL_OK;
    return oriel_fail(
        err, ORIEL_ERR_MODEL,
        "%s: __metadata__: format_version: expected " ORIEL_TOWER_FORMAT_VERSION
        ", found %s",
        ORIEL_QUOTE(oriel_file_name(oriel_safetensors_file(file))),
        version ? ORIEL_QUOTE(version) : "none");
}

/* "FILE: __metadata__: KEY" */
static oriel_status
name_entry(oriel_tower_text *out, const oriel_safetensors *file,
           const char *key, const oriel_hooks *hooks, oriel_error *err)
{
    static const char between[] = ": __metadata__: ";
    const char *path = oriel_file_name(oriel_safetensors_file(file));
    const size_t bytes = strlen(path) + sizeof(between) + strlen(key);

    out->name = oriel_alloc(hooks, bytes);
    if (!out->name)
        return oriel_fail_memory(err, bytes, "a name");
    snprintf(out->name, bytes, "%s%s%s", path, between, key);
    return ORIEL_OK;
}

static oriel_status
check_fields(const oriel_tower_text *out, oriel_tower_entry entry,
             oriel_error *err)
{
    oriel_fields fields = {NULL, out->name, "", ORIEL_OK, err};
    const char *object = entries[entry].object;
    char path[64];
    json_t *root;

    fields.status =
        oriel_json_parse(&root, out->text, strlen(out->text), out->name, err);
    if (fields.status)
        return fields.status;
    fields.object = root;
    if (object) {
        fields.object = oriel_field_object(&fields, object);
        if (!fields.object)
            oriel_field_fail(&fields, object, NULL, "an object");
        snprintf(path, sizeof(path), "%s.", object);
        fields.path = path;
    }
    for (const char *const *f = entries[entry].fields; *f; f++)
        if (!oriel_field(&fields, *f))
            oriel_field_fail(&fields, *f, NULL, "a value");
    json_decref(root);
    return fields.status;
}

oriel_status
oriel_tower_find(oriel_tower_text *out, const oriel_safetensors *file,
                 oriel_tower_entry entry, const oriel_hooks *hooks,
                 oriel_error *err)
{
    oriel_status status = check_version(file, err);

    *out = (oriel_tower_text){value_of(file, entries[entry].key), NULL};
    if (!status)
        status = name_entry(out, file, entries[entry].key, hooks, err);
    if (!status && !out->text)
        status = oriel_fail(err, ORIEL_ERR_MODEL,
                            "%s: expected the text of a JSON "
                            "object, found none",
                            ORIEL_QUOTE(out->name));
    return status ? status : check_fields(out, entry, err);
}
