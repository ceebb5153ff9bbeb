/* SPDX-License-Identifier: Apache-2.0 */
/* shards.c - one file, or those that an index names */
#include "model/shards.h"

#include "base/fail.h"
#include "model/json.h"
#include "model/prefix.h"

#include <stdio.h>
#include <string.h>

#define SINGLE "model.safetensors"
#define INDEX "model.safetensors.index.json"

/* Each costs a descriptor; published towers lie in one or two. */
enum { MAX_SHARDS = 256 };

char *
oriel_path_join(const oriel_hooks *hooks, const char *folder, const char *name)
{
    const size_t bytes = strlen(folder) + strlen(name) + 2;
    char *path = oriel_alloc(hooks, bytes);

    if (path)
        snprintf(path, bytes, "%s/%s", folder, name);
    return path;
}

/* Settle on the prefix that the names of all open files tell. */
static oriel_status
settle_prefix(oriel_checkpoint *checkpoint, oriel_error *err)
{
    oriel_prefix seen = {NULL, NULL};
    const char *where = checkpoint->name;

    if (checkpoint->n_files == 1)
        where = oriel_file_name(oriel_safetensors_file(checkpoint->files[0]));
    for (size_t i = 0; i < checkpoint->n_files; i++) {
        size_t n;
        const oriel_stored_tensor *tensors =
            oriel_safetensors_tensors(checkpoint->files[i], &n);

        for (size_t k = 0; k < n; k++)
            oriel_prefix_consider(&seen, tensors[k].name);
    }
    oriel_free(&checkpoint->hooks, checkpoint->prefix);
    checkpoint->prefix = NULL;
    return oriel_prefix_settle(&checkpoint->prefix, &seen, where,
                               &checkpoint->hooks, err);
}

static oriel_status
reserve(oriel_checkpoint *checkpoint, size_t n_files, oriel_error *err)
{
    checkpoint->files =
        oriel_calloc(&checkpoint->hooks, n_files, sizeof(oriel_safetensors *));
    if (!checkpoint->files)
        return oriel_fail_memory(err, n_files * sizeof(oriel_safetensors *),
                                 "a list of shards");
    return ORIEL_OK;
}

oriel_status
oriel_shards_open_file(oriel_checkpoint *checkpoint, const char *path,
                       oriel_error *err)
{
    oriel_status status = reserve(checkpoint, 1, err);

    if (!status)
        status = oriel_safetensors_open(&checkpoint->files[0], path,
                                        &checkpoint->hooks, err);
    if (status)
        return status;
    checkpoint->n_files = 1;
    return settle_prefix(checkpoint, err);
}

oriel_status
oriel_shards_open_memory(oriel_checkpoint *checkpoint, const void *weights,
                         size_t bytes, oriel_error *err)
{
    oriel_status status = reserve(checkpoint, 1, err);

    if (!status)
        status = oriel_safetensors_open_memory(&checkpoint->files[0],
                                               checkpoint->name, weights, bytes,
                                               &checkpoint->hooks, err);
    if (status)
        return status;
    checkpoint->n_files = 1;
    return settle_prefix(checkpoint, err);
}

/* ---- The index -------------------------------------------------------- */

typedef struct shard_index {
    oriel_checkpoint *checkpoint;
    const char *folder;
    char *path; /* of the index itself */
    json_t *root;
    json_t *weight_map;
    const char **names; /* of the shards, as files[] */
    oriel_error *err;
} shard_index;

static oriel_status
load_index(shard_index *index)
{
    const oriel_hooks *hooks = &index->checkpoint->hooks;
    oriel_file *file = NULL;
    char *text = NULL;
    size_t bytes;
    oriel_status status =
        oriel_file_open(&file, index->path, hooks, index->err);

    if (status == ORIEL_ERR_NOT_FOUND)
        return oriel_fail(index->err, status,
                          "%s: expected " SINGLE " or " INDEX
                          " in the folder, found neither",
                          ORIEL_QUOTE(index->folder));
    if (!status)
        status = oriel_file_load(file, ORIEL_SAFETENSORS_MAX_HEADER, &text,
                                 &bytes, index->err);
    if (!status)
        status = oriel_json_parse(&index->root, text, bytes, index->path,
                                  index->err);
    oriel_free(hooks, text);
    oriel_file_close(file);
    if (status)
        return status;
    index->weight_map = json_object_get(index->root, "weight_map");
    if (!json_is_object(index->weight_map))
        return oriel_fail(index->err, ORIEL_ERR_MODEL,
                          "%s: weight_map: expected an object",
                          ORIEL_QUOTE(index->path));
    return ORIEL_OK;
}

