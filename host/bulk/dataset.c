/* SPDX-License-Identifier: Apache-2.0 */
/* dataset.c - the output folder of oriel extract */
#include "bulk/dataset_state.h"

#include "base/fail.h"
#include "base/retry.h"
#include "bulk/lock.h"
#include "cli/settings.h"
#include "files/json_text.h"
#include "files/whole_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

oriel_status
bulk_dataset_fail(oriel_error *err, const char *path, const char *what)
{
    int cause = errno;

    return oriel_fail_cause(
        err, cause == ENOMEM ? ORIEL_ERR_MEMORY : ORIEL_ERR_IO, cause,
        "%s: %s: %s", ORIEL_QUOTE(path), what, strerror(cause));
}

oriel_status
bulk_dataset_write_run(const bulk_dataset *dataset, json_t *totals,
                       oriel_error *err)
{
    char *path = bulk_path(dataset->layout.folder, "run.json");
    json_t *run = oriel_json_copy(dataset->run);
    char *text = NULL, *longer;
    oriel_status status;

    if (run &&
        json_object_set_new(run, "state",
                            json_string(totals ? "complete" : "incomplete")) ==
            0 &&
        (!totals || json_object_set(run, "totals", totals) == 0))
        text = oriel_json_text(run, JSON_INDENT(2) | JSON_PRESERVE_ORDER |
                                        JSON_REAL_PRECISION(17));
    longer = text ? realloc(text, strlen(text) + 2) : NULL;
    if (longer) {
        text = longer;
        memcpy(text + strlen(text), "\n", 2);
    }
    if (path && longer)
        status = oriel_whole_file_put(path, true, text, strlen(text),
                                      &cli_output_hooks, err);
    else
        status = oriel_fail_memory(err, 4096, "run.json");
    json_decref(totals);
    json_decref(run);
    free(text);
    free(path);
    return status;
}

/* ---- What is there -------------------------------------------------------- */

bool
bulk_dataset_is_complete(const bulk_dataset *dataset)
{
    return dataset->complete;
}

bool
bulk_dataset_wants(void *context, int64_t ordinal)
{
    const bulk_dataset *dataset = context;

    return ordinal >= dataset->done ||
           (dataset->failed && dataset->failed[ordinal]);
}

int64_t
bulk_dataset_named(const bulk_dataset *dataset)
{
    int64_t again = 0;

    for (int64_t i = 0; dataset->failed && i < dataset->done; i++)
        again += dataset->failed[i];
    return dataset->done - again;
}

const bulk_totals *
bulk_dataset_totals(const bulk_dataset *dataset)
{
    return &dataset->totals;
}

int64_t
bulk_dataset_parts(const bulk_dataset *dataset)
{
    return dataset->parts + (dataset->part ? 1 : 0);
}

/* The next of the lines that were there; json is NULL after the last. */
static oriel_status
next_old(bulk_dataset *dataset, bulk_line *line, oriel_error *err)
{
    memset(line, 0, sizeof(*line));
    if (dataset->expected == dataset->done)
        return ORIEL_OK;
    dataset->expected++;
    return bulk_manifest_next(dataset->old, line, err);
}

oriel_status
bulk_dataset_expect(bulk_dataset *dataset, int64_t index, const json_t *id,
                    const char *source, oriel_error *err)
{
    bulk_line line;
    oriel_status status = next_old(dataset, &line, err);

    if (!status && (!line.json || line.index != index ||
                    !json_equal(json_object_get(line.json, "id"), id)))
        status = oriel_fail(
            err, ORIEL_ERR_INPUT,
            "%s: the inputs are not those of its run: input %" PRId64
            " is %s, its manifest has %s there",
            ORIEL_QUOTE(dataset->layout.folder), index, ORIEL_QUOTE(source),
            line.json ? ORIEL_QUOTE(line.source) : "none");
    json_decref(line.json);
    return status;
}

oriel_status
bulk_dataset_expect_end(bulk_dataset *dataset, int64_t inputs, oriel_error *err)
{
    if (inputs >= dataset->done)
        return oriel_ok(err);
    return oriel_fail(err, ORIEL_ERR_INPUT,
                      "%s: the inputs are not those of its run: there are "
                      "%" PRId64 ", and its manifest has %" PRId64,
                      ORIEL_QUOTE(dataset->layout.folder), inputs,
                      dataset->done);
}

/* ---- Adding --------------------------------------------------------------- */

