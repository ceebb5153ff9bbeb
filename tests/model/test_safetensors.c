/* SPDX-License-Identifier: Apache-2.0 */
/* test_safetensors.c - the table of one file, good and bad */
#include "model/checkpoint_builder.h"
#include "model/safetensors.h"
#include "support/random.h"
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY(dtype, shape, begin, end) \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" begin \
    "," end "]}"

/* A file of this header and 'data_bytes' bytes 0, 1, 2, ... */
static uint8_t *
make_file(const char *header, size_t header_bytes, size_t data_bytes,
          size_t *bytes)
{
    uint8_t *file;

    *bytes = 8 + header_bytes + data_bytes;
    file = malloc(*bytes);
    for (int i = 0; i < 8; i++)
        file[i] = (uint8_t)((uint64_t)header_bytes >> (8 * i));
    memcpy(file + 8, header, header_bytes);
    for (size_t i = 0; i < data_bytes; i++)
        file[8 + header_bytes + i] = (uint8_t)i;
    return file;
}

static oriel_safetensors *
open_good(const char *header, size_t data_bytes, uint8_t **file)
{
    oriel_safetensors *st;
    oriel_error err;
    size_t bytes;

    *file = make_file(header, strlen(header), data_bytes, &bytes);
    ck_assert_msg(oriel_safetensors_open_memory(&st, "file", *file, bytes, NULL,
                                                &err) == ORIEL_OK,
                  "%s", err.message);
    return st;
}

START_TEST(reads_a_table)
{
    /* Not in the order of their data; odd begin; escapes in a name. */
    /* clang-format off */
    const char header[] =
        "{\"b\":" ENTRY("F32", "[2,1]", "3", "11") ","
        "\"__metadata__\":{\"format\":\"pt\",\"k\":\"v\"},"
        "\"a\\u00e9\\n\":" ENTRY("U8", "[3]", "0", "3") ","
        "\"empty\":" ENTRY("BF16", "[0,7]", "11", "11") ","
        "\"also empty\":" ENTRY("F32", "[3,0]", "11", "11") ","
        "\"scalar\":" ENTRY("I64", "[]", "11", "19") "}   ";
    /* clang-format on */
    uint8_t *file;
    oriel_safetensors *st = open_good(header, 19, &file);
    size_t n;
    const oriel_stored_tensor *t = oriel_safetensors_tensors(st, &n);
    const oriel_metadata_pair *pairs;
    uint8_t data[8];

    ck_assert_uint_eq(n, 5);
    ck_assert_str_eq(t[0].name, "a\xc3\xa9\n");
    ck_assert_str_eq(t[1].name, "b");
    ck_assert_int_eq(t[1].dtype, ORIEL_STORED_F32);
    ck_assert_str_eq(t[1].dtype_name, "F32");
    ck_assert_int_eq(t[1].n_dims, 2);
    ck_assert_int_eq(t[1].shape[0], 2);
    ck_assert_uint_eq(t[1].bytes, 8);
    ck_assert_uint_eq(t[1].offset, 8 + strlen(header) + 3);
    ck_assert_ptr_eq(oriel_safetensors_find(st, "scalar"), &t[4]);
    ck_assert_ptr_eq(oriel_safetensors_find(st, "b"), &t[1]);
    ck_assert_ptr_null(oriel_safetensors_find(st, "B"));
    ck_assert_ptr_null(oriel_safetensors_find(st, "__metadata__"));
    ck_assert_ptr_null(oriel_safetensors_find(st, ""));
    pairs = oriel_safetensors_metadata(st, &n);
    ck_assert_uint_eq(n, 2);
    ck_assert_str_eq(pairs[1].key, "k");
    ck_assert_str_eq(pairs[1].value, "v");

    ck_assert_int_eq(oriel_stored_read(&t[1], 2, data, 6, NULL), ORIEL_OK);
    ck_assert_mem_eq(data, "\5\6\7\10\11\12", 6);
    ck_assert_int_eq(oriel_stored_read(&t[1], 2, data, 7, NULL),
                     ORIEL_ERR_INTERNAL);
    ck_assert_int_eq(oriel_stored_read(&t[1], UINT64_MAX, data, 1, NULL),
                     ORIEL_ERR_INTERNAL);
    ck_assert_int_eq(oriel_stored_read(&t[1], 8, data, 0, NULL), ORIEL_OK);
    ck_assert_int_eq(
        oriel_file_read(oriel_safetensors_file(st), UINT64_MAX, data, 1, NULL),
        ORIEL_ERR_IO);
    oriel_safetensors_close(st);
    free(file);
}
END_TEST

