/* SPDX-License-Identifier: Apache-2.0 */
/* checkpoint.c - opening a checkpoint: configuration, files, tensors */
#include "model/checkpoint.h"

#include "base/fail.h"
#include "model/bind.h"
#include "model/config.h"
#include "model/prefix.h"
#include "model/preprocessor.h"
#include "model/published.h"
#include "model/shards.h"
#include "model/tower.h"

#include <string.h>

/* NULL, and said so, when memory is out. */
static oriel_checkpoint *
create(const char *name, const oriel_hooks *hooks, oriel_error *err)
{
    oriel_checkpoint *checkpoint = oriel_calloc(hooks, 1, sizeof(*checkpoint));

    if (!checkpoint) {
        oriel_fail_memory(err, sizeof(*checkpoint), "a checkpoint");
        return NULL;
    }
    if (hooks)
        checkpoint->hooks = *hooks;
    checkpoint->name = oriel_strdup(hooks, name);
    if (!checkpoint->name) {
        oriel_checkpoint_close(checkpoint);
        oriel_fail_memory(err, strlen(name) + 1, "a path");
        return NULL;
    }
    return checkpoint;
}

/* ---- Configuration ---------------------------------------------------- */

/* Bind the open files; once more with all shards if a tensor is missing, as a
   shard may hold what the index looks for in another. */
static oriel_status
bind_files(oriel_checkpoint *checkpoint, const oriel_config *config,
           const char *name, oriel_error *err)
{
    oriel_error first;
    bool opened;
    oriel_status status =
        oriel_checkpoint_bind(checkpoint, config, name, &first);

    if (status && checkpoint->incomplete && checkpoint->index) {
        oriel_status more = oriel_shards_open_rest(checkpoint, &opened, err);

        if (more)
            return more;
        if (opened)
            return oriel_checkpoint_bind(checkpoint, config, name, err);
    }
    if (status && err)
        *err = first;
    return status;
}

/* Bind by a configuration, which is taken over, and keep its list. */
static oriel_status
apply_config(oriel_checkpoint *checkpoint, oriel_config *config,
             const char *name, oriel_error *err)
{
    oriel_status status;

    checkpoint->full_attention_blocks = config->full_attention_blocks;
    config->full_attention_blocks = NULL;
    status = bind_files(checkpoint, config, name, err);
    oriel_config_free(config, &checkpoint->hooks);
    if (!status)
        oriel_preprocessor_published(&checkpoint->network);
    if (!status)
        status = oriel_checkpoint_note(checkpoint, config, name, err);
    oriel_shards_close_index(checkpoint);
    return status;
}

static oriel_status
apply_text(oriel_checkpoint *checkpoint, const char *text, size_t bytes,
           const char *name, oriel_error *err)
{
    oriel_config config;
    oriel_status status =
        oriel_config_parse(&config, text, bytes, name, &checkpoint->hooks, err);

    return status ? status : apply_config(checkpoint, &config, name, err);
}

/* A published size: by its name, or by shapes when 'name' is NULL. */
static oriel_status
apply_published(oriel_checkpoint *checkpoint, const char *name,
                oriel_error *err)
{
    oriel_config config;
    bool known;
    oriel_status status;

    if (!name) {
        status = oriel_checkpoint_check_published(checkpoint, err);
        if (!status)
            status = oriel_note(&checkpoint->notes, &checkpoint->hooks, err,
                                "%s: no config.json: the geometry is that of "
                                "the published checkpoints, as the shapes are",
                                ORIEL_QUOTE(checkpoint->name));
        if (status)
            return status;
    }
    status =
        oriel_config_published(&config, name, &known, &checkpoint->hooks, err);
    if (!status && !known) {
        oriel_config_free(&config, &checkpoint->hooks);
        return oriel_fail(
            err, ORIEL_ERR_ARGUMENT,
            "config_preset \"%s\": expected one of" ORIEL_PUBLISHED_NAMES,
            ORIEL_QUOTE(name));
    }
    return status ? status
                  : apply_config(checkpoint, &config,
                                 name ? name : checkpoint->name, err);
}

/* The tower's own file, or NULL: the checkpoint is none. */
static const oriel_safetensors *
tower_file(const oriel_checkpoint *checkpoint, const oriel_location *where)
{
    return where->file && oriel_tower_is(checkpoint->files[0])
               ? checkpoint->files[0]
               : NULL;
}

static oriel_status
read_tower_config(oriel_checkpoint *checkpoint, const oriel_safetensors *tower,
                  oriel_error *err)
{
    oriel_tower_text entry;
    oriel_status status = oriel_tower_find(&entry, tower, ORIEL_TOWER_CONFIG,
                                           &checkpoint->hooks, err);

    if (!status)
        status = apply_text(checkpoint, entry.text, strlen(entry.text),
                            entry.name, err);
    oriel_free(&checkpoint->hooks, entry.name);
    return status;
}

