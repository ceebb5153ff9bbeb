/* SPDX-License-Identifier: Apache-2.0 */
/* checkpoint.c - opening a checkpoint: configuration, files, tensors */
#include "model/checkpoint.h"

#include "base/fail.h"
#include "model/bind.h"
#include "model/config.h"
#include "model/preprocessor.h"
#include "model/shards.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

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

/* "DIR" of "DIR/NAME", "." of "NAME"; ours to free. */
static char *
folder_of(const oriel_hooks *hooks, const char *path)
{
    const char *slash = strrchr(path, '/');
    const size_t n = slash ? (size_t)(slash - path) : 0;
    char *folder;

    if (!slash)
        return oriel_strdup(hooks, ".");
    folder = oriel_alloc(hooks, n + 2);
    if (!folder)
        return NULL;
    memcpy(folder, path, n + 1);
    folder[n ? n : 1] = '\0';
    return folder;
}

/* The text of a small file; NULL text and ORIEL_OK: 'optional', absent. */
static oriel_status
load_text(const char *path, bool optional, const oriel_hooks *hooks,
          char **text, size_t *bytes, oriel_error *err)
{
    oriel_file *file;
    oriel_status status = oriel_file_open(&file, path, hooks, err);

    *text = NULL;
    *bytes = 0;
    if (status == ORIEL_ERR_NOT_FOUND && optional)
        return oriel_ok(err);
    if (status)
        return status;
    status = oriel_file_load(file, ORIEL_CONFIG_MAX_BYTES, text, bytes, err);
    oriel_file_close(file);
    return status;
}

/* Bind the open files by the text of a config.json, and keep its list. */
static oriel_status
apply_config(oriel_checkpoint *checkpoint, const char *text, size_t bytes,
             const char *name, oriel_error *err)
{
    oriel_config config;
    oriel_status status =
        oriel_config_parse(&config, text, bytes, name, &checkpoint->hooks, err);

    if (status)
        return status;
    checkpoint->full_attention_blocks = config.full_attention_blocks;
    config.full_attention_blocks = NULL;
    status = oriel_checkpoint_bind(checkpoint, &config, name, err);
    oriel_config_free(&config, &checkpoint->hooks);
    if (!status)
        oriel_preprocessor_published(&checkpoint->network);
    return status;
}

static oriel_status
read_config(oriel_checkpoint *checkpoint, const char *path, oriel_error *err)
{
    char *text;
    size_t bytes;
    oriel_status status =
        load_text(path, false, &checkpoint->hooks, &text, &bytes, err);

    if (!status)
        status = apply_config(checkpoint, text, bytes, path, err);
    oriel_free(&checkpoint->hooks, text);
    return status;
}

/* A file that may hold a section of the preprocessing, and what reads it. */
typedef struct preprocessor_source {
    const char *name;
    bool nested;
    __typeof__(oriel_preprocessor_parse) *parse;
} preprocessor_source;

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
    status = load_text(path, true, &checkpoint->hooks, &text, &bytes, err);
    if (!status && text)
        status = source->parse(&checkpoint->network, text, bytes, path,
                               source->nested, found, err);
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
        {"processor_config.json", true, oriel_preprocessor_parse},
        {"preprocessor_config.json", false, oriel_preprocessor_parse}};
    static const preprocessor_source videos[] = {
        {"processor_config.json", true, oriel_video_preprocessor_parse},
        {"video_preprocessor_config.json", false,
         oriel_video_preprocessor_parse},
        {"preprocessor_config.json", false, oriel_video_preprocessor_parse}};
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
open_at(oriel_checkpoint *checkpoint, const char *path, bool is_folder,
        const char *config_path, oriel_error *err)
{
    char *folder = is_folder ? oriel_strdup(&checkpoint->hooks, path)
                             : folder_of(&checkpoint->hooks, path);
    char *config = NULL;
    char *beside = NULL; /* the folder of config.json */
    oriel_status status = ORIEL_ERR_MEMORY;

    if (folder)
        config = config_path ? oriel_strdup(&checkpoint->hooks, config_path)
                             : oriel_path_join(&checkpoint->hooks, folder,
                                               "config.json");
    if (config)
        beside = folder_of(&checkpoint->hooks, config);
    if (!beside)
        oriel_fail_memory(err, strlen(path), "a path");
    else if (is_folder)
        status = oriel_shards_open_folder(checkpoint, path, err);
    else
        status = oriel_shards_open_file(checkpoint, path, err);
    if (!status)
        status = read_config(checkpoint, config, err);
    if (!status)
        status = read_preprocessors(checkpoint, beside, err);
    oriel_free(&checkpoint->hooks, folder);
    oriel_free(&checkpoint->hooks, config);
    oriel_free(&checkpoint->hooks, beside);
    return status;
}

oriel_status
oriel_checkpoint_open(oriel_checkpoint **out, const char *path,
                      const char *config_path, const oriel_hooks *hooks,
                      oriel_error *err)
{
    struct stat info;
    oriel_checkpoint *checkpoint;
    oriel_status status;

    *out = NULL;
    if (stat(path, &info) != 0)
        return oriel_file_fail(
            err, path, "cannot find a folder or .safetensors file there",
            errno);
    checkpoint = create(path, hooks, err);
    if (!checkpoint)
        return ORIEL_ERR_MEMORY;
    status = open_at(checkpoint, path, S_ISDIR(info.st_mode), config_path, err);
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
                             size_t weights_bytes, const oriel_hooks *hooks,
                             oriel_error *err)
{
    oriel_checkpoint *checkpoint = create("weights in memory", hooks, err);
    oriel_status status;

    *out = NULL;
    if (!checkpoint)
        return ORIEL_ERR_MEMORY;
    status = oriel_shards_open_memory(checkpoint, weights, weights_bytes, err);
    if (!status)
        status = apply_config(checkpoint, config_json, config_bytes,
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
    oriel_free(&hooks, checkpoint->prefix);
    oriel_free(&hooks, checkpoint->bindings);
    oriel_free(&hooks, checkpoint->full_attention_blocks);
    oriel_free(&hooks, checkpoint->name);
    oriel_free(&hooks, checkpoint);
}
