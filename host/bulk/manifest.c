/* SPDX-License-Identifier: Apache-2.0 */
/* manifest.c - manifest.jsonl, one line an input, in the order of the inputs */
#include "bulk/manifest.h"

#include "base/fail.h"
#include "bulk/json_line.h"
#include "cli/settings.h"
#include "files/json_text.h"
#include "files/whole_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bulk_manifest_reader {
    FILE *stream;
    char *path, *text;
    size_t room;
    int64_t place, number;
};

static oriel_status
fail_errno(const bulk_manifest_reader *reader, oriel_error *err)
{
    int cause = errno;

    return oriel_fail_cause(err,
                            cause == ENOENT
                                ? ORIEL_ERR_NOT_FOUND
                                : oriel_errno_status(cause, ORIEL_ERR_IO),
                            cause, "%s: cannot be read: %s",
                            ORIEL_QUOTE(reader->path), strerror(cause));
}

oriel_status
bulk_manifest_open(bulk_manifest_reader **out, const char *folder,
                   oriel_error *err)
{
    bulk_manifest_reader *reader = calloc(1, sizeof(*reader));

    *out = NULL;
    if (reader)
        reader->path = bulk_path(folder, BULK_MANIFEST);
    if (!reader || !reader->path) {
        bulk_manifest_close(reader);
        return oriel_fail_memory(err, sizeof(*reader), "the manifest");
    }
    reader->stream = fopen(reader->path, "re");
    if (!reader->stream) {
        oriel_status status = fail_errno(reader, err);

        bulk_manifest_close(reader);
        return status;
    }
    *out = reader;
    return oriel_ok(err);
}

static bool
get_integer(const json_t *json, const char *key, int64_t *value)
{
    const json_t *member = json_object_get(json, key);

    *value = json_integer_value(member);
    return json_is_integer(member) && *value >= 0;
}

static bool
get_grid(const json_t *json, int64_t grid[3])
{
    const json_t *list = json_object_get(json, "grid_thw");

    for (size_t i = 0; i < 3; i++)
        grid[i] = json_integer_value(json_array_get(list, i));
    return json_array_size(list) == 3;
}

static bool
parse(bulk_line *line)
{
    const json_t *json = line->json;
    const char *status = json_string_value(json_object_get(json, "status"));

    line->source = json_string_value(json_object_get(json, "source"));
    line->reason = json_string_value(json_object_get(json, "reason"));
    line->shard = json_string_value(json_object_get(json, "shard"));
    line->ok = status && strcmp(status, "ok") == 0;
    if (!status || !line->source ||
        !json_is_string(json_object_get(json, "id")) ||
        !get_integer(json, "index", &line->index))
        return false;
    if (!line->ok)
        return line->reason != NULL;
    return line->shard && get_integer(json, "tokens", &line->tokens) &&
           get_integer(json, "row_begin", &line->row_begin) &&
           get_integer(json, "row_end", &line->row_end) &&
           get_integer(json, "flops", &line->flops) &&
           line->row_begin <= line->row_end && get_grid(json, line->grid);
}

oriel_status
bulk_manifest_next(bulk_manifest_reader *reader, bulk_line *line,
                   oriel_error *err)
{
    ssize_t n;

    memset(line, 0, sizeof(*line));
    errno = 0;
    n = getline(&reader->text, &reader->room, reader->stream);
    if (n < 0 && (errno == ENOMEM || ferror(reader->stream)))
        return fail_errno(reader, err);
    if (n < 0)
        return oriel_ok(err);
    reader->number++;
    if (reader->text[n - 1] == '\n' &&
        bulk_json_parse(&line->json, reader->text, (size_t)n - 1, 0, err))
        return err->status;
    if (line->json && parse(line)) {
        reader->place += n;
        return oriel_ok(err);
    }
    json_decref(line->json);
    line->json = NULL;
    return oriel_fail(err, ORIEL_ERR_MODEL,
                      "%s: line %" PRId64 " is no line of a manifest",
                      ORIEL_QUOTE(reader->path), reader->number);
}

int64_t
bulk_manifest_place(const bulk_manifest_reader *reader)
{
    return reader->place;
}

void
bulk_manifest_close(bulk_manifest_reader *reader)
{
    if (!reader)
        return;
    if (reader->stream)
        fclose(reader->stream);
    free(reader->path);
    free(reader->text);
    free(reader);
}

void
bulk_totals_add(bulk_totals *totals, const bulk_line *line)
{
    totals->inputs++;
    totals->failed += !line->ok;
    totals->tokens += line->tokens;
    totals->rows += line->row_end - line->row_begin;
    if (__builtin_add_overflow(totals->flops, line->flops, &totals->flops))
        totals->flops = INT64_MAX;
}

char *
bulk_line_text(const json_t *line)
{
    char *text = oriel_json_text(line, JSON_COMPACT | JSON_PRESERVE_ORDER);
    size_t n = text ? strlen(text) : 0;
    char *longer = text ? realloc(text, n + 2) : NULL;

    if (!longer) {
        free(text);
        return NULL;
    }
    memcpy(longer + n, "\n", 2);
    return longer;
}

/* ---- A file that is made of the manifest ------------------------------------ */

oriel_status
bulk_manifest_rewrite(const char *folder, const char *name,
                      bulk_manifest_edit *edit, void *context, oriel_error *err)
{
    char *path = bulk_path(folder, name), *text;
    bulk_manifest_reader *reader = NULL;
    oriel_whole_file *file = NULL;
    uint64_t at = 0;
    bulk_line line;
    oriel_status status =
        path ? bulk_manifest_open(&reader, folder, err)
             : oriel_fail_memory(err, strlen(folder), "a path");

    if (!status)
        status = oriel_whole_file_create(&file, path, true, 0,
                                         &cli_output_hooks, err);
    while (!status && reader &&
           !(status = bulk_manifest_next(reader, &line, err)) && line.json) {
        status = edit(context, &line, &text, err);
        json_decref(line.json);
        if (status || !text)
            continue;
        status = oriel_whole_file_write(file, at, text, strlen(text), err);
        at += strlen(text);
        free(text);
    }
    if (!status) {
        status = oriel_whole_file_commit(file, at, err);
        file = NULL;
    }
    oriel_whole_file_abort(file);
    bulk_manifest_close(reader);
    free(path);
    return status;
}

static oriel_status
keep_failed(void *context, const bulk_line *line, char **text, oriel_error *err)
{
    (void)context;
    *text = line->ok ? NULL : bulk_line_text(line->json);
    return line->ok || *text ? ORIEL_OK
                             : oriel_fail_memory(err, sizeof(**text), "a line");
}

oriel_status
bulk_manifest_list_failed(const char *folder, oriel_error *err)
{
    return bulk_manifest_rewrite(folder, BULK_FAILED, keep_failed, NULL, err);
}
