/* SPDX-License-Identifier: Apache-2.0 */
/* part.c - one part of a dataset: part-00000.safetensors or part-00000.npy */
#include "bulk/part.h"

#include "base/fail.h"
#include "cli/settings.h"
#include "cli/text.h"
#include "files/json_text.h"
#include "files/safetensors_writer.h"
#include "files/whole_file.h"
#include "model/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/*
 * Room for a header is set aside before it is known, so it follows from the
 * layout alone; a part whose ids fill it ends early.
 */
#define ROOM_LEAST ((uint64_t)64 << 10)
#define ROOM_MOST ((uint64_t)8 << 20)
#define ROOM_SHARE 512   /* of part_bytes */
#define TABLE_BYTES 1024 /* the tensors, and commas */
#define NPY_HEADER_BYTES ((size_t)128)

struct bulk_part {
    const bulk_layout *layout;
    bulk_part_name name;
    oriel_writer *writer;   /* or */
    oriel_whole_file *file; /* of an npy part */
    json_t *ids;
    int64_t *offsets, *grids; /* [n + 1], [n, 3] */
    size_t n, capacity;
    uint64_t ids_room, ids_bytes;
};

static const char *
dtype_name(const bulk_layout *layout)
{
    return layout->dtype == ORIEL_DTYPE_F32   ? "F32"
           : layout->dtype == ORIEL_DTYPE_F16 ? "F16"
                                              : "BF16";
}

bulk_part_name
bulk_part_name_of(const bulk_layout *layout, int64_t number)
{
    bulk_part_name name;

    snprintf(name.text, sizeof(name.text), "part-%05" PRId64 ".%s", number,
             layout->npy ? "npy" : "safetensors");
    return name;
}

char *
bulk_path(const char *folder, const char *name)
{
    char *path = malloc(strlen(folder) + strlen(name) + 2);

    if (path)
        sprintf(path, "%s/%s", folder, name);
    return path;
}

size_t
bulk_row_bytes(const bulk_layout *layout)
{
    return (size_t)layout->columns * (layout->dtype == ORIEL_DTYPE_F32 ? 4 : 2);
}

/* What a string takes inside JSON that is itself a JSON string. */
static uint64_t
metadata_bytes(const bulk_layout *layout)
{
    const char *key;
    json_t *value;
    uint64_t bytes = 0;

    json_object_foreach((json_t *)layout->metadata, key, value) bytes +=
        strlen(key) + 8 + cli_text_name_bound(json_string_value(value));
    return bytes;
}

oriel_status
bulk_part_create(bulk_part **out, const bulk_layout *layout, int64_t number,
                 oriel_error *err)
{
    oriel_writer_options options = {.replace = true,
                                    .hooks = &cli_output_hooks};
    bulk_part *part = calloc(1, sizeof(*part));
    uint64_t room = (uint64_t)layout->part_bytes / ROOM_SHARE;
    char *path = NULL;
    oriel_status status;

    *out = NULL;
    if (part) {
        part->layout = layout;
        part->name = bulk_part_name_of(layout, number);
        part->ids = json_array();
        part->offsets = calloc(1, sizeof(*part->offsets));
        path = bulk_path(layout->folder, part->name.text);
    }
    if (!part || !part->ids || !part->offsets || !path) {
        free(path);
        bulk_part_abort(part);
        return oriel_fail_memory(err, sizeof(*part), "a part");
    }
    room = room < ROOM_LEAST ? ROOM_LEAST : room > ROOM_MOST ? ROOM_MOST : room;
    part->ids_room = room;
    options.header_bytes = room + TABLE_BYTES + metadata_bytes(layout);
    status = layout->npy
                 ? oriel_whole_file_create(&part->file, path, true, 0,
                                           &cli_output_hooks, err)
                 : oriel_writer_create(&part->writer, path, &options, err);
    free(path);
    if (status) {
        bulk_part_abort(part);
        return status;
    }
    *out = part;
    return ORIEL_OK;
}

