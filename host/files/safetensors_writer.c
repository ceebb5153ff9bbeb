/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors_writer.c - safetensors files, written whole or not at all */
#include "files/safetensors_writer.h"

#include "base/checked.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "files/json_text.h"
#include "files/whole_file.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH_BYTES 8 /* the header's own length stands before it */

struct oriel_writer {
    const oriel_hooks *hooks;
    oriel_whole_file *file;
    uint64_t header_bytes;
    _Atomic uint64_t data_bytes; /* written so far */
};

static const struct {
    const char *name;
    int64_t bytes;
} dtypes[] = {
    {"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"I64", 8},
    {"I32", 4}, {"I16", 2}, {"I8", 1},  {"U8", 1},   {"BOOL", 1},
};

oriel_status
oriel_writer_tensor_bytes(const oriel_writer_tensor *tensor, uint64_t *bytes,
                          oriel_error *err)
{
    int64_t product = 0;

    for (size_t i = 0; i < sizeof(dtypes) / sizeof(dtypes[0]); i++)
        if (strcmp(tensor->dtype, dtypes[i].name) == 0)
            product = dtypes[i].bytes;
    if (product == 0)
        return oriel_fail(
            err, ORIEL_ERR_ARGUMENT, "tensor %s: no such dtype as %s",
            ORIEL_QUOTE(tensor->name), ORIEL_QUOTE(tensor->dtype));
    if (tensor->rank < 0 || tensor->rank > ORIEL_WRITER_MAX_RANK)
        return oriel_fail(
            err, ORIEL_ERR_ARGUMENT, "tensor %s: rank %d, expected 0 to %d",
            ORIEL_QUOTE(tensor->name), tensor->rank, ORIEL_WRITER_MAX_RANK);
    for (int32_t d = 0; d < tensor->rank; d++)
        if (tensor->shape[d] < 0 ||
            !oriel_mul_i64(&product, product, tensor->shape[d]))
            return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                              "tensor %s: its size overflows",
                              ORIEL_QUOTE(tensor->name));
    *bytes = (uint64_t)product;
    return oriel_ok(err);
}

/* Add to 'root', taking over the reference to 'value', NULL or not. */
static oriel_status
add_new(json_t *root, const char *key, json_t *value, oriel_error *err)
{
    if (!oriel_utf8_is_valid(key, strlen(key))) {
        json_decref(value);
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "header entry %s: its name is not UTF-8",
                          ORIEL_QUOTE(key));
    }
    if (!value || json_object_set_new(root, key, value) != 0)
        return oriel_fail_memory(err, 0, "a safetensors header");
    return oriel_ok(err);
}

/* One string of the metadata. */
static oriel_status
add_entry(json_t *entries, const oriel_writer_entry *entry, oriel_error *err)
{
    if (!oriel_utf8_is_valid(entry->value, strlen(entry->value)))
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "header entry %s: its value is not UTF-8",
                          ORIEL_QUOTE(entry->key));
    return add_new(entries, entry->key, json_string(entry->value), err);
}

static oriel_status
add_metadata(json_t *root, const oriel_writer_header *header, oriel_error *err)
{
    json_t *entries;
    oriel_status status;

    if (header->n_metadata == 0)
        return oriel_ok(err);
    entries = json_object();
    status = add_new(root, "__metadata__", entries, err);
    for (size_t i = 0; !status && i < header->n_metadata; i++)
        status = add_entry(entries, &header->metadata[i], err);
    return status;
}

static oriel_status
add_tensor(json_t *root, const oriel_writer_tensor *tensor, uint64_t begin,
           uint64_t *end, oriel_error *err)
{
    uint64_t bytes;
    json_t *shape, *entry;
    oriel_status status = oriel_writer_tensor_bytes(tensor, &bytes, err);

    if (status)
        return status;
    if (bytes > INT64_MAX - begin)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "tensor %s: ends beyond the largest file",
                          ORIEL_QUOTE(tensor->name));
    if (json_object_get(root, tensor->name) ||
        strcmp(tensor->name, "__metadata__") == 0)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "tensor %s: the name is taken",
                          ORIEL_QUOTE(tensor->name));
    *end = begin + bytes;
    shape = json_array();
    for (int32_t d = 0; shape && d < tensor->rank; d++)
        if (json_array_append_new(shape, json_integer(tensor->shape[d])) != 0) {
            json_decref(shape);
            shape = NULL;
        }
    entry = shape ? json_pack("{s:s,s:o,s:[I,I]}", "dtype", tensor->dtype,
                              "shape", shape, "data_offsets", (json_int_t)begin,
                              (json_int_t)*end)
                  : NULL;
    return add_new(root, tensor->name, entry, err);
}