/* Tensors of no bytes begin where others do, in whatever order they are. */
START_TEST(empty_tensors_lie_anywhere)
{
    static const char *const headers[] = {
        "{\"b\":" ENTRY("U8", "[1]", "0", "1") ",\"a\":" ENTRY(
            "U8", "[0]", "0", "0") ",\"c\":" ENTRY("U8", "[0]", "1", "1") "}",
        "{\"a\":" ENTRY("U8", "[0]", "0", "0") ",\"c\":" ENTRY(
            "U8", "[0]", "1", "1") ",\"b\":" ENTRY("U8", "[1]", "0", "1") "}",
    };

    for (size_t i = 0; i < COUNT(headers); i++) {
        uint8_t *file;
        oriel_safetensors *st = open_good(headers[i], 1, &file);
        size_t n;

        oriel_safetensors_tensors(st, &n);
        ck_assert_uint_eq(n, 3);
        ck_assert_ptr_nonnull(oriel_safetensors_find(st, "a"));
        oriel_safetensors_close(st);
        free(file);
    }
}
END_TEST

START_TEST(an_empty_table_is_a_table)
{
    uint8_t *file;
    oriel_safetensors *st = open_good("{}", 0, &file);
    size_t n;

    oriel_safetensors_tensors(st, &n);
    ck_assert_uint_eq(n, 0);
    ck_assert_ptr_null(oriel_safetensors_find(st, "x"));
    oriel_safetensors_close(st);
    free(file);
}
END_TEST

START_TEST(knows_every_dtype)
{
    static const struct {
        const char *name;
        oriel_stored dtype;
        size_t bytes; /* of 8 values */
    } dtypes[] = {
        {"BOOL", ORIEL_STORED_BOOL, 8},
        {"F4", ORIEL_STORED_F4, 4},
        {"F6_E2M3", ORIEL_STORED_F6_E2M3, 6},
        {"F6_E3M2", ORIEL_STORED_F6_E3M2, 6},
        {"U8", ORIEL_STORED_U8, 8},
        {"I8", ORIEL_STORED_I8, 8},
        {"F8_E5M2", ORIEL_STORED_F8_E5M2, 8},
        {"F8_E4M3", ORIEL_STORED_F8_E4M3, 8},
        {"F8_E8M0", ORIEL_STORED_F8_E8M0, 8},
        {"I16", ORIEL_STORED_I16, 16},
        {"U16", ORIEL_STORED_U16, 16},
        {"F16", ORIEL_STORED_F16, 16},
        {"BF16", ORIEL_STORED_BF16, 16},
        {"I32", ORIEL_STORED_I32, 32},
        {"U32", ORIEL_STORED_U32, 32},
        {"F32", ORIEL_STORED_F32, 32},
        {"C64", ORIEL_STORED_C64, 64},
        {"F64", ORIEL_STORED_F64, 64},
        {"I64", ORIEL_STORED_I64, 64},
        {"U64", ORIEL_STORED_U64, 64},
        /* One from the future: no size to check, and none needed. */
        {"F3_E1M1", ORIEL_STORED_UNKNOWN, 3},
    };
    char header[160];
    uint8_t *file;
    oriel_safetensors *st;
    size_t n;

    snprintf(header, sizeof(header),
             "{\"t\":{\"dtype\":\"%s\",\"shape\":[2,4],"
             "\"data_offsets\":[0,%zu]}}",
             dtypes[_i].name, dtypes[_i].bytes);
    st = open_good(header, dtypes[_i].bytes, &file);
    ck_assert_int_eq(oriel_safetensors_tensors(st, &n)->dtype,
                     dtypes[_i].dtype);
    ck_assert_uint_eq(oriel_stored_bits(dtypes[_i].dtype),
                      dtypes[_i].dtype ? dtypes[_i].bytes : 0);
    oriel_safetensors_close(st);
    free(file);
}
END_TEST

enum { N_DTYPES = 21 };

