/* SPDX-License-Identifier: Apache-2.0 */
/* joined.c - complete runs of one model and options, read as one */
#include "bulk/joined.h"

#include "base/fail.h"
#include "bulk/dataset.h"
#include "model/safetensors.h"
#include "oriel.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

typedef struct run {
    const char *folder;
    int64_t parts, others;
    bulk_manifest_reader *manifest;
    bulk_line next; /* json NULL: there is none */
    bulk_part_reader *part;
    char *part_name; /* that 'part' is open on */
} run;

struct bulk_joined {
    bulk_layout layout;
    json_t *head, *metadata;
    bool shares; /* the runs are jobs of one list */
    run *runs;
    size_t n;
    int64_t last; /* index; -1: none yet */
};

const json_t *
bulk_joined_run(const bulk_joined *joined)
{
    return joined->head;
}

const bulk_layout *
bulk_joined_layout(const bulk_joined *joined)
{
    return &joined->layout;
}

int64_t
bulk_joined_parts(const bulk_joined *joined, size_t i)
{
    return joined->runs[i].parts;
}

const char *
bulk_joined_folder(const bulk_joined *joined, size_t i)
{
    return joined->runs[i].folder;
}

int64_t
bulk_joined_others(const bulk_joined *joined)
{
    int64_t sum = 0, most = 0;

    for (size_t i = 0; i < joined->n; i++) {
        const int64_t others = joined->runs[i].others;

        sum += others;
        most = others > most ? others : most;
    }
    return joined->shares ? most : sum;
}

/* ---- Opening ---------------------------------------------------------------- */

static int64_t
number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static const char *
text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));

    return value ? value : "";
}

/* What is in run.json of every job alike, and what is its own. */
static oriel_status
take_run(bulk_joined *joined, run *own, json_t *loaded, oriel_error *err)
{
    json_t *options = json_object_get(loaded, "options");
    const json_t *totals = json_object_get(loaded, "totals");
    bulk_difference at;

    if (strcmp(text(loaded, "state"), "complete") != 0)
        return oriel_fail(err, ORIEL_ERR_INPUT,
                          "%s: is not complete: its job goes on with --resume",
                          ORIEL_QUOTE(own->folder));
    own->parts = number(totals, "parts");
    own->others = number(totals, "other_files");
    joined->shares =
        joined->shares || json_integer_value(json_array_get(
                              json_object_get(options, "shard"), 1)) > 1;
    json_object_del(loaded, "state");
    json_object_del(loaded, "totals");
    if (!json_is_object(options))
        return oriel_fail(err, ORIEL_ERR_INPUT,
                          "%s: its run.json has no options",
                          ORIEL_QUOTE(own->folder));
    if (json_object_set_new(options, "shard", json_pack("[i, i]", 0, 1)) != 0)
        return oriel_fail_memory(err, sizeof(json_t), "run.json");
    if (!joined->head) {
        joined->head = json_incref(loaded);
        return ORIEL_OK;
    }
    at = bulk_run_compare(joined->head, loaded);
    if (!*at.text)
        return ORIEL_OK;
    return oriel_fail(
        err, ORIEL_ERR_INPUT, "%s: was made with another %s than %s",
        ORIEL_QUOTE(own->folder), at.text, ORIEL_QUOTE(joined->runs[0].folder));
}

static oriel_status
take_layout(bulk_joined *joined, oriel_error *err)
{
    const json_t *options = json_object_get(joined->head, "options");
    const char *dtype = text(options, "dtype");
    bulk_layout *layout = &joined->layout;

    layout->dtype = strcmp(dtype, "f32") == 0   ? ORIEL_DTYPE_F32
                    : strcmp(dtype, "f16") == 0 ? ORIEL_DTYPE_F16
                                                : ORIEL_DTYPE_BF16;
    layout->columns = number(options, "columns");
    layout->npy = strcmp(text(options, "part_format"), "npy") == 0;
    layout->part_bytes = number(options, "shard_bytes");
    layout->metadata = joined->metadata;
    if (layout->columns < 1 || layout->columns > INT32_MAX ||
        layout->part_bytes < 1)
        return oriel_fail(err, ORIEL_ERR_INPUT,
                          "%s: its run.json has no columns or shard_bytes",
                          ORIEL_QUOTE(joined->runs[0].folder));
    return ORIEL_OK;
}

/* Metadata of the first part that there is, which is that of all but for ids. */
static oriel_status
take_metadata(bulk_joined *joined, oriel_error *err)
{
    oriel_safetensors *table = NULL;
    oriel_status status = ORIEL_OK;

    for (size_t i = 0; i < joined->n && !joined->layout.npy; i++) {
        const bulk_part_name name = bulk_part_name_of(&joined->layout, 0);
        const oriel_metadata_pair *pairs;
        char *path;
        size_t n;

        if (joined->runs[i].parts == 0)
            continue;
        path = bulk_path(joined->runs[i].folder, name.text);
        if (!path)
            return oriel_fail_memory(err, 1, "a path");
        status = oriel_safetensors_open(&table, path, NULL, err);
        free(path);
        if (status)
            return status;
        pairs = oriel_safetensors_metadata(table, &n);
        for (size_t k = 0; k < n; k++)
            if (strcmp(pairs[k].key, "ids") != 0 &&
                json_object_set_new(joined->metadata, pairs[k].key,
                                    json_string(pairs[k].value)) != 0)
                status = oriel_fail_memory(err, 1, "metadata");
        oriel_safetensors_close(table);
        return status;
    }
    return status;
}

