/* SPDX-License-Identifier: Apache-2.0 */
/* recover.c - how far a run came that did not end */
#include "bulk/recover.h"

#include "base/fail.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The rows of the part that was looked at last. */
typedef struct looked_at {
    bulk_part_name name; /* "": none yet */
    int64_t rows;        /* -1: there is no such part */
} looked_at;

/* A part that is absent or unreadable holds nothing: -1. */
static oriel_status
look_at(looked_at *part, const bulk_layout *layout, const char *name,
        oriel_error *err)
{
    bulk_part_reader *reader;
    oriel_status status;

    if (strcmp(part->name.text, name) == 0)
        return ORIEL_OK;
    part->rows = -1;
    snprintf(part->name.text, sizeof(part->name.text), "%s", name);
    status = bulk_part_open(&reader, layout, layout->folder, name, err);
    if (!status)
        part->rows = bulk_part_reader_rows(reader);
    bulk_part_close(reader);
    return status == ORIEL_ERR_NOT_FOUND || status == ORIEL_ERR_MODEL ? ORIEL_OK
                                                                      : status;
}

static oriel_status
keep_item(bulk_recovered *out, size_t *capacity, const bulk_line *line,
          oriel_error *err)
{
    if (out->n == *capacity) {
        size_t larger = *capacity ? 2 * *capacity : 64;
        int64_t *grids = reallocarray(out->grids, larger, 3 * sizeof(*grids));
        int64_t *ends;

        if (grids)
            out->grids = grids;
        ends = reallocarray(out->ends, larger, sizeof(*ends));
        if (ends)
            out->ends = ends;
        if (!grids || !ends)
            return oriel_fail_memory(err, larger * 32, "a part's table");
        *capacity = larger;
    }
    if (json_array_append(out->ids, json_object_get(line->json, "id")) != 0)
        return oriel_fail_memory(err, sizeof(json_t), "a part's table");
    memcpy(out->grids + 3 * out->n, line->grid, sizeof(line->grid));
    out->ends[out->n++] = line->row_end;
    return ORIEL_OK;
}

/* Where a scan of the manifest is. */
typedef struct scan_state {
    const bulk_layout *layout;
    int64_t limit;  /* parts to look at */
    int64_t number; /* of the part that lines are of */
    int64_t end;    /* of its last row so far */
    looked_at part;
    bulk_totals so_far;
    size_t capacity;
} scan_state;

/* Whether the line belongs to the part at hand, or begins the next one. */
static bool
follows(scan_state *scan, bulk_recovered *out, const char *shard)
{
    if (strcmp(shard, bulk_part_name_of(scan->layout, scan->number).text) == 0)
        return scan->number < scan->limit;
    if (out->parts != scan->number + 1 || out->parts >= scan->limit ||
        strcmp(shard, bulk_part_name_of(scan->layout, out->parts).text) != 0)
        return false;
    json_array_clear(out->ids);
    out->n = 0;
    scan->number++;
    scan->end = 0;
    return true;
}

/* '*stops': the line cannot be of a part that is there. */
static oriel_status
take(scan_state *scan, bulk_recovered *out, const bulk_line *line,
     int64_t place, bool *stops, oriel_error *err)
{
    oriel_status status;

    bulk_totals_add(&scan->so_far, line);
    if (!line->ok)
        return ORIEL_OK;
    *stops = !follows(scan, out, line->shard);
    if (*stops)
        return ORIEL_OK;
    status = look_at(&scan->part, scan->layout, line->shard, err);
    *stops = line->row_begin != scan->end || line->row_end > scan->part.rows;
    if (status || *stops)
        return status;
    status = keep_item(out, &scan->capacity, line, err);
    scan->end = line->row_end;
    if (!status && scan->end == scan->part.rows) {
        out->totals = scan->so_far;
        out->place = place;
        out->parts = scan->number + 1;
    }
    return status;
}

/* '*whole': the items that are kept are the items of the last part that counts. */
static oriel_status
read_lines(bulk_recovered *out, const bulk_layout *layout, int64_t limit,
           bool *whole, oriel_error *err)
{
    scan_state scan = {.layout = layout, .limit = limit, .part = {.rows = -1}};
    bulk_manifest_reader *reader;
    bool stops = false;
    oriel_status status = bulk_manifest_open(&reader, layout->folder, err);

    json_array_clear(out->ids);
    out->n = 0;
    out->parts = out->place = 0;
    memset(&out->totals, 0, sizeof(out->totals));
    while (!status && !stops) {
        bulk_line line;

        status = bulk_manifest_next(reader, &line, err);
        if (!status && line.json)
            status = take(&scan, out, &line, bulk_manifest_place(reader),
                          &stops, err);
        else
            stops = true;
        json_decref(line.json);
    }
    bulk_manifest_close(reader);
    *whole = out->parts == 0 ||
             (scan.number + 1 == out->parts && scan.end == scan.part.rows);
    /* No manifest, or a torn line: a process was killed. */
    return status == ORIEL_ERR_NOT_FOUND || status == ORIEL_ERR_MODEL ? ORIEL_OK
                                                                      : status;
}

