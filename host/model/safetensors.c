/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors.c - reading and checking the table of a safetensors file */
#include "model/safetensors.h"

#include "base/checked.h"
#include "base/fail.h"
#include "model/foreign_file.h"
#include "model/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_BYTES = 8 };

#define METADATA "__metadata__"

struct oriel_safetensors {
    oriel_hooks hooks;
    oriel_file *file;
    uint64_t data; /* offset of the first byte after the header */
    oriel_stored_tensor *tensors;
    const oriel_stored_tensor **by_name;
    size_t n_tensors;
    oriel_metadata_pair *pairs;
    size_t n_pairs;
    int64_t *shapes; /* of all tensors, one after another */
    char *text;      /* likewise their names, and the metadata */
};

/* ---- The header ------------------------------------------------------- */

/* Reads the header's text; no NUL follows it. */
static oriel_status
load_header(oriel_safetensors *table, char **text, size_t *bytes,
            oriel_error *err)
{
    const uint64_t total = oriel_file_bytes(table->file);
    const char *name = oriel_file_name(table->file);
    uint8_t prefix[LENGTH_BYTES];
    uint64_t length = 0;
    oriel_status status;

    if (total < LENGTH_BYTES)
        return oriel_foreign_fail(table->file, err,
                                  "%s: %" PRIu64
                                  " bytes, expected a safetensors file "
                                  "of at least 8",
                                  ORIEL_QUOTE(name), total);
    status = oriel_file_read(table->file, 0, prefix, sizeof(prefix), err);
    if (status)
        return status;
    for (int i = LENGTH_BYTES - 1; i >= 0; i--)
        length = length << 8 | prefix[i];
    if (length < 2 || length > ORIEL_SAFETENSORS_MAX_HEADER)
        return oriel_foreign_fail(table->file, err,
                                  "%s: header length %" PRIu64
                                  ", expected 2 to %u: not a safetensors file?",
                                  ORIEL_QUOTE(name), length,
                                  ORIEL_SAFETENSORS_MAX_HEADER);
    if (length > total - LENGTH_BYTES)
        return oriel_fail(err, ORIEL_ERR_MODEL,
                          "%s: truncated: header length %" PRIu64
                          ", expected at most the %" PRIu64
                          " bytes that follow",
                          ORIEL_QUOTE(name), length, total - LENGTH_BYTES);
    table->data = LENGTH_BYTES + length;
    *bytes = (size_t)length;
    *text = oriel_alloc(&table->hooks, *bytes);
    if (!*text)
        return oriel_fail_memory(err, *bytes, "a safetensors header");
    status = oriel_file_read(table->file, LENGTH_BYTES, *text, *bytes, err);
    if (!status && (*text)[0] != '{')
        status = oriel_fail(err, ORIEL_ERR_MODEL,
                            "%s: header: expected it to begin with '{'",
                            ORIEL_QUOTE(name));
    return status;
}

/* One tensor's entry, as it is being read: names it in every complaint. */
typedef struct entry {
    oriel_safetensors *table;
    const char *name;
    const json_t *fields;
    oriel_stored_tensor *tensor;
    oriel_error *err;
} entry;

static oriel_status
fail_entry(const entry *e, const char *what)
{
    return oriel_fail(e->err, ORIEL_ERR_MODEL, "%s: tensor %s: %s",
                      ORIEL_QUOTE(oriel_file_name(e->table->file)),
                      ORIEL_QUOTE(e->name), what);
}

/* A size of the file format: 0 .. 2^63 - 1. */
static bool
read_size(const json_t *value, int64_t *out)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *out = json_integer_value(value);
    return true;
}

static oriel_status
read_shape(const entry *e, int64_t *shape)
{
    const json_t *dims = json_object_get(e->fields, "shape");

    if (!json_is_array(dims))
        return fail_entry(e, "shape: expected an array of sizes");
    e->tensor->n_dims = (int32_t)json_array_size(dims);
    e->tensor->shape = shape;
    for (size_t i = 0; i < json_array_size(dims); i++)
        if (!read_size(json_array_get(dims, i), &shape[i]))
            return fail_entry(e, "shape: expected an array of sizes");
    return ORIEL_OK;
}