/* What the caller names goes first, then what a tower's file says itself. */
static oriel_status
read_config(oriel_checkpoint *checkpoint, const oriel_location *where,
            const oriel_checkpoint_options *options, oriel_error *err)
{
    const oriel_safetensors *tower = tower_file(checkpoint, where);
    char *text;
    size_t bytes;
    oriel_status status;

    if (tower && !options->config_path && !options->config_preset)
        return read_tower_config(checkpoint, tower, err);
    if (!where->config)
        return apply_published(checkpoint, options->config_preset, err);
    status = oriel_text_load(where->config, ORIEL_CONFIG_MAX_BYTES,
                             &checkpoint->hooks, &text, &bytes, err);
    if (!status)
        status = apply_text(checkpoint, text, bytes, where->config, err);
    oriel_free(&checkpoint->hooks, text);
    return status;
}

/* ---- The processor's configuration ------------------------------------ */

/* A file that may hold a section of the preprocessing. */
typedef struct preprocessor_source {
    const char *name;
    bool nested;
    bool of_videos; /* the section, not that of images */
} preprocessor_source;

static oriel_status
parse_source(oriel_checkpoint *checkpoint, const preprocessor_source *source,
             const char *text, size_t bytes, const char *path, bool *found,
             oriel_error *err)
{
    if (source->of_videos)
        return oriel_video_preprocessor_parse(&checkpoint->network, text, bytes,
                                              path, source->nested, found,
                                              &checkpoint->hooks, err);
    return oriel_preprocessor_parse(&checkpoint->network, text, bytes, path,
                                    source->nested, found, &checkpoint->notes,
                                    &checkpoint->hooks, err);
}

static oriel_status
read_source(oriel_checkpoint *checkpoint, const char *folder,
            const preprocessor_source *source, bool *found, oriel_error *err)
{
    char *path = oriel_path_join(&checkpoint->hooks, folder, source->name);
    char *text = NULL;
    size_t bytes = 0;
    oriel_status status;

    *found = false;
    if (!path)
        return oriel_fail_memory(err, strlen(folder), "a path");
    status = oriel_text_load(path, ORIEL_CONFIG_MAX_BYTES, &checkpoint->hooks,
                             &text, &bytes, err);
    if (status == ORIEL_ERR_NOT_FOUND)
        status = oriel_ok(err);
    if (!status && text)
        status =
            parse_source(checkpoint, source, text, bytes, path, found, err);
    oriel_free(&checkpoint->hooks, text);
    oriel_free(&checkpoint->hooks, path);
    return status;
}

/* The first of some sources that is there. */
static oriel_status
read_first(oriel_checkpoint *checkpoint, const char *folder,
           const preprocessor_source *sources, size_t n, bool *found,
           oriel_error *err)
{
    oriel_status status = ORIEL_OK;

    *found = false;
    for (size_t i = 0; i < n && !status && !*found; i++)
        status = read_source(checkpoint, folder, &sources[i], found, err);
    return status;
}

static oriel_status
read_preprocessors(oriel_checkpoint *checkpoint, const char *folder,
                   oriel_error *err)
{
    static const preprocessor_source images[] = {
        {"processor_config.json", true, false},
        {"preprocessor_config.json", false, false}};
    static const preprocessor_source videos[] = {
        {"processor_config.json", true, true},
        {"video_preprocessor_config.json", false, true},
        {"preprocessor_config.json", false, true}};
    bool found, of_videos;
    oriel_status status =
        read_first(checkpoint, folder, images, sizeof(images) / sizeof(*images),
                   &found, err);

    if (!status)
        status = read_first(checkpoint, folder, videos,
                            sizeof(videos) / sizeof(*videos), &of_videos, err);
    if (!status && !found)
        oriel_log(&checkpoint->hooks, ORIEL_LOG_INFO,
                  "no preprocessor_config.json: limits, mean and std of the "
                  "published checkpoints");
    return status;
}

static oriel_status
read_tower_preprocessors(oriel_checkpoint *checkpoint,
                         const oriel_safetensors *tower, oriel_error *err)
{
    static const struct {
        oriel_tower_entry entry;
        preprocessor_source source;
    } parts[] = {
        {ORIEL_TOWER_PREPROCESSOR, {NULL, false, false}},
        {ORIEL_TOWER_VIDEO_PREPROCESSOR, {NULL, false, true}},
    };
    oriel_status status = ORIEL_OK;

    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts) && !status; i++) {
        oriel_tower_text entry;
        bool found;

        status = oriel_tower_find(&entry, tower, parts[i].entry,
                                  &checkpoint->hooks, err);
        if (!status)
            status = parse_source(checkpoint, &parts[i].source, entry.text,
                                  strlen(entry.text), entry.name, &found, err);
        oriel_free(&checkpoint->hooks, entry.name);
    }
    return status;
}

/* ---- Opening ---------------------------------------------------------- */