/* The header's text, for the caller to free(), and the bytes of all data. */
static oriel_status
header_text(const oriel_writer_header *header, char **text,
            uint64_t *data_bytes, oriel_error *err)
{
    json_t *root = json_object();
    uint64_t end = 0;
    oriel_status status;

    *text = NULL;
    *data_bytes = 0;
    if (!root)
        return oriel_fail_memory(err, sizeof(*root), "a safetensors header");
    status = add_metadata(root, header, err);
    for (size_t i = 0; !status && i < header->n_tensors; i++)
        status = add_tensor(root, &header->tensors[i], end, &end, err);
    if (!status) {
        *text = oriel_json_text(root, JSON_COMPACT | JSON_PRESERVE_ORDER);
        if (!*text)
            status = oriel_fail(err, ORIEL_ERR_MEMORY,
                                "out of memory for a safetensors header");
        else if (strlen(*text) > ORIEL_WRITER_MAX_HEADER - LENGTH_BYTES)
            status = oriel_fail(err, ORIEL_ERR_ARGUMENT,
                                "the safetensors header would take %zu bytes; "
                                "readers accept %" PRIu64,
                                strlen(*text), ORIEL_WRITER_MAX_HEADER);
    }
    json_decref(root);
    *data_bytes = end;
    if (status) {
        free(*text);
        *text = NULL;
    }
    return status;
}

oriel_status
oriel_writer_header_bytes(const oriel_writer_header *header, uint64_t *bytes,
                          oriel_error *err)
{
    char *text;
    uint64_t data_bytes;
    oriel_status status = header_text(header, &text, &data_bytes, err);

    if (status)
        return status;
    *bytes = oriel_round_up(strlen(text), 8);
    free(text);
    return ORIEL_OK;
}

oriel_status
oriel_writer_create(oriel_writer **out, const char *path,
                    const oriel_writer_options *options, oriel_error *err)
{
    oriel_writer *writer;
    uint64_t expected = 0;
    oriel_status status;

    *out = NULL;
    if (options->header_bytes > ORIEL_WRITER_MAX_HEADER)
        return oriel_fail(
            err, ORIEL_ERR_ARGUMENT,
            "%s: a header of %" PRIu64 " bytes; readers accept %" PRIu64,
            ORIEL_QUOTE(path), options->header_bytes, ORIEL_WRITER_MAX_HEADER);
    writer = oriel_calloc(options->hooks, 1, sizeof(*writer));
    if (!writer)
        return oriel_fail_memory(err, sizeof(*writer), "an output file");
    writer->hooks = options->hooks;
    writer->header_bytes = oriel_round_up(options->header_bytes, 8);
    atomic_init(&writer->data_bytes, 0);
    if (options->data_bytes &&
        __builtin_add_overflow(options->data_bytes,
                               LENGTH_BYTES + writer->header_bytes, &expected))
        expected = UINT64_MAX; /* refused with the file's name */
    status = oriel_whole_file_create(&writer->file, path, options->replace,
                                     expected, options->hooks, err);
    if (status) {
        oriel_free(options->hooks, writer);
        return status;
    }
    *out = writer;
    return ORIEL_OK;
}

oriel_status
oriel_writer_write(oriel_writer *writer, uint64_t offset, const void *data,
                   size_t bytes, oriel_error *err)
{
    uint64_t place;
    oriel_status status;

    if (__builtin_add_overflow(offset, LENGTH_BYTES + writer->header_bytes,
                               &place))
        place = UINT64_MAX; /* refused with the file's name */
    status = oriel_whole_file_write(writer->file, place, data, bytes, err);
    if (!status)
        atomic_fetch_add(&writer->data_bytes, bytes);
    return status;
}

/* Length, text, and spaces up to the first byte of data. */
static oriel_status
write_header(oriel_writer *writer, const char *text, size_t length,
             oriel_error *err)
{
    const size_t room = (size_t)writer->header_bytes;
    unsigned char *block;
    oriel_status status;

    if (length > room)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "the safetensors header takes %zu bytes; %zu were "
                          "set aside for it",
                          length, room);
    block = oriel_alloc(writer->hooks, LENGTH_BYTES + room);
    if (!block)
        return oriel_fail_memory(err, LENGTH_BYTES + room,
                                 "a safetensors header");
    for (size_t i = 0; i < LENGTH_BYTES; i++)
        block[i] = (unsigned char)((uint64_t)room >> (8 * i));
    memset(block + LENGTH_BYTES, ' ', room);
    memcpy(block + LENGTH_BYTES, text, length);
    status = oriel_whole_file_write(writer->file, 0, block, LENGTH_BYTES + room,
                                    err);
    oriel_free(writer->hooks, block);
    return status;
}

oriel_status
oriel_writer_finish(oriel_writer *writer, const oriel_writer_header *header,
                    oriel_error *err)
{
    char *text;
    uint64_t bytes, written = atomic_load(&writer->data_bytes);
    oriel_status status = header_text(header, &text, &bytes, err);

    if (!status && bytes != written)
        status = oriel_fail(err, ORIEL_ERR_INTERNAL,
                            "the tensors take %" PRIu64 " bytes, but %" PRIu64
                            " were written",
                            bytes, written);
    if (!status && text)
        status = write_header(writer, text, strlen(text), err);
    free(text);
    if (!status) {
        status = oriel_whole_file_commit(
            writer->file, LENGTH_BYTES + writer->header_bytes + bytes, err);
        writer->file = NULL;
    }
    oriel_writer_abort(writer);
    return status;
}

void
oriel_writer_abort(oriel_writer *writer)
{
    if (!writer)
        return;
    oriel_whole_file_abort(writer->file);
    oriel_free(writer->hooks, writer);
}