static oriel_status
read_offsets(const entry *e)
{
    const json_t *offsets = json_object_get(e->fields, "data_offsets");
    const uint64_t room = oriel_file_bytes(e->table->file) - e->table->data;
    char what[160];
    int64_t begin, end;

    if (json_array_size(offsets) != 2 ||
        !read_size(json_array_get(offsets, 0), &begin) ||
        !read_size(json_array_get(offsets, 1), &end))
        return fail_entry(e, "data_offsets: expected [begin, end]");
    if (begin > end || (uint64_t)end > room) {
        snprintf(what, sizeof(what),
                 "data_offsets [%" PRId64 ", %" PRId64
                 "]: expected begin <= end <= %" PRIu64
                 ", the bytes of data in the file",
                 begin, end, room);
        return fail_entry(e, what);
    }
    e->tensor->offset = e->table->data + (uint64_t)begin;
    e->tensor->bytes = (uint64_t)(end - begin);
    return ORIEL_OK;
}

/* Bytes that shape and dtype make; false if that is no size. */
static bool
bytes_by_shape(const oriel_stored_tensor *tensor, uint64_t *bytes)
{
    const int64_t bits = oriel_stored_bits(tensor->dtype);
    int64_t count = 1;

    for (int32_t i = 0; i < tensor->n_dims; i++)
        if (!oriel_mul_i64(&count, count, tensor->shape[i]))
            return false;
    if (!oriel_mul_i64(&count, count, bits) || count % 8 != 0)
        return false;
    *bytes = (uint64_t)count / 8;
    return true;
}

static oriel_status
check_bytes(const entry *e)
{
    const oriel_stored_tensor *tensor = e->tensor;
    char shape[ORIEL_SHAPE_TEXT];
    char what[256];
    uint64_t bytes;

    if (tensor->dtype == ORIEL_STORED_UNKNOWN)
        return ORIEL_OK;
    oriel_shape_text(shape, tensor->shape, tensor->n_dims);
    if (!bytes_by_shape(tensor, &bytes))
        snprintf(what, sizeof(what), "%s %s: expected whole bytes below 2^60",
                 tensor->dtype_name, shape);
    else if (bytes != tensor->bytes)
        snprintf(what, sizeof(what),
                 "data_offsets hold %" PRIu64 " bytes, expected %" PRIu64
                 " for %s %s",
                 tensor->bytes, bytes, tensor->dtype_name, shape);
    else
        return ORIEL_OK;
    return fail_entry(e, what);
}

/* ---- The table -------------------------------------------------------- */

typedef struct sizes {
    size_t text, dims, tensors, pairs;
} sizes;

/* What the table will need; the header's length bounds all of it. */
static oriel_status
measure(const oriel_safetensors *table, json_t *root, sizes *need,
        oriel_error *err)
{
    const char *name;
    const char *file = oriel_file_name(table->file);
    json_t *value;

    memset(need, 0, sizeof(*need));
    json_object_foreach(root, name, value)
    {
        const char *key;
        json_t *inner;

        if (!json_is_object(value))
            return oriel_fail(err, ORIEL_ERR_MODEL,
                              "%s: tensor %s: expected an object",
                              ORIEL_QUOTE(file), ORIEL_QUOTE(name));
        if (strcmp(name, METADATA) != 0) {
            const char *dtype =
                json_string_value(json_object_get(value, "dtype"));

            if (!dtype)
                return oriel_fail(err, ORIEL_ERR_MODEL,
                                  "%s: tensor %s: dtype: expected a string",
                                  ORIEL_QUOTE(file), ORIEL_QUOTE(name));
            need->tensors++;
            need->text += strlen(name) + strlen(dtype) + 2;
            need->dims += json_array_size(json_object_get(value, "shape"));
            continue;
        }
        json_object_foreach(value, key, inner)
        {
            if (!json_is_string(inner))
                return oriel_fail(err, ORIEL_ERR_MODEL,
                                  "%s: " METADATA ": %s: expected a string",
                                  ORIEL_QUOTE(file), ORIEL_QUOTE(key));
            need->pairs++;
            need->text += strlen(key) + strlen(json_string_value(inner)) + 2;
        }
    }
    return ORIEL_OK;
}