static uint64_t
id_bytes(const char *id)
{
    return cli_text_name_bound(id) + 8;
}

int64_t
bulk_part_rows(const bulk_part *part)
{
    return part->offsets[part->n];
}

bool
bulk_part_fits(const bulk_part *part, const char *id, int64_t rows)
{
    const int64_t most =
        part->layout->part_bytes / (int64_t)bulk_row_bytes(part->layout);

    if (part->n == 0)
        return true;
    return rows <= most && bulk_part_rows(part) <= most - rows &&
           part->ids_bytes + id_bytes(id) <= part->ids_room;
}

static bool
reserve(bulk_part *part)
{
    size_t capacity = part->capacity ? 2 * part->capacity : 64;
    int64_t *grids, *offsets;

    if (part->n < part->capacity)
        return true;
    grids = reallocarray(part->grids, capacity, 3 * sizeof(*grids));
    if (grids)
        part->grids = grids;
    offsets = reallocarray(part->offsets, capacity + 1, sizeof(*offsets));
    if (offsets)
        part->offsets = offsets;
    if (grids && offsets)
        part->capacity = capacity;
    return grids && offsets;
}

static oriel_status
write_rows(bulk_part *part, int64_t first, const void *rows, int64_t n_rows,
           oriel_error *err)
{
    const size_t row = bulk_row_bytes(part->layout);
    const uint64_t at = (uint64_t)first * row;

    return part->writer
               ? oriel_writer_write(part->writer, at, rows,
                                    (size_t)n_rows * row, err)
               : oriel_whole_file_write(part->file, NPY_HEADER_BYTES + at, rows,
                                        (size_t)n_rows * row, err);
}

/* Room for one more in the tables, and its id in theirs. */
static oriel_status
take_id(bulk_part *part, json_t *id, oriel_error *err)
{
    if (!reserve(part) || json_array_append(part->ids, id) != 0)
        return oriel_fail_memory(err, sizeof(json_t), "a part's table");
    return ORIEL_OK;
}

static oriel_status
count_one(bulk_part *part, const int64_t grid[3], int64_t n_rows,
          oriel_error *err)
{
    const json_t *id = json_array_get(part->ids, part->n);

    memcpy(part->grids + 3 * part->n, grid, 3 * sizeof(*grid));
    part->offsets[part->n + 1] = part->offsets[part->n] + n_rows;
    part->n++;
    part->ids_bytes += id_bytes(json_string_value(id));
    return oriel_ok(err);
}

oriel_status
bulk_part_list(bulk_part *part, json_t *id, const int64_t grid[3],
               int64_t n_rows, oriel_error *err)
{
    oriel_status status = take_id(part, id, err);

    return status ? status : count_one(part, grid, n_rows, err);
}

/* A part is closed although its last input failed: what it holds and what its
   tables tell stay the same. */
oriel_status
bulk_part_add(bulk_part *part, json_t *id, const int64_t grid[3],
              const void *rows, int64_t n_rows, oriel_error *err)
{
    oriel_status status = take_id(part, id, err);

    if (status)
        return status;
    status = write_rows(part, bulk_part_rows(part), rows, n_rows, err);
    if (!status)
        return count_one(part, grid, n_rows, err);
    json_array_remove(part->ids, part->n);
    return status;
}

oriel_status
bulk_part_copy(bulk_part *part, int64_t rows, oriel_error *err)
{
    const size_t row = bulk_row_bytes(part->layout);
    const int64_t at_once = (int64_t)(((size_t)8 << 20) / row) + 1;
    bulk_part_reader *reader;
    char *block = malloc((size_t)at_once * row);
    oriel_status status = bulk_part_open(
        &reader, part->layout, part->layout->folder, part->name.text, err);

    if (!status && !block)
        status = oriel_fail_memory(err, (size_t)at_once * row, "rows");
    for (int64_t at = 0; reader && block && !status && at < rows;
         at += at_once) {
        const int64_t n = rows - at < at_once ? rows - at : at_once;

        status = bulk_part_read(reader, at, block, n, err);
        if (!status)
            status = write_rows(part, at, block, n, err);
    }
    bulk_part_close(reader);
    free(block);
    return status;
}

