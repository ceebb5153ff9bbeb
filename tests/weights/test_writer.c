/* SPDX-License-Identifier: Apache-2.0 */
/* Files that appear whole or not at all: their bytes, and what is refused. */
#include "files/safetensors_writer.h"
#include "files/whole_file.h"
#include "support/faults.h"
#include "support/suite.h"
#include "weights/two_tensors.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

START_TEST(writes_the_format_to_the_byte)
{
    uint64_t room;

    two_tensors_deny(_i);
    ck_assert_int_eq(
        oriel_writer_header_bytes(&two_tensors_header, &room, &err), ORIEL_OK);
    ck_assert_uint_eq(room, (strlen(two_tensors_text) + 7) / 8 * 8);
    ck_assert_int_eq(two_tensors_write("a", false, room, NULL), ORIEL_OK);
    two_tensors_check("a", room);
    /* Room to spare, as when the shapes are not known yet. */
    ck_assert_int_eq(two_tensors_write("b", false, 1001, NULL), ORIEL_OK);
    two_tensors_check("b", 1008);
    ck_assert_int_eq(folder_count(&home), 2);
}
END_TEST

START_TEST(writes_on_after_short_writes)
{
    faults_short();
    ck_assert_int_eq(two_tensors_write("a", false, 400, NULL), ORIEL_OK);
    two_tensors_check("a", 400);
}
END_TEST

