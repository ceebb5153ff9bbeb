/* SPDX-License-Identifier: Apache-2.0 */
#include "weights/two_tensors.h"

#include "support/faults.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

folder home;
oriel_error err;

const oriel_writer_tensor two_tensors_table[2] = {
    {"embeddings", "F32", 2, {2, 3}},
    {"offsets", "I64", 1, {2}},
};
static const oriel_writer_entry metadata[] = {{"format", "1"},
                                              {"quote", "\"\xc3\xa9\n"}};
const oriel_writer_header two_tensors_header = {two_tensors_table, 2, metadata,
                                                2};
const char two_tensors_text[] =
    "{\"__metadata__\":{\"format\":\"1\",\"quote\":\"\\\"\xc3\xa9\\n\"},"
    "\"embeddings\":{\"dtype\":\"F32\",\"shape\":[2,3],"
    "\"data_offsets\":[0,24]},"
    "\"offsets\":{\"dtype\":\"I64\",\"shape\":[2],\"data_offsets\":[24,40]}}";

void
two_tensors_setup(void)
{
    home = folder_make();
    faults_none();
    faults_deny(false, false);
}

void
two_tensors_teardown(void)
{
    faults_none();
    folder_remove(&home);
}

void
two_tensors_deny(int kind)
{
    faults_deny(kind > 0, kind > 1);
}

oriel_status
two_tensors_write(const char *name, bool replace, uint64_t header_bytes,
                  const oriel_hooks *hooks)
{
    oriel_writer_options options = {replace, header_bytes, 40, hooks};
    const float values[6] = {0, 1, 2, 3, 4, 5};
    const int64_t offsets[2] = {0, 2};
    oriel_writer *writer;
    oriel_status status =
        oriel_writer_create(&writer, folder_path(&home, name), &options, &err);

    if (status) {
        ck_assert_ptr_null(writer);
        return status;
    }
    /* Not in order: the second tensor, then the first in two pieces. */
    status = oriel_writer_write(writer, 24, offsets, 16, &err);
    if (!status)
        status = oriel_writer_write(writer, 12, values + 3, 12, &err);
    if (!status)
        status = oriel_writer_write(writer, 0, values, 12, &err);
    if (status) {
        oriel_writer_abort(writer);
        return status;
    }
    return oriel_writer_finish(writer, &two_tensors_header, &err);
}

void
two_tensors_check(const char *name, size_t room)
{
    size_t bytes;
    unsigned char *data = folder_read(&home, name, &bytes);
    const size_t length = strlen(two_tensors_text);
    const int64_t offsets[2] = {0, 2};

    ck_assert_ptr_nonnull(data);
    ck_assert_uint_eq(room % 8, 0);
    ck_assert_uint_eq(bytes, 8 + room + 40);
    ck_assert_uint_eq(data[0] + 256u * data[1], room);
    ck_assert_mem_eq(data + 8, two_tensors_text, length);
    for (size_t i = length; i < room; i++)
        ck_assert_int_eq(data[8 + i], ' ');
    for (int i = 0; i < 6; i++) {
        float value;

        memcpy(&value, data + 8 + room + 4 * i, 4);
        ck_assert_float_eq(value, (float)i);
    }
    ck_assert_mem_eq(data + 8 + room + 24, offsets, 16);
    free(data);
}
