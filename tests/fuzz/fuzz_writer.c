/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_writer.c - any table of tensors, written and read again: the same names,
 * shapes, metadata and data, or a refusal before anything has appeared
 */
#include "files/safetensors_writer.h"
#include "fuzz/fuzz.h"
#include "fuzz/scratch.h"
#include "model/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 8, NAME = 40, MAX_BYTES = 1 << 16 };

typedef struct table {
    oriel_writer_tensor tensors[MOST];
    oriel_writer_entry metadata[MOST];
    char names[MOST][NAME], keys[MOST][NAME], values[MOST][NAME];
    oriel_writer_header header;
    uint64_t data_bytes; /* if every tensor has a size */
} table;

static void
copy_text(char out[NAME], fuzz_input text)
{
    const fuzz_input some = fuzz_take_bytes(&text, NAME - 1);

    if (some.bytes > 0)
        memcpy(out, some.at, some.bytes);
    out[some.bytes] = '\0';
}

static void
read_table(table *t, fuzz_input *input)
{
    static const char *const dtypes[] = {"F32", "BF16", "F16", "I64",
                                         "I32", "F64",  ""};
    const uint8_t counts = fuzz_take_u8(input);

    memset(t, 0, sizeof(*t));
    t->header = (oriel_writer_header){t->tensors, counts % (MOST + 1),
                                      t->metadata, counts / 16 % (MOST + 1)};
    for (size_t i = 0; i < t->header.n_tensors; i++) {
        const uint8_t kind = fuzz_take_u8(input);

        copy_text(t->names[i], fuzz_take_text(input));
        t->tensors[i].name = t->names[i];
        t->tensors[i].dtype = dtypes[kind % 7];
        t->tensors[i].rank = kind / 7 % (ORIEL_WRITER_MAX_RANK + 2);
        for (int32_t d = 0; d < t->tensors[i].rank && d < ORIEL_WRITER_MAX_RANK;
             d++) {
            const uint8_t size = fuzz_take_u8(input);

            t->tensors[i].shape[d] = size < 250   ? size % 16
                                     : size < 253 ? -1
                                                  : INT64_MAX / size;
        }
    }
    for (size_t i = 0; i < t->header.n_metadata; i++) {
        copy_text(t->keys[i], fuzz_take_text(input));
        copy_text(t->values[i], fuzz_take_text(input));
        t->metadata[i] = (oriel_writer_entry){t->keys[i], t->values[i]};
    }
}

/* Whether every tensor can be, all together in MAX_BYTES. */
static bool
has_sizes(table *t)
{
    for (size_t i = 0; i < t->header.n_tensors; i++) {
        uint64_t bytes;

        if (oriel_writer_tensor_bytes(&t->tensors[i], &bytes, NULL) ||
            bytes > MAX_BYTES - t->data_bytes)
            return false;
        t->data_bytes += bytes;
    }
    return true;
}

static uint8_t
value_at(uint64_t at)
{
    return (uint8_t)(at * 251 / 13);
}

/* In pieces of 'piece' bytes, from the last to the first. */
static oriel_status
write_data(oriel_writer *writer, uint64_t bytes, uint64_t piece)
{
    uint8_t data[256];
    oriel_status status = ORIEL_OK;

    for (uint64_t end = bytes; end > 0 && !status;) {
        const uint64_t n = end < piece ? end : piece;

        end -= n;
        for (uint64_t i = 0; i < n; i++)
            data[i] = value_at(end + i);
        status = oriel_writer_write(writer, end, data, n, NULL);
    }
    return status;
}

static void
check_tensors(const table *t, const oriel_safetensors *file)
{
    uint64_t at = 0;
    size_t n;

    oriel_safetensors_tensors(file, &n);
    FUZZ_CHECK(n == t->header.n_tensors);
    for (size_t i = 0; i < n; i++) {
        const oriel_writer_tensor *wanted = &t->tensors[i];
        const oriel_stored_tensor *got =
            oriel_safetensors_find(file, wanted->name);

        FUZZ_CHECK(got && strcmp(got->dtype_name, wanted->dtype) == 0 &&
                   got->n_dims == wanted->rank);
        for (int32_t d = 0; d < wanted->rank; d++)
            FUZZ_CHECK(got->shape[d] == wanted->shape[d]);
        for (uint64_t k = 0; k < got->bytes; k++, at++) {
            uint8_t value;

            FUZZ_CHECK(oriel_stored_read(got, k, &value, 1, NULL) == ORIEL_OK &&
                       value == value_at(at));
        }
    }
    FUZZ_CHECK(at == t->data_bytes);
}

static void
check_metadata(const table *t, const oriel_safetensors *file)
{
    size_t n;
    const oriel_metadata_pair *pairs = oriel_safetensors_metadata(file, &n);

    FUZZ_CHECK(n <= t->header.n_metadata);
    /* A key that is given twice has the last value. */
    for (size_t i = 0; i < n; i++) {
        const char *value = NULL;

        for (size_t k = 0; k < t->header.n_metadata; k++)
            if (strcmp(t->keys[k], pairs[i].key) == 0)
                value = t->values[k];
        FUZZ_CHECK(value && strcmp(value, pairs[i].value) == 0);
    }
}

static void
write_and_read(table *t, uint64_t room, uint64_t piece)
{
    const oriel_writer_options options = {true, room, 0, NULL};
    const char *path = fuzz_path("written");
    oriel_safetensors *file;
    oriel_writer *writer;
    oriel_status status;
    oriel_error err;

    FUZZ_CHECK(oriel_writer_create(&writer, path, &options, &err) == ORIEL_OK);
    FUZZ_CHECK(write_data(writer, t->data_bytes, piece) == ORIEL_OK);
    status = oriel_writer_finish(writer, &t->header, &err);
    if (status) {
        FUZZ_CHECK(status == ORIEL_ERR_ARGUMENT);
        FUZZ_CHECK(access(path, F_OK) != 0);
        return;
    }
    FUZZ_CHECK(oriel_safetensors_open(&file, path, NULL, &err) == ORIEL_OK);
    fuzz_accepted++;
    check_tensors(t, file);
    check_metadata(t, file);
    oriel_safetensors_close(file);
    FUZZ_CHECK(unlink(path) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    fuzz_input input = {data, bytes};
    const uint8_t piece = fuzz_take_u8(&input), room = fuzz_take_u8(&input);
    uint64_t needed;
    oriel_status status;
    oriel_error err;
    table t;

    read_table(&t, &input);
    status = oriel_writer_header_bytes(&t.header, &needed, &err);
    FUZZ_CHECK(status == err.status || !status);
    FUZZ_CHECK(status == ORIEL_OK || status == ORIEL_ERR_ARGUMENT);
    if (has_sizes(&t))
        write_and_read(&t, status ? 64 : needed * room / 8,
                       1 + (uint64_t)piece);
    return 0;
}
