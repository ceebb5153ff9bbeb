/* SPDX-License-Identifier: Apache-2.0 */
/* shards.c - one file, or those that an index names */
#include "model/shards.h"

#include "base/fail.h"
#include "model/folder.h"
#include "model/prefix.h"
#include "model/shard_index.h"

#include <string.h>

/* Each costs a descriptor; published towers lie in one or two. */
enum { MAX_SHARDS = 256 };

/* Settle on the prefix that the names of all open files tell. */
static oriel_status
settle_prefix(oriel_checkpoint *checkpoint, oriel_error *err)
{
    oriel_prefix seen = {.wanted = checkpoint->wanted_prefix};
    const char *where =
        checkpoint->index
            ? checkpoint->index->path
            : oriel_file_name(oriel_safetensors_file(checkpoint->files[0]));

    for (size_t i = 0; i < checkpoint->n_files; i++) {
        size_t n;
        const oriel_stored_tensor *tensors =
            oriel_safetensors_tensors(checkpoint->files[i], &n);

        for (size_t k = 0; k < n; k++)
            oriel_prefix_consider(&seen, tensors[k].name);
    }
    oriel_free(&checkpoint->hooks, checkpoint->prefix);
    checkpoint->other_tower = seen.other;
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

static oriel_status
open_single(oriel_checkpoint *checkpoint, const char *path, oriel_error *err)
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

/* ---- By an index ------------------------------------------------------ */

static bool
is_open(const oriel_checkpoint *checkpoint, const char *path)
{
    for (size_t i = 0; i < checkpoint->n_files; i++)
        if (strcmp(
                oriel_file_name(oriel_safetensors_file(checkpoint->files[i])),
                path) == 0)
            return true;
    return false;
}

static oriel_status
open_path(oriel_checkpoint *checkpoint, const char *path, const char *tensor,
          bool optional, oriel_error *err)
{
    oriel_status status;

    if (is_open(checkpoint, path))
        return ORIEL_OK;
    if (checkpoint->n_files == MAX_SHARDS)
        return oriel_fail(err, ORIEL_ERR_MODEL,
                          "%s: weight_map: vision tensors in more shards than "
                          "the %d expected",
                          ORIEL_QUOTE(checkpoint->index->path), MAX_SHARDS);
    status = oriel_safetensors_open(&checkpoint->files[checkpoint->n_files],
                                    path, &checkpoint->hooks, err);
    if (status == ORIEL_ERR_NOT_FOUND && optional)
        return ORIEL_OK;
    if (status == ORIEL_ERR_NOT_FOUND)
        return oriel_fail(err, status,
                          "%s: no such shard, expected it to hold %s",
                          ORIEL_QUOTE(path), ORIEL_QUOTE(tensor));
    checkpoint->n_files += !status;
    return status;
}

static oriel_status
open_shard(oriel_checkpoint *checkpoint, const char *tensor,
           const json_t *value, bool optional, oriel_error *err)
{
    const oriel_hooks *hooks = &checkpoint->hooks;
    char *name, *path;
    oriel_status status = oriel_shard_index_name(&name, checkpoint->index,
                                                 tensor, value, hooks, err);

    if (status)
        return status;
    path = oriel_path_join(hooks, checkpoint->index->folder, name);
    status = path ? open_path(checkpoint, path, tensor, optional, err)
                  : oriel_fail_memory(err, strlen(name), "a path");
    oriel_free(hooks, name);
    oriel_free(hooks, path);
    return status;
}

/* Whether the index names a tensor of the tower, under either name of it. */
static bool
is_vision(const oriel_checkpoint *checkpoint, const char *tensor)
{
    const oriel_prefix_pair pair = oriel_prefix_names(checkpoint->prefix);

    return oriel_prefix_strip(checkpoint->prefix, tensor) ||
           (!checkpoint->wanted_prefix && pair.first &&
            (oriel_prefix_strip(pair.first, tensor) ||
             oriel_prefix_strip(pair.second, tensor)));
}

/* Open the shards of vision tensors, which must exist, or of all others. */
static oriel_status
open_shards(oriel_checkpoint *checkpoint, bool others, oriel_error *err)
{
    const char *tensor;
    json_t *value;

    json_object_foreach((json_t *)checkpoint->index->weight_map, tensor, value)
    {
        oriel_status status = ORIEL_OK;

        if (others || is_vision(checkpoint, tensor))
            status = open_shard(checkpoint, tensor, value, others, err);
        if (status)
            return status;
    }
    return ORIEL_OK;
}

/* The names in the index need not be those in the shards: they only say which
   to open first.  Without a tower among them, or with two, all are. */
static oriel_status
open_indexed(oriel_checkpoint *checkpoint, oriel_error *err)
{
    oriel_prefix seen = {.wanted = checkpoint->wanted_prefix};
    const char *tensor;
    json_t *value;
    oriel_status status = reserve(checkpoint, MAX_SHARDS, err);

    if (status)
        return status;
    json_object_foreach((json_t *)checkpoint->index->weight_map, tensor, value)
        oriel_prefix_consider(&seen, tensor);
    if (seen.best) {
        status = oriel_prefix_settle(&checkpoint->prefix, &seen,
                                     checkpoint->index->path,
                                     &checkpoint->hooks, err);
        if (!status)
            status = open_shards(checkpoint, false, err);
    } else {
        status = open_shards(checkpoint, true, err);
    }
    return status ? status : settle_prefix(checkpoint, err);
}

oriel_status
oriel_shards_open_rest(oriel_checkpoint *checkpoint, bool *opened,
                       oriel_error *err)
{
    const size_t before = checkpoint->n_files;
    oriel_status status = open_shards(checkpoint, true, err);

    *opened = checkpoint->n_files > before;
    return status || !*opened ? status : settle_prefix(checkpoint, err);
}

void
oriel_shards_close_index(oriel_checkpoint *checkpoint)
{
    oriel_shard_index_close(checkpoint->index, &checkpoint->hooks);
    checkpoint->index = NULL;
}

static oriel_status
open_by_index(oriel_checkpoint *checkpoint, const char *folder,
              const char *path, oriel_error *err)
{
    oriel_status status = oriel_shard_index_open(&checkpoint->index, folder,
                                                 path, &checkpoint->hooks, err);

    if (status == ORIEL_ERR_NOT_FOUND)
        return oriel_folder_refuse(folder,
                                   "expected " ORIEL_SINGLE_FILE
                                   " or " ORIEL_INDEX_FILE_NAME
                                   " in the folder, found neither",
                                   status, &checkpoint->hooks, err);
    return status ? status : open_indexed(checkpoint, err);
}

oriel_status
oriel_shards_open(oriel_checkpoint *checkpoint, const oriel_location *where,
                  oriel_error *err)
{
    const oriel_hooks *hooks = &checkpoint->hooks;
    char *single, *index;
    oriel_status status;

    if (where->file)
        return open_single(checkpoint, where->file, err);
    if (where->index)
        return open_by_index(checkpoint, where->folder, where->index, err);
    single = oriel_path_join(hooks, where->folder, ORIEL_SINGLE_FILE);
    index = oriel_path_join(hooks, where->folder, ORIEL_INDEX_FILE_NAME);
    status = single && index
                 ? open_single(checkpoint, single, err)
                 : oriel_fail_memory(err, strlen(where->folder), "a path");
    if (status == ORIEL_ERR_NOT_FOUND) {
        oriel_free(hooks, checkpoint->files);
        checkpoint->files = NULL;
        status = open_by_index(checkpoint, where->folder, index, err);
    }
    oriel_free(hooks, single);
    oriel_free(hooks, index);
    return status;
}