oriel_status
bulk_recover(bulk_recovered *out, const bulk_layout *layout, oriel_error *err)
{
    bool whole;
    oriel_status status;

    memset(out, 0, sizeof(*out));
    out->ids = json_array();
    if (!out->ids)
        return oriel_fail_memory(err, sizeof(json_t), "a part's table");
    status = read_lines(out, layout, INT64_MAX, &whole, err);
    if (!status && !whole) /* it began a part that is not there whole */
        status = read_lines(out, layout, out->parts, &whole, err);
    return status ? status : oriel_ok(err);
}

/* ---- A complete run ------------------------------------------------------- */

/* The rows that lines give each part; parts come in any order. */
typedef struct part_rows {
    int64_t *rows;
    size_t n;
} part_rows;

static oriel_status
count_rows(part_rows *parts, const bulk_layout *layout, const bulk_line *line,
           oriel_error *err)
{
    size_t number = strtoull(line->shard + strcspn(line->shard, "-") +
                                 (strchr(line->shard, '-') != NULL),
                             NULL, 10);
    int64_t *rows;

    if (strcmp(line->shard, bulk_part_name_of(layout, (int64_t)number).text) !=
            0 ||
        number > SIZE_MAX / 16)
        return oriel_fail(err, ORIEL_ERR_MODEL, "%s: no part is called %s",
                          ORIEL_QUOTE(layout->folder),
                          ORIEL_QUOTE(line->shard));
    if (number >= parts->n) {
        rows = reallocarray(parts->rows, number + 1, sizeof(*rows));
        if (!rows)
            return oriel_fail_memory(err, number, "the list of parts");
        memset(rows + parts->n, 0, (number + 1 - parts->n) * sizeof(*rows));
        parts->rows = rows;
        parts->n = number + 1;
    }
    parts->rows[number] += line->row_end - line->row_begin;
    return ORIEL_OK;
}

static oriel_status
check_parts(const part_rows *parts, const bulk_layout *layout, oriel_error *err)
{
    for (size_t i = 0; i < parts->n; i++) {
        bulk_part_name name = bulk_part_name_of(layout, (int64_t)i);
        bulk_part_reader *reader;
        int64_t rows = 0;
        oriel_status status =
            bulk_part_open(&reader, layout, layout->folder, name.text, err);

        if (!status)
            rows = bulk_part_reader_rows(reader);
        bulk_part_close(reader);
        if (status)
            return status;
        if (rows != parts->rows[i])
            return oriel_fail(
                err, ORIEL_ERR_MODEL,
                "%s/%s: has %" PRId64 " rows, but the manifest lists %" PRId64,
                ORIEL_QUOTE(layout->folder), name.text, rows, parts->rows[i]);
    }
    return ORIEL_OK;
}

static oriel_status
note_failed(bool **failed, size_t *capacity, int64_t ordinal, bool is_failed,
            oriel_error *err)
{
    if ((size_t)ordinal >= *capacity) {
        size_t larger = *capacity ? 2 * *capacity : 1024;
        bool *grown = realloc(*failed, larger);

        if (!grown)
            return oriel_fail_memory(err, larger, "the list of failures");
        *failed = grown;
        *capacity = larger;
    }
    (*failed)[ordinal] = is_failed;
    return ORIEL_OK;
}

oriel_status
bulk_verify(bulk_totals *totals, int64_t *n_parts, bool **failed,
            const bulk_layout *layout, oriel_error *err)
{
    bulk_manifest_reader *reader;
    part_rows parts = {NULL, 0};
    size_t capacity = 0;
    bulk_line line = {.json = NULL};
    oriel_status status = bulk_manifest_open(&reader, layout->folder, err);

    memset(totals, 0, sizeof(*totals));
    *failed = NULL;
    while (!status && !(status = bulk_manifest_next(reader, &line, err)) &&
           line.json) {
        status = note_failed(failed, &capacity, totals->inputs, !line.ok, err);
        bulk_totals_add(totals, &line);
        if (!status && line.ok)
            status = count_rows(&parts, layout, &line, err);
        json_decref(line.json);
    }
    if (!status)
        status = check_parts(&parts, layout, err);
    *n_parts = (int64_t)parts.n;
    bulk_manifest_close(reader);
    free(parts.rows);
    if (status == ORIEL_ERR_NOT_FOUND)
        status = err->status = ORIEL_ERR_MODEL;
    return status;
}

void
bulk_recovered_free(bulk_recovered *recovered)
{
    json_decref(recovered->ids);
    free(recovered->grids);
    free(recovered->ends);
    memset(recovered, 0, sizeof(*recovered));
}