static oriel_status
open_run(bulk_joined *joined, run *own, oriel_error *err)
{
    json_t *loaded;
    oriel_status status = bulk_run_load(&loaded, own->folder, err);

    if (!status)
        status = take_run(joined, own, loaded, err);
    json_decref(loaded);
    if (!status)
        status = bulk_manifest_open(&own->manifest, own->folder, err);
    if (!status)
        status = bulk_manifest_next(own->manifest, &own->next, err);
    return status;
}

/* Each job has a manifest and a part open. */
static void
raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

oriel_status
bulk_joined_open(bulk_joined **out, char **folders, size_t n, oriel_error *err)
{
    bulk_joined *joined = calloc(1, sizeof(*joined));
    oriel_status status = ORIEL_OK;

    *out = NULL;
    if (joined) {
        joined->last = -1;
        joined->metadata = json_object();
        joined->runs = calloc(n + 1, sizeof(*joined->runs));
    }
    if (!joined || !joined->metadata || !joined->runs) {
        bulk_joined_close(joined);
        return oriel_fail_memory(err, n * sizeof(run), "the folders");
    }
    joined->n = n;
    raise_file_limit();
    for (size_t i = 0; i < n && !status; i++) {
        joined->runs[i].folder = folders[i];
        status = open_run(joined, &joined->runs[i], err);
    }
    if (!status)
        status = take_layout(joined, err);
    if (!status)
        status = take_metadata(joined, err);
    if (status) {
        bulk_joined_close(joined);
        return status;
    }
    *out = joined;
    return oriel_ok(err);
}

/* ---- Lines and rows ----------------------------------------------------------- */

oriel_status
bulk_joined_next(bulk_joined *joined, bulk_line *line, size_t *which,
                 oriel_error *err)
{
    run *least = NULL;

    memset(line, 0, sizeof(*line));
    for (size_t i = 0; i < joined->n; i++)
        if (joined->runs[i].next.json &&
            (!least || joined->runs[i].next.index < least->next.index)) {
            least = &joined->runs[i];
            *which = i;
        }
    if (!least)
        return oriel_ok(err);
    if (least->next.index <= joined->last)
        return oriel_fail(err, ORIEL_ERR_INPUT,
                          "%s: index %" PRId64
                          " is there twice, or out of order",
                          ORIEL_QUOTE(least->folder), least->next.index);
    *line = least->next;
    joined->last = line->index;
    return bulk_manifest_next(least->manifest, &least->next, err);
}

oriel_status
bulk_joined_read(bulk_joined *joined, size_t which, const bulk_line *line,
                 void **rows, oriel_error *err)
{
    run *own = &joined->runs[which];
    const int64_t n = line->row_end - line->row_begin;
    const size_t bytes = (size_t)n * bulk_row_bytes(&joined->layout);
    oriel_status status = ORIEL_OK;

    *rows = NULL;
    if (!own->part_name || strcmp(own->part_name, line->shard) != 0) {
        bulk_part_close(own->part);
        free(own->part_name);
        own->part = NULL;
        own->part_name = strdup(line->shard);
        status = own->part_name ? bulk_part_open(&own->part, &joined->layout,
                                                 own->folder, line->shard, err)
                                : oriel_fail_memory(err, 1, "a name");
    }
    if (status || !own->part)
        return status;
    if (line->row_end > bulk_part_reader_rows(own->part))
        return oriel_fail(err, ORIEL_ERR_MODEL,
                          "%s/%s: has no row %" PRId64
                          ", which its manifest names",
                          ORIEL_QUOTE(own->folder), ORIEL_QUOTE(line->shard),
                          line->row_end - 1);
    *rows = malloc(bytes);
    if (!*rows)
        return oriel_fail_memory(err, bytes, "rows");
    status = bulk_part_read(own->part, line->row_begin, *rows, n, err);
    if (status) {
        free(*rows);
        *rows = NULL;
    }
    return status;
}

void
bulk_joined_close(bulk_joined *joined)
{
    if (!joined)
        return;
    for (size_t i = 0; i < joined->n; i++) {
        bulk_manifest_close(joined->runs[i].manifest);
        json_decref(joined->runs[i].next.json);
        bulk_part_close(joined->runs[i].part);
        free(joined->runs[i].part_name);
    }
    free(joined->runs);
    json_decref(joined->head);
    json_decref(joined->metadata);
    free(joined);
}