/* ---- Commit -------------------------------------------------------------- */

static oriel_status
write_tables(bulk_part *part, oriel_error *err)
{
    const uint64_t row = bulk_row_bytes(part->layout);
    const uint64_t at = (uint64_t)bulk_part_rows(part) * row;
    const size_t offsets = (part->n + 1) * sizeof(int64_t);
    oriel_status status =
        oriel_writer_write(part->writer, at, part->offsets, offsets, err);

    if (!status)
        status = oriel_writer_write(part->writer, at + offsets, part->grids,
                                    part->n * 3 * sizeof(int64_t), err);
    return status;
}

static oriel_status
finish_safetensors(bulk_part *part, const char *ids, oriel_error *err)
{
    const int64_t n = (int64_t)part->n;
    const json_t *metadata = part->layout->metadata;
    const oriel_writer_tensor tensors[] = {
        {"embeddings",
         dtype_name(part->layout),
         2,
         {bulk_part_rows(part), part->layout->columns}},
        {"offsets", "I64", 1, {n + 1}},
        {"image_grid_thw", "I64", 2, {n, 3}},
    };
    oriel_writer_entry *entries =
        calloc(json_object_size(metadata) + 1, sizeof(*entries));
    oriel_writer_header header = {.tensors = tensors, .n_tensors = 3};
    oriel_status status;
    const char *key;
    json_t *value;

    if (!entries)
        return oriel_fail_memory(err, sizeof(*entries), "a part's header");
    json_object_foreach((json_t *)metadata, key, value)
        entries[header.n_metadata++] =
            (oriel_writer_entry){key, json_string_value(value)};
    entries[header.n_metadata++] = (oriel_writer_entry){"ids", ids};
    header.metadata = entries;
    status = write_tables(part, err);
    if (!status) {
        status = oriel_writer_finish(part->writer, &header, err);
        part->writer = NULL;
    }
    free(entries);
    return status;
}

static oriel_status
finish_npy(bulk_part *part, oriel_error *err)
{
    static const char magic[10] = {'\x93', 'N', 'U', 'M',  'P',
                                   'Y',    1,   0,   0x76, 0};
    char header[NPY_HEADER_BYTES + 1];
    oriel_status status;
    size_t n;

    memset(header, ' ', sizeof(header));
    memcpy(header, magic, sizeof(magic));
    n = (size_t)snprintf(header + 10, NPY_HEADER_BYTES - 10,
                         "{'descr': '<f%d', 'fortran_order': False, 'shape': "
                         "(%" PRId64 ", %" PRId64 "), }",
                         part->layout->dtype == ORIEL_DTYPE_F32 ? 4 : 2,
                         bulk_part_rows(part), part->layout->columns);
    header[10 + n] = ' ';
    header[NPY_HEADER_BYTES - 1] = '\n';
    status =
        oriel_whole_file_write(part->file, 0, header, NPY_HEADER_BYTES, err);
    if (!status) {
        status = oriel_whole_file_commit(part->file,
                                         NPY_HEADER_BYTES +
                                             (uint64_t)bulk_part_rows(part) *
                                                 bulk_row_bytes(part->layout),
                                         err);
        part->file = NULL;
    }
    return status;
}

oriel_status
bulk_part_commit(bulk_part *part, oriel_error *err)
{
    char *ids = oriel_json_text(part->ids, JSON_COMPACT);
    oriel_status status;

    if (!ids)
        status = oriel_fail_memory(err, part->ids_bytes, "a part's ids");
    else
        status = part->layout->npy ? finish_npy(part, err)
                                   : finish_safetensors(part, ids, err);
    free(ids);
    bulk_part_abort(part);
    return status;
}