/* A plain name: nothing that could lead out of the folder. */
static bool
is_plain_name(const char *name)
{
    return name && *name && !strchr(name, '/') && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

static oriel_status
open_shard(shard_index *index, const char *tensor, const char *name)
{
    oriel_checkpoint *checkpoint = index->checkpoint;
    oriel_status status;
    char *path;

    for (size_t i = 0; i < checkpoint->n_files; i++)
        if (strcmp(index->names[i], name) == 0)
            return ORIEL_OK;
    if (checkpoint->n_files == MAX_SHARDS)
        return oriel_fail(index->err, ORIEL_ERR_MODEL,
                          "%s: weight_map: vision tensors in more shards than "
                          "the %d expected",
                          ORIEL_QUOTE(index->path), MAX_SHARDS);
    path = oriel_path_join(&checkpoint->hooks, index->folder, name);
    if (!path)
        return oriel_fail_memory(index->err, strlen(name), "a path");
    status = oriel_safetensors_open(&checkpoint->files[checkpoint->n_files],
                                    path, &checkpoint->hooks, index->err);
    if (status == ORIEL_ERR_NOT_FOUND)
        oriel_fail(index->err, status,
                   "%s: no such shard, expected it to hold %s",
                   ORIEL_QUOTE(path), ORIEL_QUOTE(tensor));
    oriel_free(&checkpoint->hooks, path);
    if (status)
        return status;
    index->names[checkpoint->n_files++] = name;
    return ORIEL_OK;
}

/* Open each shard that holds a vision tensor, and see that it does. */
static oriel_status
open_shards(shard_index *index)
{
    oriel_checkpoint *checkpoint = index->checkpoint;
    const char *tensor;
    json_t *value;

    json_object_foreach(index->weight_map, tensor, value)
    {
        const char *name = json_string_value(value);
        oriel_status status;

        if (!oriel_prefix_strip(checkpoint->prefix, tensor))
            continue;
        if (!is_plain_name(name))
            return oriel_fail(index->err, ORIEL_ERR_MODEL,
                              "%s: weight_map: expected a file name without "
                              "'/', found \"%s\" for tensor %s",
                              ORIEL_QUOTE(index->path),
                              ORIEL_QUOTE(name ? name : ""),
                              ORIEL_QUOTE(tensor));
        status = open_shard(index, tensor, name);
        if (status)
            return status;
    }
    return ORIEL_OK;
}

static oriel_status
check_shards(const shard_index *index)
{
    const oriel_checkpoint *checkpoint = index->checkpoint;
    const char *tensor;
    json_t *value;

    json_object_foreach(index->weight_map, tensor, value)
    {
        if (!oriel_prefix_strip(checkpoint->prefix, tensor))
            continue;
        for (size_t i = 0; i < checkpoint->n_files; i++)
            if (strcmp(index->names[i], json_string_value(value)) == 0 &&
                !oriel_safetensors_find(checkpoint->files[i], tensor))
                return oriel_fail(
                    index->err, ORIEL_ERR_MODEL,
                    "%s: expected tensor %s, as " INDEX " says",
                    ORIEL_QUOTE(oriel_file_name(
                        oriel_safetensors_file(checkpoint->files[i]))),
                    ORIEL_QUOTE(tensor));
    }
    return ORIEL_OK;
}

static oriel_status
open_indexed(shard_index *index)
{
    oriel_checkpoint *checkpoint = index->checkpoint;
    oriel_prefix seen = {NULL, NULL};
    const char *tensor;
    json_t *value;
    oriel_status status = load_index(index);

    if (status)
        return status;
    json_object_foreach(index->weight_map, tensor, value)
        oriel_prefix_consider(&seen, tensor);
    status = oriel_prefix_settle(&checkpoint->prefix, &seen, index->path,
                                 &checkpoint->hooks, index->err);
    if (!status)
        status = reserve(checkpoint, MAX_SHARDS, index->err);
    if (status)
        return status;
    index->names = oriel_calloc(&checkpoint->hooks, MAX_SHARDS, sizeof(char *));
    if (!index->names)
        return oriel_fail_memory(index->err, MAX_SHARDS * sizeof(char *),
                                 "a list of shards");
    status = open_shards(index);
    if (!status)
        status = check_shards(index);
    /* Again: a shard may hold more than the index admits. */
    return status ? status : settle_prefix(checkpoint, index->err);
}

oriel_status
oriel_shards_open_folder(oriel_checkpoint *checkpoint, const char *folder,
                         oriel_error *err)
{
    shard_index index = {
        .checkpoint = checkpoint, .folder = folder, .err = err};
    char *single = oriel_path_join(&checkpoint->hooks, folder, SINGLE);
    oriel_status status = ORIEL_ERR_MEMORY;

    index.path = oriel_path_join(&checkpoint->hooks, folder, INDEX);
    if (single && index.path)
        status = oriel_shards_open_file(checkpoint, single, err);
    else
        oriel_fail_memory(err, strlen(folder), "a path");
    if (status == ORIEL_ERR_NOT_FOUND) {
        oriel_free(&checkpoint->hooks, checkpoint->files);
        checkpoint->files = NULL;
        status = open_indexed(&index);
    }
    json_decref(index.root);
    oriel_free(&checkpoint->hooks, index.names);
    oriel_free(&checkpoint->hooks, index.path);
    oriel_free(&checkpoint->hooks, single);
    return status;
}