/* The lines of a part are on the disk before the part has its name. */
static oriel_status
sync_manifest(bulk_dataset *dataset, oriel_error *err)
{
    int result = 0;

    if (!dataset->manifest)
        return ORIEL_OK;
    if (fflush(dataset->manifest) != 0)
        return bulk_dataset_fail(err, dataset->layout.folder,
                                 "the manifest cannot be written");
    ORIEL_RETRY(result, fsync(fileno(dataset->manifest)));
    return result == 0
               ? ORIEL_OK
               : bulk_dataset_fail(err, dataset->layout.folder,
                                   "the manifest cannot be put on the disk");
}

static oriel_status
close_part(bulk_dataset *dataset, oriel_error *err)
{
    bulk_part *part = dataset->part;
    oriel_status status = sync_manifest(dataset, err);

    dataset->part = NULL;
    /* Without rows if its first input failed. */
    if (!part || status || bulk_part_rows(part) == 0) {
        bulk_part_abort(part);
        return status;
    }
    dataset->parts++;
    return bulk_part_commit(part, err);
}

static oriel_status
add_rows(bulk_dataset *dataset, json_t *line, const void *rows, int64_t n_rows,
         oriel_error *err)
{
    json_t *id = json_object_get(line, "id");
    const json_t *list = json_object_get(line, "grid_thw");
    int64_t grid[3], first;
    oriel_status status = ORIEL_OK;

    for (size_t i = 0; i < 3; i++)
        grid[i] = json_integer_value(json_array_get(list, i));
    if (dataset->part &&
        !bulk_part_fits(dataset->part, json_string_value(id), n_rows))
        status = close_part(dataset, err);
    if (!status && !dataset->part)
        status = bulk_part_create(&dataset->part, &dataset->layout,
                                  dataset->parts, err);
    if (status)
        return status;
    first = bulk_part_rows(dataset->part);
    if (json_object_set_new(
            line, "shard",
            json_string(
                bulk_part_name_of(&dataset->layout, dataset->parts).text)) ||
        json_object_set_new(line, "row_begin", json_integer(first)) ||
        json_object_set_new(line, "row_end", json_integer(first + n_rows)))
        return oriel_fail_memory(err, sizeof(json_t), "a line");
    return bulk_part_add(dataset->part, id, grid, rows, n_rows, err);
}

/* A line of BULK_RETRY waits for the manifest that is written at the end. */
static oriel_status
keep_line(bulk_dataset *dataset, int64_t ordinal, char *text, oriel_error *err)
{
    if (dataset->n_lines == dataset->lines_room) {
        size_t room = dataset->lines_room ? 2 * dataset->lines_room : 64;
        new_line *lines = reallocarray(dataset->lines, room, sizeof(*lines));

        if (!lines) {
            free(text);
            return oriel_fail_memory(err, room, "lines");
        }
        dataset->lines = lines;
        dataset->lines_room = room;
    }
    dataset->lines[dataset->n_lines++] = (new_line){ordinal, text};
    return ORIEL_OK;
}

static oriel_status
append_line(bulk_dataset *dataset, char *text, oriel_error *err)
{
    oriel_status status = ORIEL_OK;

    if (fputs(text, dataset->manifest) < 0)
        status = bulk_dataset_fail(err, dataset->layout.folder,
                                   "the manifest cannot be written");
    free(text);
    return status;
}

static void
count(bulk_dataset *dataset, const json_t *line, int64_t n_rows, bool failed)
{
    bulk_totals *totals = &dataset->totals;
    int64_t flops = json_integer_value(json_object_get(line, "flops"));

    if (dataset->mode == BULK_RETRY) /* it was counted as failed */
        totals->failed -= !failed;
    else {
        totals->inputs++;
        totals->failed += failed;
    }
    totals->rows += n_rows;
    totals->tokens += json_integer_value(json_object_get(line, "tokens"));
    if (!failed && __builtin_add_overflow(totals->flops, flops, &totals->flops))
        totals->flops = INT64_MAX;
}

/* An input that is tried again must be the one that failed. */
static oriel_status
expect_again(bulk_dataset *dataset, const json_t *line, oriel_error *err)
{
    return bulk_dataset_expect(
        dataset, json_integer_value(json_object_get(line, "index")),
        json_object_get(line, "id"),
        json_string_value(json_object_get(line, "source")), err);
}

