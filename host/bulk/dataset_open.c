/* SPDX-License-Identifier: Apache-2.0 */
/* dataset_open.c - a new folder, or one that a run goes on with */
#include "bulk/dataset_state.h"

#include "base/fail.h"
#include "bulk/lock.h"
#include "bulk/recover.h"
#include "files/temporary.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether nothing of somebody's lies there: our lock is not. */
static oriel_status
look_if_empty(bool *empty, const char *folder, oriel_error *err)
{
    DIR *entries = opendir(folder);
    struct dirent *entry;

    *empty = true;
    if (!entries)
        return bulk_dataset_fail(err, folder, "cannot be opened");
    oriel_temporary_sweep(dirfd(entries));
    while ((entry = readdir(entries)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0 &&
            strcmp(entry->d_name, BULK_LOCK_NAME) != 0)
            *empty = false;
    closedir(entries);
    return ORIEL_OK;
}

static oriel_status
open_manifest(bulk_dataset *dataset, oriel_error *err)
{
    char *path = bulk_path(dataset->layout.folder, BULK_MANIFEST);
    oriel_status status = ORIEL_OK;

    if (!path)
        return oriel_fail_memory(err, 1, "a path");
    dataset->manifest = fopen(path, "ae");
    if (!dataset->manifest)
        status = bulk_dataset_fail(err, path, "cannot be opened");
    free(path);
    return status;
}

/* Part files from this number on are of a run that did not end. */
static void
remove_parts(const bulk_dataset *dataset, int64_t number)
{
    DIR *entries = opendir(dataset->layout.folder);
    struct dirent *entry;

    while (entries && (entry = readdir(entries)) != NULL) {
        char *end;
        long long found;

        if (strncmp(entry->d_name, "part-", 5) != 0)
            continue;
        found = strtoll(entry->d_name + 5, &end, 10);
        if (found >= number &&
            (strcmp(end, ".safetensors") == 0 || strcmp(end, ".npy") == 0))
            (void)unlinkat(dirfd(entries), entry->d_name, 0);
    }
    if (entries)
        closedir(entries);
}

/* Take the last part up again, with the items that it has. */
static oriel_status
reopen_part(bulk_dataset *dataset, const bulk_recovered *had, oriel_error *err)
{
    oriel_status status =
        bulk_part_create(&dataset->part, &dataset->layout, had->parts - 1, err);
    int64_t end = 0;

    if (!status)
        status = bulk_part_copy(dataset->part, had->ends[had->n - 1], err);
    for (size_t i = 0; !status && i < had->n; i++) {
        status = bulk_part_list(dataset->part, json_array_get(had->ids, i),
                                had->grids + 3 * i, had->ends[i] - end, err);
        end = had->ends[i];
    }
    dataset->parts = had->parts - 1;
    return status;
}

static oriel_status
cut_manifest(const bulk_dataset *dataset, int64_t bytes, oriel_error *err)
{
    char *path = bulk_path(dataset->layout.folder, BULK_MANIFEST);
    oriel_status status = ORIEL_OK;

    if (!path)
        return oriel_fail_memory(err, 1, "a path");
    if (truncate(path, bytes) != 0 && errno != ENOENT)
        status = bulk_dataset_fail(err, path, "cannot be cut");
    free(path);
    return status;
}

static oriel_status
go_on(bulk_dataset *dataset, oriel_error *err)
{
    bulk_recovered had;
    oriel_status status = bulk_recover(&had, &dataset->layout, err);

    if (!status)
        status = cut_manifest(dataset, had.place, err);
    if (!status) {
        remove_parts(dataset, had.parts);
        dataset->totals = had.totals;
        dataset->done = had.totals.inputs;
    }
    if (!status && had.parts > 0)
        status = reopen_part(dataset, &had, err);
    bulk_recovered_free(&had);
    if (!status && dataset->done > 0)
        status = bulk_manifest_open(&dataset->old, dataset->layout.folder, err);
    return status ? status : open_manifest(dataset, err);
}

static oriel_status
look_at_complete(bulk_dataset *dataset, oriel_error *err)
{
    oriel_status status = bulk_verify(&dataset->totals, &dataset->parts,
                                      &dataset->failed, &dataset->layout, err);

    dataset->done = dataset->totals.inputs;
    if (status)
        return status;
    remove_parts(dataset, dataset->parts); /* of a retry that was killed */
    return bulk_manifest_open(&dataset->old, dataset->layout.folder, err);
}

/* The folder holds something: whether this run may go on with it. */
static oriel_status
check_old(bulk_dataset *dataset, oriel_error *err)
{
    const char *folder = dataset->layout.folder;
    bulk_difference at;
    const char *state;
    json_t *old;
    oriel_status status;

    if (dataset->mode == BULK_NEW)
        return oriel_fail(err, ORIEL_ERR_INPUT,
                          "%s: is not empty; --resume goes on with a run that "
                          "was stopped",
                          ORIEL_QUOTE(folder));
    status = bulk_run_load(&old, folder, err);
    if (status)
        return status;
    at = bulk_run_compare(dataset->run, old);
    state = json_string_value(json_object_get(old, "state"));
    dataset->complete = state && strcmp(state, "complete") == 0;
    json_decref(old);
    if (*at.text)
        return oriel_fail(err, ORIEL_ERR_INPUT,
                          "%s: was made with another %s (run.json has it)",
                          ORIEL_QUOTE(folder), at.text);
    if (!dataset->complete && dataset->mode == BULK_RETRY)
        return oriel_fail(err, ORIEL_ERR_INPUT,
                          "%s: is not complete yet: go on with --resume first",
                          ORIEL_QUOTE(folder));
    return ORIEL_OK;
}

static oriel_status
open_old(bulk_dataset *dataset, oriel_error *err)
{
    oriel_status status = check_old(dataset, err);

    if (status)
        return status;
    return dataset->complete ? look_at_complete(dataset, err)
                             : go_on(dataset, err);
}

static oriel_status
open_new(bulk_dataset *dataset, oriel_error *err)
{
    oriel_status status;

    if (dataset->mode == BULK_RETRY)
        return oriel_fail(err, ORIEL_ERR_INPUT,
                          "%s: is empty: --retry-failed is for a run that "
                          "ended",
                          ORIEL_QUOTE(dataset->layout.folder));
    status = bulk_dataset_write_run(dataset, NULL, err);
    return status ? status : open_manifest(dataset, err);
}

static oriel_status
open_folder(bulk_dataset *dataset, oriel_error *err)
{
    const char *folder = dataset->layout.folder;
    oriel_status status;
    bool empty;

    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return bulk_dataset_fail(err, folder, "cannot be made");
    /* Before anything is written into somebody's folder. */
    status = look_if_empty(&empty, folder, err);
    if (!status && !empty)
        status = check_old(dataset, err);
    if (!status)
        status = bulk_lock_take(&dataset->lock, folder, err);
    if (!status)
        status = look_if_empty(&empty, folder, err);
    if (status)
        return status;
    return empty ? open_new(dataset, err) : open_old(dataset, err);
}

oriel_status
bulk_dataset_open(bulk_dataset **out, const bulk_layout *layout,
                  const json_t *run, bulk_mode mode, oriel_error *err)
{
    bulk_dataset *dataset = calloc(1, sizeof(*dataset));
    oriel_status status;

    *out = NULL;
    if (!dataset)
        return oriel_fail_memory(err, sizeof(*dataset), "the output");
    dataset->layout = *layout;
    dataset->mode = mode;
    dataset->lock = -1;
    dataset->run = json_incref((json_t *)run);
    status = open_folder(dataset, err);
    if (status) {
        bulk_dataset_close(dataset);
        return status;
    }
    *out = dataset;
    return oriel_ok(err);
}