static oriel_status
allocate(oriel_safetensors *table, const sizes *need, oriel_error *err)
{
    table->tensors =
        oriel_calloc(&table->hooks, need->tensors, sizeof(*table->tensors));
    table->by_name = oriel_calloc(&table->hooks, need->tensors, sizeof(void *));
    table->pairs =
        oriel_calloc(&table->hooks, need->pairs, sizeof(*table->pairs));
    table->shapes =
        oriel_calloc(&table->hooks, need->dims, sizeof(*table->shapes));
    table->text = oriel_alloc(&table->hooks, need->text);
    if (!table->tensors || !table->by_name || !table->pairs || !table->shapes ||
        !table->text)
        return oriel_fail_memory(
            err, need->tensors * sizeof(*table->tensors) + need->text,
            "a table of tensors");
    return ORIEL_OK;
}

/* Append to the table's text; there is room. */
static const char *
keep(char **at, const char *text)
{
    const char *kept = *at;
    size_t bytes = strlen(text) + 1;

    memcpy(*at, text, bytes);
    *at += bytes;
    return kept;
}

static oriel_status
fill(oriel_safetensors *table, json_t *root, oriel_error *err)
{
    int64_t *shape = table->shapes;
    char *text = table->text;
    const char *name;
    json_t *value;

    json_object_foreach(root, name, value)
    {
        oriel_stored_tensor *tensor = &table->tensors[table->n_tensors];
        const entry e = {table, name, value, tensor, err};
        const char *key;
        json_t *inner;
        oriel_status status;

        if (strcmp(name, METADATA) == 0) {
            json_object_foreach(value, key, inner)
            {
                table->pairs[table->n_pairs].key = keep(&text, key);
                table->pairs[table->n_pairs].value =
                    keep(&text, json_string_value(inner));
                table->n_pairs++;
            }
            continue;
        }
        tensor->file = table->file;
        tensor->name = keep(&text, name);
        tensor->dtype_name =
            keep(&text, json_string_value(json_object_get(value, "dtype")));
        tensor->dtype = oriel_stored_named(tensor->dtype_name);
        status = read_shape(&e, shape);
        if (!status)
            status = read_offsets(&e);
        if (!status)
            status = check_bytes(&e);
        if (status)
            return status;
        shape += tensor->n_dims;
        table->n_tensors++;
    }
    return ORIEL_OK;
}