/* What is wrong, and what the complaint must say. */
/* clang-format off */
static const struct {
    const char *header;
    size_t data_bytes;
    const char *says[2];
} malformed[] = {
    {"[]", 0, {"begin with '{'"}},
    {" {}", 0, {"begin with '{'"}},
    {"\"a\"", 0, {"begin with '{'"}},
    {"{ ", 0, {"malformed JSON"}},
    {"{}x", 0, {"malformed JSON"}},
    {"{\"a\":1}", 0, {"tensor a", "expected an object"}},
    {"{\"a\\u0000b\":{}}", 0, {"malformed JSON"}},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1" "e999]}}", 0, {"malformed JSON"}},
    {"{\"\xff\":1}", 0, {"malformed JSON"}},
    {"{\"__metadata__\":[]}", 0, {"__metadata__", "expected an object"}},
    {"{\"__metadata__\":{\"k\":1}}", 0, {"__metadata__: k: expected a string"}},
    {"{\"a\":{}}", 0, {"tensor a: dtype: expected a string"}},
    {"{\"a\":{\"dtype\":7}}", 0, {"tensor a: dtype: expected a string"}},
    {"{\"a\":{\"dtype\":\"U8\"}}", 0, {"tensor a: shape: expected"}},
    {"{\"a\":" ENTRY("U8", "3", "0", "3") "}",
     3, {"tensor a: shape: expected"}},
    {"{\"a\":" ENTRY("U8", "[3.0]", "0", "3") "}", 3, {"shape: expected"}},
    {"{\"a\":" ENTRY("U8", "[-3]", "0", "3") "}", 3, {"shape: expected"}},
    {"{\"a\":" ENTRY("U8", "[99999999999999999999]", "0", "3") "}",
     3, {"malformed JSON"}},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[3]}}", 3, {"data_offsets: expected"}},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0]}}",
     3, {"data_offsets: expected [begin, end]"}},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3,3]}}",
     3, {"data_offsets: expected [begin, end]"}},
    {"{\"a\":" ENTRY("U8", "[3]", "-1", "2") "}", 3, {"[begin, end]"}},
    {"{\"a\":" ENTRY("U8", "[3]", "0", "\"3\"") "}", 3, {"[begin, end]"}},
    {"{\"a\":" ENTRY("U8", "[1]", "3", "2") "}", 3, {"begin <= end <= 3"}},
    {"{\"a\":" ENTRY("U8", "[4]", "0", "4") "}", 3, {"begin <= end <= 3"}},
    {"{\"a\":" ENTRY("U8", "[3]", "9223372036854775804", "9223372036854775807") "}",
     3, {"begin <= end <= 3"}},
    {"{\"a\":" ENTRY("U8", "[4]", "0", "3") "}",
     3, {"tensor a", "3 bytes, expected 4 for U8 [4]"}},
    {"{\"a\":" ENTRY("F4", "[3]", "0", "2") "}", 2, {"F4 [3]: expected whole"}},
    {"{\"a\":" ENTRY("F64", "[4611686018427387904,4]", "0", "3") "}",
     3, {"tensor a", "expected whole bytes"}},
    {"{\"a\":" ENTRY("F64", "[2305843009213693952]", "0", "0") "}",
     0, {"tensor a", "expected whole bytes"}},
    {"{\"a\":" ENTRY("F64", "[4294967296,4294967296,0]", "0", "0") "}",
     0, {"tensor a", "expected whole bytes"}},
    {"{\"a\":" ENTRY("U8", "[2]", "0", "2") ",\"b\":" ENTRY("U8", "[2]", "1", "3") "}",
     3, {"tensor b: overlap", "begins at 1, expected 2"}},
    {"{\"a\":" ENTRY("U8", "[1]", "0", "1") ",\"b\":" ENTRY("U8", "[1]", "2", "3") "}",
     3, {"tensor b: hole", "begins at 2, expected 1"}},
    {"{\"a\":" ENTRY("U8", "[2]", "1", "3") "}", 3, {"tensor a: hole"}},
    {"{\"a\":" ENTRY("U8", "[2]", "0", "2") "}",
     3, {"3 bytes of data, expected 2"}},
    {"{\"a\":" ENTRY("U8", "[1]", "0", "1") ",\"a\":" ENTRY("U8", "[1]", "0", "1") "}",
     1, {"malformed JSON", "duplicate"}},
    {"{}", 1, {"1 bytes of data, expected 0"}},
    {"{\"a\\u001b[31m\\u202e\":1}", 0, {"tensor a\\x1b[31m"}},
};
/* clang-format on */