oriel_status
bulk_dataset_add(bulk_dataset *dataset, int64_t ordinal, json_t *line,
                 const void *rows, int64_t n_rows, oriel_error *err)
{
    oriel_status status = dataset->mode == BULK_RETRY
                              ? expect_again(dataset, line, err)
                              : ORIEL_OK;
    char *text;

    if (!status && rows)
        status = add_rows(dataset, line, rows, n_rows, err);
    text = status ? NULL : bulk_line_text(line);

    if (status)
        return status;
    if (!text)
        return oriel_fail_memory(err, sizeof(json_t), "a line");
    count(dataset, line, rows ? n_rows : 0, !rows);
    return dataset->mode == BULK_RETRY ? keep_line(dataset, ordinal, text, err)
                                       : append_line(dataset, text, err);
}

oriel_status
bulk_dataset_add_placed(bulk_dataset *dataset, json_t *line, oriel_error *err)
{
    const json_t *begin = json_object_get(line, "row_begin");
    const json_t *end = json_object_get(line, "row_end");
    char *text = bulk_line_text(line);

    if (!text)
        return oriel_fail_memory(err, sizeof(json_t), "a line");
    count(dataset, line, json_integer_value(end) - json_integer_value(begin),
          !json_is_integer(end));
    return append_line(dataset, text, err);
}

void
bulk_dataset_set_parts(bulk_dataset *dataset, int64_t parts)
{
    dataset->parts = parts;
}

/* ---- Ending --------------------------------------------------------------- */

/* The manifest's lines that are passed, and the new ones of them. */
typedef struct replacing {
    bulk_dataset *dataset;
    int64_t ordinal;
    size_t next;
} replacing;

static oriel_status
replace_line(void *context, const bulk_line *line, char **text,
             oriel_error *err)
{
    replacing *r = context;
    new_line *lines = r->dataset->lines;

    if (r->next < r->dataset->n_lines && lines[r->next].ordinal == r->ordinal) {
        *text = lines[r->next].text;
        lines[r->next++].text = NULL;
    } else
        *text = bulk_line_text(line->json);
    r->ordinal++;
    return *text ? ORIEL_OK : oriel_fail_memory(err, 1, "a line");
}

/* The manifest with its new lines, in one step. */
static oriel_status
replace_lines(bulk_dataset *dataset, oriel_error *err)
{
    replacing r = {.dataset = dataset};

    return bulk_manifest_rewrite(dataset->layout.folder, BULK_MANIFEST,
                                 replace_line, &r, err);
}

oriel_status
bulk_dataset_suspend(bulk_dataset *dataset, oriel_error *err)
{
    oriel_status status = close_part(dataset, err);

    if (status)
        return status;
    if (dataset->mode == BULK_RETRY)
        return bulk_dataset_finish(dataset, -1, err);
    return bulk_manifest_list_failed(dataset->layout.folder, err);
}

oriel_status
bulk_dataset_finish(bulk_dataset *dataset, int64_t others, oriel_error *err)
{
    const bulk_totals *t = &dataset->totals;
    int64_t bytes;
    json_t *totals;
    oriel_status status = close_part(dataset, err);

    if (!status && dataset->mode == BULK_RETRY) {
        json_t *old = NULL;

        status = replace_lines(dataset, err);
        /* The files that are no inputs were counted by the run itself. */
        if (!status)
            status = bulk_run_load(&old, dataset->layout.folder, err);
        others = json_integer_value(
            json_object_get(json_object_get(old, "totals"), "other_files"));
        json_decref(old);
    }
    if (!status)
        status = bulk_manifest_list_failed(dataset->layout.folder, err);
    if (status)
        return status;
    bytes = t->rows * (int64_t)bulk_row_bytes(&dataset->layout);
    totals = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "inputs",
        (json_int_t)t->inputs, "failed", (json_int_t)t->failed, "other_files",
        (json_int_t)others, "tokens", (json_int_t)t->tokens, "rows",
        (json_int_t)t->rows, "bytes", (json_int_t)bytes, "flops",
        (json_int_t)t->flops, "parts", (json_int_t)dataset->parts);
    if (!totals)
        return oriel_fail_memory(err, sizeof(json_t), "run.json");
    return bulk_dataset_write_run(dataset, totals, err);
}

void
bulk_dataset_close(bulk_dataset *dataset)
{
    if (!dataset)
        return;
    bulk_part_abort(dataset->part);
    if (dataset->manifest)
        fclose(dataset->manifest);
    bulk_manifest_close(dataset->old);
    for (size_t i = 0; i < dataset->n_lines; i++)
        free(dataset->lines[i].text);
    free(dataset->lines);
    free(dataset->failed);
    json_decref(dataset->run);
    bulk_lock_release(dataset->lock);
    free(dataset);
}
