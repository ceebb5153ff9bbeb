/* SPDX-License-Identifier: Apache-2.0 */
/* merge.c - the folders of several jobs to one */
#include "bulk/merge.h"

#include "base/fail.h"
#include "bulk/dataset.h"
#include "bulk/joined.h"
#include "cli/settings.h"
#include "cli/signals.h"
#include "files/whole_file.h"
#include "model/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Parts as they are -------------------------------------------------------- */

static oriel_status
copy_file(const char *from, const char *to, oriel_error *err)
{
    const size_t at_once = (size_t)8 << 20;
    oriel_file *file = NULL;
    oriel_whole_file *copy = NULL;
    char *block = malloc(at_once);
    oriel_status status = block ? oriel_file_open(&file, from, NULL, err)
                                : oriel_fail_memory(err, at_once, "a copy");
    uint64_t bytes = file ? oriel_file_bytes(file) : 0;

    if (!status)
        status = oriel_whole_file_create(&copy, to, false, bytes,
                                         &cli_output_hooks, err);
    for (uint64_t at = 0; block && !status && at < bytes; at += at_once) {
        const size_t n = bytes - at < at_once ? (size_t)(bytes - at) : at_once;

        status = oriel_file_read(file, at, block, n, err);
        if (!status)
            status = oriel_whole_file_write(copy, at, block, n, err);
    }
    if (!status && copy) {
        status = oriel_whole_file_commit(copy, bytes, err);
        copy = NULL;
    }
    oriel_whole_file_abort(copy);
    oriel_file_close(file);
    free(block);
    return status;
}

static oriel_status
place_part(bulk_merged *merged, const bulk_layout *layout, const char *out,
           const char *folder, int64_t number, oriel_error *err)
{
    char *from = bulk_path(folder, bulk_part_name_of(layout, number).text);
    char *to = bulk_path(out, bulk_part_name_of(layout, merged->parts).text);
    oriel_status status = ORIEL_OK;

    if (!from || !to)
        status = oriel_fail_memory(err, 1, "a path");
    else if (link(from, to) != 0) {
        if (errno == ENOENT || errno == EEXIST)
            status = oriel_fail_cause(err, ORIEL_ERR_IO, errno, "%s: %s",
                                      ORIEL_QUOTE(from), strerror(errno));
        else {
            status = copy_file(from, to, err);
            merged->copied++;
        }
    }
    merged->parts++;
    free(from);
    free(to);
    return status;
}

/* All parts of all runs; run i's begin at number first[i]. */
static oriel_status
place_parts(bulk_merged *merged, const bulk_joined *joined, const char *out,
            char **folders, size_t n, int64_t *first, oriel_error *err)
{
    oriel_status status = ORIEL_OK;

    for (size_t i = 0; i < n && !status; i++) {
        first[i] = merged->parts;
        for (int64_t k = 0; k < bulk_joined_parts(joined, i) && !status; k++)
            status = cli_signal_caught()
                         ? oriel_fail(err, ORIEL_ERR_CANCELLED, "stopped")
                         : place_part(merged, bulk_joined_layout(joined), out,
                                      folders[i], k, err);
    }
    return status;
}

/* ---- Lines ---------------------------------------------------------------------- */

/* The number in "part-00007.safetensors"; -1: it is no part's name. */
static int64_t
part_number(const bulk_layout *layout, const char *name)
{
    int64_t found;

    if (strncmp(name, "part-", 5) != 0)
        return -1;
    found = strtoll(name + 5, NULL, 10);
    return found >= 0 &&
                   strcmp(bulk_part_name_of(layout, found).text, name) == 0
               ? found
               : -1;
}

/* A line whose rows stay where they are, in a part with another number. */
static oriel_status
add_line(bulk_dataset *dataset, const bulk_joined *joined,
         const bulk_line *line, const int64_t *first, size_t run,
         oriel_error *err)
{
    const bulk_layout *layout = bulk_joined_layout(joined);
    int64_t number;

    if (line->ok) {
        number = part_number(layout, line->shard);
        if (number < 0 || number >= bulk_joined_parts(joined, run))
            return oriel_fail(err, ORIEL_ERR_MODEL,
                              "%s: its manifest names the part %s, which its "
                              "run.json does not count",
                              ORIEL_QUOTE(bulk_joined_folder(joined, run)),
                              ORIEL_QUOTE(line->shard));
        if (json_object_set_new(
                line->json, "shard",
                json_string(
                    bulk_part_name_of(layout, first[run] + number).text)) != 0)
            return oriel_fail_memory(err, 1, "a line");
    }
    return bulk_dataset_add_placed(dataset, line->json, err);
}

static oriel_status
add_rows(bulk_dataset *dataset, bulk_joined *joined, const bulk_line *line,
         size_t run, oriel_error *err)
{
    const int64_t n = line->row_end - line->row_begin;
    void *rows = NULL;
    oriel_status status =
        line->ok ? bulk_joined_read(joined, run, line, &rows, err) : ORIEL_OK;

    if (!status)
        status = bulk_dataset_add(dataset, 0, line->json, rows, n, err);
    free(rows);
    return status;
}

/* 'first' NULL: the rows are written anew. */
static oriel_status
join_lines(bulk_merged *merged, bulk_dataset *dataset, bulk_joined *joined,
           const int64_t *first, oriel_error *err)
{
    oriel_status status = ORIEL_OK;
    int64_t next = 0;

    while (!status) {
        bulk_line line;
        size_t run = 0;

        if (cli_signal_caught())
            return oriel_fail(err, ORIEL_ERR_CANCELLED, "stopped by a signal");
        status = bulk_joined_next(joined, &line, &run, err);
        if (!line.json)
            break;
        if (!status) {
            merged->missing += line.index - next;
            next = line.index + 1;
            status = first ? add_line(dataset, joined, &line, first, run, err)
                           : add_rows(dataset, joined, &line, run, err);
        }
        json_decref(line.json);
    }
    return status;
}

oriel_status
bulk_merge(bulk_merged *merged, const char *out, char **folders, size_t n,
           bool repack, oriel_error *err)
{
    int64_t *first = calloc(n + 1, sizeof(*first));
    bulk_joined *joined = NULL;
    bulk_dataset *dataset = NULL;
    bulk_layout layout;
    oriel_status status =
        first ? bulk_joined_open(&joined, folders, n, err)
              : oriel_fail_memory(err, n * sizeof(*first), "the folders");

    memset(merged, 0, sizeof(*merged));
    if (!status && joined) {
        layout = *bulk_joined_layout(joined);
        layout.folder = out;
        status = bulk_dataset_open(&dataset, &layout, bulk_joined_run(joined),
                                   BULK_NEW, err);
    }
    if (!status && first && !repack)
        status = place_parts(merged, joined, out, folders, n, first, err);
    if (!status && !repack)
        bulk_dataset_set_parts(dataset, merged->parts);
    if (!status)
        status =
            join_lines(merged, dataset, joined, repack ? NULL : first, err);
    if (!status)
        status = bulk_dataset_finish(dataset, bulk_joined_others(joined), err);
    if (!status) {
        merged->totals = *bulk_dataset_totals(dataset);
        merged->parts = bulk_dataset_parts(dataset);
    }
    bulk_dataset_close(dataset);
    bulk_joined_close(joined);
    free(first);
    return status;
}