START_TEST(refuses_what_is_malformed)
{
    const char *header = malformed[_i].header;
    oriel_safetensors *st;
    oriel_error err;
    size_t bytes;
    uint8_t *file =
        make_file(header, strlen(header), malformed[_i].data_bytes, &bytes);

    ck_assert_msg(oriel_safetensors_open_memory(&st, "the file", file, bytes,
                                                NULL, &err) == ORIEL_ERR_MODEL,
                  "case %d: %d %s", _i, err.status, err.message);
    ck_assert_ptr_null(st);
    ck_assert_msg(strncmp(err.message, "the file: ", 10) == 0, "%s",
                  err.message);
    for (int i = 0; i < 2 && malformed[_i].says[i]; i++)
        ck_assert_msg(strstr(err.message, malformed[_i].says[i]) != NULL,
                      "case %d: %s lacks %s", _i, err.message,
                      malformed[_i].says[i]);
    free(file);
}
END_TEST

static oriel_status
open_bytes(const void *file, size_t bytes, oriel_error *err)
{
    oriel_safetensors *st;
    oriel_status status =
        oriel_safetensors_open_memory(&st, "file", file, bytes, NULL, err);

    oriel_safetensors_close(st);
    return status;
}

START_TEST(refuses_bad_lengths)
{
    static const struct {
        uint64_t length;
        const char *says;
    } lengths[] = {
        {0, "expected 2 to 33554432"},
        {1, "expected 2 to 33554432"},
        {33554433, "expected 2 to 33554432"},
        {UINT64_MAX, "expected 2 to 33554432"},
        {33554432, "truncated"},
        {3, "truncated"},
    };
    uint8_t file[10] = {0};
    oriel_error err;

    memcpy(file + 8, "{}", 2);
    for (size_t i = 0; i < COUNT(lengths); i++) {
        for (int k = 0; k < 8; k++)
            file[k] = (uint8_t)(lengths[i].length >> (8 * k));
        ck_assert_int_eq(open_bytes(file, sizeof(file), &err), ORIEL_ERR_MODEL);
        ck_assert_msg(strstr(err.message, lengths[i].says) != NULL, "%s",
                      err.message);
    }
}
END_TEST

START_TEST(refuses_every_truncation)
{
    const char header[] = "{\"a\":" ENTRY("U8", "[3]", "0", "3") "}";
    size_t bytes;
    uint8_t *file = make_file(header, strlen(header), 3, &bytes);
    oriel_error err;

    ck_assert_int_eq(open_bytes(file, bytes, &err), ORIEL_OK);
    for (size_t n = 0; n < bytes; n++) {
        /* A copy of just that size, so that a sanitizer sees a step beyond. */
        uint8_t *cut = malloc(n ? n : 1);

        memcpy(cut, file, n);
        ck_assert_int_eq(open_bytes(cut, n, &err), ORIEL_ERR_MODEL);
        free(cut);
    }
    free(file);
}
END_TEST

START_TEST(survives_random_damage)
{
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, 0);
    size_t bytes;
    uint8_t *file = builder_file(b, 0, NULL, &bytes);
    char *header = builder_header(b, 0);
    const size_t header_bytes = strlen(header);
    random_stream stream = {7};
    int refused = 0;

    for (int round = 0; round < 400; round++) {
        const size_t at =
            (size_t)random_between(&stream, 0, (int64_t)header_bytes + 7);
        const uint8_t before = file[at];
        oriel_error err;

        file[at] = (uint8_t)random_u64(&stream);
        if (open_bytes(file, bytes, &err)) {
            ck_assert_int_eq(err.status, ORIEL_ERR_MODEL);
            refused++;
        }
        file[at] = before;
    }
    /* Not all: a changed letter of a name is a good file. */
    ck_assert_int_gt(refused, 100);
    free(header);
    free(file);
    builder_free(b);
}
END_TEST