static int
compare_offsets(const void *a, const void *b)
{
    const oriel_stored_tensor *x = a;
    const oriel_stored_tensor *y = b;

    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int
compare_names(const void *a, const void *b)
{
    const oriel_stored_tensor *const *x = a;
    const oriel_stored_tensor *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

/* No hole, no overlap, no surplus. */
static oriel_status
check_layout(const oriel_safetensors *table, oriel_error *err)
{
    const char *file = oriel_file_name(table->file);
    uint64_t at = table->data;

    for (size_t i = 0; i < table->n_tensors; i++) {
        const oriel_stored_tensor *tensor = &table->tensors[i];

        if (tensor->offset != at)
            return oriel_fail(err, ORIEL_ERR_MODEL,
                              "%s: tensor %s: %s: data begins at %" PRIu64
                              ", expected %" PRIu64,
                              ORIEL_QUOTE(file), ORIEL_QUOTE(tensor->name),
                              tensor->offset < at ? "overlap" : "hole",
                              tensor->offset - table->data, at - table->data);
        at += tensor->bytes;
    }
    if (at != oriel_file_bytes(table->file))
        return oriel_fail(err, ORIEL_ERR_MODEL,
                          "%s: %" PRIu64 " bytes of data, expected %" PRIu64
                          ", the end of the last tensor",
                          ORIEL_QUOTE(file),
                          oriel_file_bytes(table->file) - table->data,
                          at - table->data);
    return ORIEL_OK;
}

static oriel_status
read_table(oriel_safetensors *table, oriel_error *err)
{
    char *header = NULL;
    json_t *root = NULL;
    size_t bytes = 0;
    sizes need;
    oriel_status status = load_header(table, &header, &bytes, err);

    if (!status)
        status = oriel_json_parse(&root, header, bytes,
                                  oriel_file_name(table->file), err);
    oriel_free(&table->hooks, header);
    if (!status)
        status = measure(table, root, &need, err);
    if (!status)
        status = allocate(table, &need, err);
    if (!status)
        status = fill(table, root, err);
    json_decref(root);
    if (status)
        return status;
    qsort(table->tensors, table->n_tensors, sizeof(*table->tensors),
          compare_offsets);
    for (size_t i = 0; i < table->n_tensors; i++)
        table->by_name[i] = &table->tensors[i];
    qsort(table->by_name, table->n_tensors, sizeof(void *), compare_names);
    return check_layout(table, err);
}

/* ---- Opening and asking ----------------------------------------------- */

/* Takes 'file' over, also when it fails. */
static oriel_status
open_file(oriel_safetensors **out, oriel_file *file, const oriel_hooks *hooks,
          oriel_error *err)
{
    oriel_safetensors *table = oriel_calloc(hooks, 1, sizeof(*table));
    oriel_status status;

    if (!table) {
        oriel_file_close(file);
        return oriel_fail_memory(err, sizeof(*table), "a safetensors file");
    }
    if (hooks)
        table->hooks = *hooks;
    table->file = file;
    status = read_table(table, err);
    if (status) {
        oriel_safetensors_close(table);
        return status;
    }
    *out = table;
    return ORIEL_OK;
}

oriel_status
oriel_safetensors_open(oriel_safetensors **out, const char *path,
                       const oriel_hooks *hooks, oriel_error *err)
{
    oriel_file *file;
    oriel_status status = oriel_file_open(&file, path, hooks, err);

    *out = NULL;
    return status ? status : open_file(out, file, hooks, err);
}

oriel_status
oriel_safetensors_open_memory(oriel_safetensors **out, const char *name,
                              const void *memory, size_t bytes,
                              const oriel_hooks *hooks, oriel_error *err)
{
    oriel_file *file;
    oriel_status status =
        oriel_file_wrap(&file, name, memory, bytes, hooks, err);

    *out = NULL;
    return status ? status : open_file(out, file, hooks, err);
}

const oriel_stored_tensor *
oriel_safetensors_tensors(const oriel_safetensors *table, size_t *n_tensors)
{
    *n_tensors = table->n_tensors;
    return table->tensors;
}

const oriel_stored_tensor *
oriel_safetensors_find(const oriel_safetensors *table, const char *name)
{
    size_t low = 0;
    size_t high = table->n_tensors;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, table->by_name[middle]->name);

        if (order == 0)
            return table->by_name[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const oriel_metadata_pair *
oriel_safetensors_metadata(const oriel_safetensors *table, size_t *n_pairs)
{
    *n_pairs = table->n_pairs;
    return table->pairs;
}

const oriel_file *
oriel_safetensors_file(const oriel_safetensors *table)
{
    return table->file;
}

void
oriel_safetensors_close(oriel_safetensors *table)
{
    if (!table)
        return;
    const oriel_hooks hooks = table->hooks;

    oriel_free(&hooks, table->tensors);
    oriel_free(&hooks, table->by_name);
    oriel_free(&hooks, table->pairs);
    oriel_free(&hooks, table->shapes);
    oriel_free(&hooks, table->text);
    oriel_file_close(table->file);
    oriel_free(&hooks, table);
}