START_TEST(never_overwrites_unasked)
{
    oriel_writer_options options = {false, 400, 0, NULL};
    oriel_writer *writer;

    two_tensors_deny(_i);
    folder_write(&home, "a", "mine", 4);
    ck_assert_int_eq(two_tensors_write("a", false, 400, NULL),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_int_eq(err.cause, EEXIST);
    ck_assert_ptr_nonnull(strstr(err.message, home.path));
    /* Somebody else's file of that name appears meanwhile. */
    ck_assert_int_eq(
        oriel_writer_create(&writer, folder_path(&home, "b"), &options, &err),
        ORIEL_OK);
    folder_write(&home, "b", "theirs", 6);
    options.replace = false;
    ck_assert_int_eq(
        oriel_writer_finish(writer, &(oriel_writer_header){0}, &err),
        ORIEL_ERR_ARGUMENT);
    ck_assert_int_eq(err.cause, EEXIST);
    for (int i = 0; i < 2; i++) {
        size_t bytes;
        unsigned char *data = folder_read(&home, i ? "b" : "a", &bytes);

        ck_assert_str_eq((char *)data, i ? "theirs" : "mine");
        free(data);
    }
    ck_assert_int_eq(folder_count(&home), 2);
}
END_TEST

START_TEST(replaces_when_asked)
{
    two_tensors_deny(_i);
    folder_write(&home, "a", "old", 3);
    ck_assert_int_eq(symlink("nowhere", folder_path(&home, "b")), 0);
    ck_assert_int_eq(two_tensors_write("b", false, 400, NULL),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_int_eq(two_tensors_write("a", true, 400, NULL), ORIEL_OK);
    ck_assert_int_eq(two_tensors_write("b", true, 400, NULL), ORIEL_OK);
    ck_assert_int_eq(two_tensors_write("c", true, 400, NULL), ORIEL_OK);
    two_tensors_check("a", 400);
    two_tensors_check("b", 400);
    two_tensors_check("c", 400);
    ck_assert_int_eq(folder_count(&home), 3);
}
END_TEST

START_TEST(refuses_what_is_no_place_for_a_file)
{
    oriel_whole_file *file;
    static const struct {
        const char *path;
        int cause;
    } cases[] = {{"/dev/full", EINVAL},
                 {"/", EISDIR},
                 {"/tmp", EISDIR},
                 {"/tmp/", EISDIR},
                 {"/no-such-folder/a", ENOENT},
                 {"/dev/null/a", ENOTDIR},
                 {"", EISDIR}};

    for (size_t i = 0; i < COUNT(cases); i++) {
        ck_assert_int_eq(
            oriel_whole_file_create(&file, cases[i].path, true, 0, NULL, &err),
            ORIEL_ERR_IO);
        ck_assert_int_eq(err.cause, cases[i].cause);
        ck_assert_ptr_nonnull(strstr(err.message, cases[i].path));
        ck_assert_ptr_null(file);
    }
}
END_TEST

START_TEST(refuses_more_than_the_disk_has)
{
    oriel_whole_file *file;

    /* 8 EiB, and 4 EiB: too large for any file, for any disk. */
    ck_assert_int_eq(oriel_whole_file_create(&file, folder_path(&home, "a"),
                                             false, UINT64_MAX, NULL, &err),
                     ORIEL_ERR_IO);
    ck_assert_int_eq(err.cause, EFBIG);
    ck_assert_int_eq(oriel_whole_file_create(&file, folder_path(&home, "a"),
                                             false, (uint64_t)1 << 62, NULL,
                                             &err),
                     ORIEL_ERR_IO);
    ck_assert(err.cause == ENOSPC || err.cause == EFBIG);
    ck_assert_int_eq(folder_count(&home), 0);
}
END_TEST

START_TEST(refuses_places_that_no_file_has)
{
    oriel_writer_options options = {false, 8, 0, NULL};
    oriel_writer *writer;

    ck_assert_int_eq(
        oriel_writer_create(&writer, folder_path(&home, "a"), &options, &err),
        ORIEL_OK);
    ck_assert_int_eq(oriel_writer_write(writer, UINT64_MAX, "data", 4, &err),
                     ORIEL_ERR_IO);
    ck_assert_int_eq(err.cause, EFBIG);
    ck_assert_ptr_nonnull(
        strstr(err.message, "/a: a write beyond the largest"));
    oriel_writer_abort(writer);
    options.data_bytes = UINT64_MAX;
    ck_assert_int_eq(
        oriel_writer_create(&writer, folder_path(&home, "a"), &options, &err),
        ORIEL_ERR_IO);
    ck_assert_int_eq(err.cause, EFBIG);
    ck_assert_ptr_nonnull(strstr(err.message, "/a: "));
    ck_assert_ptr_null(writer);
    ck_assert_int_eq(folder_count(&home), 0);
}
END_TEST

START_TEST(abort_leaves_nothing)
{
    oriel_writer_options options = {false, 8, 0, NULL};
    oriel_writer *writer;

    two_tensors_deny(_i);
    ck_assert_int_eq(
        oriel_writer_create(&writer, folder_path(&home, "a"), &options, &err),
        ORIEL_OK);
    ck_assert_int_eq(oriel_writer_write(writer, 0, "data", 4, &err), ORIEL_OK);
    oriel_writer_abort(writer);
    oriel_writer_abort(NULL);
    ck_assert_int_eq(folder_count(&home), 0);
}
END_TEST

START_TEST(refuses_impossible_headers)
{
    static const oriel_writer_tensor bad[] = {
        {"x", "F7", 1, {1}},
        {"x", "F32", 9, {1}},
        {"x", "F32", -1, {1}},
        {"x", "F32", 1, {-1}},
        {"x", "F32", 2, {INT64_MAX, 2}},
        {"x", "F64", 2, {INT64_C(1) << 32, INT64_C(1) << 31}},
        {"\xff", "F32", 1, {1}},
        {"embeddings", "F32", 1, {1}},
        {"__metadata__", "F32", 1, {1}},
        {"x", "F32", 1, {INT64_MAX / 4}}, /* after the first one */
    };
    uint64_t bytes;

    for (size_t i = 0; i < COUNT(bad); i++) {
        oriel_writer_tensor both[2] = {two_tensors_table[0], bad[i]};
        oriel_writer_header h = {both, 2, NULL, 0};

        ck_assert_int_eq(oriel_writer_header_bytes(&h, &bytes, &err),
                         ORIEL_ERR_ARGUMENT);
        ck_assert_ptr_nonnull(strstr(err.message, i == 6   ? "\\xff"
                                                  : i == 7 ? "embeddings"
                                                  : i == 8 ? "__metadata__"
                                                           : "x"));
    }
}
END_TEST

START_TEST(refuses_a_file_that_does_not_add_up)
{
    oriel_writer_options options = {false, 400, 0, NULL};
    oriel_writer *writer;

    /* Too little room. */
    ck_assert_int_eq(two_tensors_write("a", false, 64, NULL),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "64"));
    /* Data missing. */
    ck_assert_int_eq(
        oriel_writer_create(&writer, folder_path(&home, "a"), &options, &err),
        ORIEL_OK);
    ck_assert_int_eq(oriel_writer_write(writer, 0, "1234", 4, &err), ORIEL_OK);
    ck_assert_int_eq(oriel_writer_finish(writer, &two_tensors_header, &err),
                     ORIEL_ERR_INTERNAL);
    /* A header that no reader takes. */
    options.header_bytes = ORIEL_WRITER_MAX_HEADER + 1;
    ck_assert_int_eq(
        oriel_writer_create(&writer, folder_path(&home, "a"), &options, &err),
        ORIEL_ERR_ARGUMENT);
    ck_assert_int_eq(folder_count(&home), 0);
}
END_TEST

/* The nth allocation fails. */
static int failing_allocation;

static void *
fail_alloc(void *user, size_t bytes, size_t alignment)
{
    (void)user;
    return failing_allocation-- == 0 ? NULL : aligned_alloc(alignment, bytes);
}

static void
plain_free(void *user, void *memory)
{
    (void)user;
    free(memory);
}

START_TEST(survives_every_failing_allocation)
{
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    int n = 0;

    hooks.alloc = fail_alloc;
    hooks.free = plain_free;
    for (;; n++) {
        oriel_status status;

        failing_allocation = n;
        status = two_tensors_write("a", false, 400, &hooks);
        if (failing_allocation >= 0) {
            ck_assert_int_eq(status, ORIEL_OK);
            break;
        }
        ck_assert_int_eq(status, ORIEL_ERR_MEMORY);
        ck_assert_int_eq(folder_count(&home), 0);
    }
    ck_assert_int_ge(n, 3);
}
END_TEST

/* Many threads, pieces in turn. */
enum { THREADS = 4, PIECES = 64, PIECE = 3001 };

struct part {
    oriel_writer *writer;
    int thread;
};

static void *
write_part(void *context)
{
    struct part *part = context;
    unsigned char piece[PIECE];

    for (int i = part->thread; i < PIECES; i += THREADS) {
        memset(piece, i + 1, PIECE);
        if (oriel_writer_write(part->writer, (uint64_t)i * PIECE, piece, PIECE,
                               NULL) != ORIEL_OK)
            return part;
    }
    return NULL;
}

START_TEST(takes_writes_from_many_threads)
{
    oriel_writer_tensor tensor = {"x", "U8", 1, {PIECES * PIECE}};
    oriel_writer_header h = {&tensor, 1, NULL, 0};
    oriel_writer_options options = {false, 0, PIECES * PIECE, NULL};
    struct part parts[THREADS];
    pthread_t threads[THREADS];
    size_t bytes;
    unsigned char *data;
    void *result;

    ck_assert_int_eq(oriel_writer_header_bytes(&h, &options.header_bytes, &err),
                     ORIEL_OK);
    ck_assert_int_eq(oriel_writer_create(&parts[0].writer,
                                         folder_path(&home, "a"), &options,
                                         &err),
                     ORIEL_OK);
    for (int t = 0; t < THREADS; t++) {
        parts[t] = (struct part){parts[0].writer, t};
        pthread_create(&threads[t], NULL, write_part, &parts[t]);
    }
    for (int t = 0; t < THREADS; t++) {
        pthread_join(threads[t], &result);
        ck_assert_ptr_null(result);
    }
    ck_assert_int_eq(oriel_writer_finish(parts[0].writer, &h, &err), ORIEL_OK);
    data = folder_read(&home, "a", &bytes);
    for (size_t i = 0; i < PIECES * PIECE; i++)
        ck_assert_uint_eq(data[bytes - PIECES * PIECE + i], i / PIECE + 1);
    free(data);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("writer");
    TCase *tc = tcase_create("writer");

    tcase_add_checked_fixture(tc, two_tensors_setup, two_tensors_teardown);
    tcase_add_loop_test(tc, writes_the_format_to_the_byte, 0, 3);
    tcase_add_test(tc, writes_on_after_short_writes);
    tcase_add_loop_test(tc, never_overwrites_unasked, 0, 3);
    tcase_add_loop_test(tc, replaces_when_asked, 0, 3);
    tcase_add_test(tc, refuses_what_is_no_place_for_a_file);
    tcase_add_test(tc, refuses_more_than_the_disk_has);
    tcase_add_test(tc, refuses_places_that_no_file_has);
    tcase_add_loop_test(tc, abort_leaves_nothing, 0, 2);
    tcase_add_test(tc, refuses_impossible_headers);
    tcase_add_test(tc, refuses_a_file_that_does_not_add_up);
    tcase_add_test(tc, survives_every_failing_allocation);
    tcase_add_test(tc, takes_writes_from_many_threads);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