void
bulk_part_abort(bulk_part *part)
{
    if (!part)
        return;
    oriel_writer_abort(part->writer);
    oriel_whole_file_abort(part->file);
    json_decref(part->ids);
    free(part->offsets);
    free(part->grids);
    free(part);
}

/* ---- Reading ------------------------------------------------------------- */

struct bulk_part_reader {
    size_t row_bytes;
    int64_t rows;
    oriel_safetensors *table;
    const oriel_stored_tensor *tensor;
    oriel_file *file; /* of an npy part */
};

static oriel_status
open_npy(bulk_part_reader *reader, const char *path, oriel_error *err)
{
    oriel_status status = oriel_file_open(&reader->file, path, NULL, err);
    uint64_t bytes;

    if (status)
        return status;
    bytes = oriel_file_bytes(reader->file);
    if (bytes < NPY_HEADER_BYTES ||
        (bytes - NPY_HEADER_BYTES) % reader->row_bytes != 0)
        return oriel_fail(err, ORIEL_ERR_MODEL,
                          "%s: %" PRIu64 " bytes, expected whole rows",
                          ORIEL_QUOTE(path), bytes);
    reader->rows = (int64_t)((bytes - NPY_HEADER_BYTES) / reader->row_bytes);
    return ORIEL_OK;
}

static oriel_status
open_safetensors(bulk_part_reader *reader, const bulk_layout *layout,
                 const char *path, oriel_error *err)
{
    oriel_status status =
        oriel_safetensors_open(&reader->table, path, NULL, err);
    const oriel_stored_tensor *t;

    if (status)
        return status;
    t = oriel_safetensors_find(reader->table, "embeddings");
    if (!t || t->n_dims != 2 || t->shape[1] != layout->columns ||
        strcmp(t->dtype_name, dtype_name(layout)) != 0)
        return oriel_fail(err, ORIEL_ERR_MODEL,
                          "%s: expected embeddings %s [rows, %" PRId64 "]",
                          ORIEL_QUOTE(path), dtype_name(layout),
                          layout->columns);
    reader->tensor = t;
    reader->rows = t->shape[0];
    return ORIEL_OK;
}

oriel_status
bulk_part_open(bulk_part_reader **out, const bulk_layout *layout,
               const char *folder, const char *name, oriel_error *err)
{
    bulk_part_reader *reader = calloc(1, sizeof(*reader));
    char *path = bulk_path(folder, name);
    oriel_status status;

    *out = NULL;
    if (!reader || !path) {
        free(reader);
        free(path);
        return oriel_fail_memory(err, sizeof(*reader), "a part");
    }
    reader->row_bytes = bulk_row_bytes(layout);
    status = layout->npy ? open_npy(reader, path, err)
                         : open_safetensors(reader, layout, path, err);
    free(path);
    if (status) {
        bulk_part_close(reader);
        return status;
    }
    *out = reader;
    return oriel_ok(err);
}

int64_t
bulk_part_reader_rows(const bulk_part_reader *reader)
{
    return reader->rows;
}

oriel_status
bulk_part_read(const bulk_part_reader *reader, int64_t first, void *rows,
               int64_t n_rows, oriel_error *err)
{
    const uint64_t at = (uint64_t)first * reader->row_bytes;
    const size_t bytes = (size_t)n_rows * reader->row_bytes;

    return reader->tensor
               ? oriel_stored_read(reader->tensor, at, rows, bytes, err)
               : oriel_file_read(reader->file, NPY_HEADER_BYTES + at, rows,
                                 bytes, err);
}

void
bulk_part_close(bulk_part_reader *reader)
{
    if (!reader)
        return;
    oriel_safetensors_close(reader->table);
    oriel_file_close(reader->file);
    free(reader);
}