START_TEST(bounds_the_memory_of_hostile_json)
{
    /* 4 MiB that would be two million values. */
    const size_t n = 4 << 20;
    char *header = malloc(n);
    uint8_t *file;
    size_t bytes;
    oriel_error err;

    memset(header, ' ', n);
    memcpy(header, "{\"a\":[", 6);
    for (size_t i = 6; i + 2 < n; i += 2)
        memcpy(header + i, "0,", 2);
    file = make_file(header, n, 0, &bytes);
    ck_assert_int_eq(open_bytes(file, bytes, &err), ORIEL_ERR_MODEL);
    ck_assert_ptr_nonnull(strstr(err.message, "more values than"));
    free(file);

    /* Depth: the parser's own limit, not our stack. */
    memset(header, '[', n);
    memcpy(header, "{\"a\":", 5);
    file = make_file(header, 1 << 19, 0, &bytes);
    ck_assert_int_eq(open_bytes(file, bytes, &err), ORIEL_ERR_MODEL);
    ck_assert_ptr_nonnull(strstr(err.message, "depth"));
    free(file);

    /* Commas and brackets within strings are no values. */
    memset(header, ',', n);
    memcpy(header, "{\"__metadata__\":{\"k\":\"", 22);
    memcpy(header + n - 3, "\"}}", 3);
    file = make_file(header, n, 0, &bytes);
    ck_assert_int_eq(open_bytes(file, bytes, &err), ORIEL_OK);
    free(file);
    free(header);
}
END_TEST

START_TEST(opens_files_and_nothing_else)
{
    checkpoint_builder *b = builder_create("visual.", "F16", 0, 0);
    char *folder = temp_checkpoint(b);
    oriel_safetensors *st;
    oriel_error err;
    size_t n;

    ck_assert_int_eq(
        oriel_safetensors_open(&st, in_folder(folder, "model.safetensors"),
                               NULL, &err),
        ORIEL_OK);
    oriel_safetensors_tensors(st, &n);
    ck_assert_int_eq((int)n, b->n_tensors);
    /* The header was read, and not the data. */
    ck_assert_uint_eq(oriel_file_bytes_read(oriel_safetensors_file(st)),
                      oriel_safetensors_tensors(st, &n)[0].offset);
    oriel_safetensors_close(st);

    ck_assert_int_eq(
        oriel_safetensors_open(&st, in_folder(folder, "none"), NULL, &err),
        ORIEL_ERR_NOT_FOUND);
    ck_assert_int_eq(err.cause, 2);
    ck_assert_int_eq(oriel_safetensors_open(&st, folder, NULL, &err),
                     ORIEL_ERR_MODEL);
    ck_assert_ptr_nonnull(strstr(err.message, "regular file"));
    ck_assert_int_eq(oriel_safetensors_open(&st, "/dev/zero", NULL, &err),
                     ORIEL_ERR_MODEL);
    temp_remove(folder);
    builder_free(b);
}
END_TEST

START_TEST(writes_shapes)
{
    static const int64_t one[] = {1280, 3, 2, 14, 14};
    int64_t many[40];
    char text[ORIEL_SHAPE_TEXT];

    oriel_shape_text(text, one, 5);
    ck_assert_str_eq(text, "[1280, 3, 2, 14, 14]");
    oriel_shape_text(text, one, 0);
    ck_assert_str_eq(text, "[]");
    for (int i = 0; i < 40; i++)
        many[i] = INT64_MAX;
    oriel_shape_text(text, many, 40);
    ck_assert_uint_lt(strlen(text), ORIEL_SHAPE_TEXT);
    ck_assert_str_eq(text + strlen(text) - 4, "...]");
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("safetensors");
    TCase *tc = tcase_create("table");

    tcase_add_test(tc, reads_a_table);
    tcase_add_test(tc, empty_tensors_lie_anywhere);
    tcase_add_test(tc, an_empty_table_is_a_table);
    tcase_add_loop_test(tc, knows_every_dtype, 0, N_DTYPES);
    tcase_add_loop_test(tc, refuses_what_is_malformed, 0,
                        (int)COUNT(malformed));
    tcase_add_test(tc, refuses_bad_lengths);
    tcase_add_test(tc, refuses_every_truncation);
    tcase_add_test(tc, survives_random_damage);
    tcase_add_test(tc, bounds_the_memory_of_hostile_json);
    tcase_add_test(tc, opens_files_and_nothing_else);
    tcase_add_test(tc, writes_shapes);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