static oriel_status
take_prefix(oriel_checkpoint *checkpoint, const char *prefix, oriel_error *err)
{
    if (!prefix)
        return ORIEL_OK;
    checkpoint->wanted_prefix = oriel_prefix_copy(prefix, &checkpoint->hooks);
    return checkpoint->wanted_prefix
               ? ORIEL_OK
               : oriel_fail_memory(err, strlen(prefix), "a prefix");
}

/* One shard of several is a common mistake. */
static oriel_status
blame_shard(const oriel_checkpoint *checkpoint, const oriel_location *where,
            oriel_status status, oriel_error *err)
{
    char *index = oriel_path_join(&checkpoint->hooks, where->folder,
                                  ORIEL_INDEX_FILE_NAME);
    bool exists = false;

    if (index && oriel_path_exists(index, &exists, NULL) == ORIEL_OK && exists)
        status = oriel_fail(err, ORIEL_ERR_MODEL,
                            "%s: a part of the vision tower is missing; this "
                            "is one shard of several: give its folder",
                            ORIEL_QUOTE(where->file));
    oriel_free(&checkpoint->hooks, index);
    return status;
}

static oriel_status
open_located(oriel_checkpoint *checkpoint, const oriel_location *where,
             const oriel_checkpoint_options *options, oriel_error *err)
{
    oriel_status status = take_prefix(checkpoint, options->prefix, err);

    if (!status)
        status = oriel_shards_open(checkpoint, where, err);
    if (status)
        return status;
    const oriel_safetensors *tower = tower_file(checkpoint, where);

    status = read_config(checkpoint, where, options, err);
    if (status && checkpoint->incomplete && where->file && !tower)
        return blame_shard(checkpoint, where, status, err);
    if (status)
        return status;
    return tower ? read_tower_preprocessors(checkpoint, tower, err)
                 : read_preprocessors(checkpoint, where->processor, err);
}

oriel_status
oriel_checkpoint_open(oriel_checkpoint **out, const char *path,
                      const oriel_checkpoint_options *options,
                      const oriel_hooks *hooks, oriel_error *err)
{
    static const oriel_checkpoint_options none = {NULL, NULL, NULL};
    const oriel_checkpoint_options *o = options ? options : &none;
    oriel_location where;
    oriel_checkpoint *checkpoint = NULL;
    oriel_status status = oriel_locate(&where, path, o->config_path,
                                       o->config_preset != NULL, hooks, err);

    *out = NULL;
    if (!status) {
        checkpoint = create(path, hooks, err);
        status = checkpoint ? open_located(checkpoint, &where, o, err)
                            : ORIEL_ERR_MEMORY;
    }
    oriel_location_free(&where, hooks);
    if (status) {
        oriel_checkpoint_close(checkpoint);
        return status;
    }
    *out = checkpoint;
    return ORIEL_OK;
}

oriel_status
oriel_checkpoint_open_memory(oriel_checkpoint **out, const char *config_json,
                             size_t config_bytes, const void *weights,
                             size_t weights_bytes, const char *prefix,
                             const oriel_hooks *hooks, oriel_error *err)
{
    oriel_checkpoint *checkpoint = create("weights in memory", hooks, err);
    oriel_status status;

    *out = NULL;
    if (!checkpoint)
        return ORIEL_ERR_MEMORY;
    status = take_prefix(checkpoint, prefix, err);
    if (!status)
        status =
            oriel_shards_open_memory(checkpoint, weights, weights_bytes, err);
    if (!status)
        status = apply_text(checkpoint, config_json, config_bytes,
                            "config_json", err);
    if (status) {
        oriel_checkpoint_close(checkpoint);
        return status;
    }
    *out = checkpoint;
    return ORIEL_OK;
}

const oriel_binding *
oriel_checkpoint_find(const oriel_checkpoint *checkpoint, oriel_tensor tensor,
                      int32_t block)
{
    return &checkpoint->bindings[oriel_manifest_position(
        checkpoint->network.depth, tensor, block)];
}

uint64_t
oriel_checkpoint_bytes_read(const oriel_checkpoint *checkpoint)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < checkpoint->n_files; i++)
        bytes +=
            oriel_file_bytes_read(oriel_safetensors_file(checkpoint->files[i]));
    return bytes;
}

void
oriel_checkpoint_close(oriel_checkpoint *checkpoint)
{
    if (!checkpoint)
        return;
    const oriel_hooks hooks = checkpoint->hooks;

    for (size_t i = 0; i < checkpoint->n_files; i++)
        oriel_safetensors_close(checkpoint->files[i]);
    oriel_free(&hooks, checkpoint->files);
    oriel_shards_close_index(checkpoint);
    oriel_notes_free(&checkpoint->notes, &hooks);
    oriel_free(&hooks, checkpoint->wanted_prefix);
    oriel_free(&hooks, checkpoint->prefix);
    oriel_free(&hooks, checkpoint->bindings);
    oriel_free(&hooks, checkpoint->full_attention_blocks);
    oriel_free(&hooks, checkpoint->name);
    oriel_free(&hooks, checkpoint);
}
