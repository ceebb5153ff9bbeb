/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that appear whole or not at all: their bytes, what is refused, and
 * what is left behind when any system call fails or the process is killed.
 */
#include "files/safetensors_writer.h"
#include "files/whole_file.h"
#include "support/folder.h"
#include "support/suite.h"
#include "weights/faults.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static folder home;
static oriel_error err;

static const oriel_writer_tensor two_tensors[] = {
    {"embeddings", "F32", 2, {2, 3}},
    {"offsets", "I64", 1, {2}},
};
static const oriel_writer_entry metadata[] = {{"format", "1"},
                                              {"quote", "\"\xc3\xa9\n"}};
static const oriel_writer_header header = {two_tensors, 2, metadata, 2};
static const char header_text[] =
    "{\"__metadata__\":{\"format\":\"1\",\"quote\":\"\\\"\xc3\xa9\\n\"},"
    "\"embeddings\":{\"dtype\":\"F32\",\"shape\":[2,3],"
    "\"data_offsets\":[0,24]},"
    "\"offsets\":{\"dtype\":\"I64\",\"shape\":[2],\"data_offsets\":[24,40]}}";

static void
setup(void)
{
    home = folder_make();
    faults_arm(FAULTS_NONE, 0);
    faults_deny(false, false);
}

static void
teardown(void)
{
    faults_arm(FAULTS_NONE, 0);
    folder_remove(&home);
}

/* Both kinds of file system, the second twice. */
static void
deny(int kind)
{
    faults_deny(kind > 0, kind > 1);
}

static oriel_status
write_both(const char *name, bool replace, uint64_t header_bytes,
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
    return oriel_writer_finish(writer, &header, &err);
}

static void
check_bytes(const char *name, size_t room)
{
    size_t bytes;
    unsigned char *data = folder_read(&home, name, &bytes);
    const size_t length = sizeof(header_text) - 1;
    const int64_t offsets[2] = {0, 2};

    ck_assert_ptr_nonnull(data);
    ck_assert_uint_eq(room % 8, 0);
    ck_assert_uint_eq(bytes, 8 + room + 40);
    ck_assert_uint_eq(data[0] + 256u * data[1], room);
    ck_assert_mem_eq(data + 8, header_text, length);
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

START_TEST(writes_the_format_to_the_byte)
{
    uint64_t room;

    deny(_i);
    ck_assert_int_eq(oriel_writer_header_bytes(&header, &room, &err), ORIEL_OK);
    ck_assert_uint_eq(room, (sizeof(header_text) - 1 + 7) / 8 * 8);
    ck_assert_int_eq(write_both("a", false, room, NULL), ORIEL_OK);
    check_bytes("a", room);
    /* Room to spare, as when the shapes are not known yet. */
    ck_assert_int_eq(write_both("b", false, 1001, NULL), ORIEL_OK);
    check_bytes("b", 1008);
    ck_assert_int_eq(folder_count(&home), 2);
}
END_TEST

START_TEST(writes_on_after_short_writes)
{
    faults_arm(FAULTS_SHORT, 0);
    ck_assert_int_eq(write_both("a", false, 400, NULL), ORIEL_OK);
    check_bytes("a", 400);
}
END_TEST

START_TEST(never_overwrites_unasked)
{
    oriel_writer_options options = {false, 400, 0, NULL};
    oriel_writer *writer;

    deny(_i);
    folder_write(&home, "a", "mine", 4);
    ck_assert_int_eq(write_both("a", false, 400, NULL), ORIEL_ERR_ARGUMENT);
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
    deny(_i);
    folder_write(&home, "a", "old", 3);
    ck_assert_int_eq(symlink("nowhere", folder_path(&home, "b")), 0);
    ck_assert_int_eq(write_both("b", false, 400, NULL), ORIEL_ERR_ARGUMENT);
    ck_assert_int_eq(write_both("a", true, 400, NULL), ORIEL_OK);
    ck_assert_int_eq(write_both("b", true, 400, NULL), ORIEL_OK);
    ck_assert_int_eq(write_both("c", true, 400, NULL), ORIEL_OK);
    check_bytes("a", 400);
    check_bytes("b", 400);
    check_bytes("c", 400);
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

START_TEST(abort_leaves_nothing)
{
    oriel_writer_options options = {false, 8, 0, NULL};
    oriel_writer *writer;

    deny(_i);
    ck_assert_int_eq(
        oriel_writer_create(&writer, folder_path(&home, "a"), &options, &err),
        ORIEL_OK);
    ck_assert_int_eq(oriel_writer_write(writer, 0, "data", 4, &err), ORIEL_OK);
    oriel_writer_abort(writer);
    oriel_writer_abort(NULL);
    ck_assert_int_eq(folder_count(&home), 0);
}
END_TEST

static void
check_io_error(void)
{
    ck_assert_int_eq(err.status, ORIEL_ERR_IO);
    ck_assert_int_eq(err.cause, EIO);
    ck_assert_ptr_nonnull(strstr(err.message, home.path));
    ck_assert_ptr_nonnull(strstr(err.message, strerror(EIO)));
}

/* Every system call fails once: an I/O error that names the file, and nothing
   is left, or the old file is. */
START_TEST(survives_every_failing_call)
{
    const bool replace = _i >= 3;
    int n = 0;

    deny(_i % 3);
    for (;; n++) {
        oriel_status status;
        unsigned char *data;
        size_t bytes;

        if (replace)
            folder_write(&home, "a", "old", 3);
        faults_arm(FAULTS_FAIL, n);
        status = write_both("a", replace, 400, NULL);
        if (faults_calls() <= n) {
            ck_assert_int_eq(status, ORIEL_OK);
            break;
        }
        /* Without a file that has no name there is the other way. */
        if (status == ORIEL_OK)
            ck_assert_str_eq(faults_name(), "openat");
        else
            check_io_error();
        data = folder_read(&home, "a", &bytes);
        /* A failure after the name is given is the folder's fsync alone. */
        if (status == ORIEL_OK ||
            (bytes == 448 && strcmp(faults_name(), "fsync") == 0))
            check_bytes("a", 400);
        else if (replace)
            ck_assert_str_eq((char *)data, "old");
        else
            ck_assert_ptr_null(data);
        ck_assert_int_eq(folder_count(&home), data != NULL);
        free(data);
        unlink(folder_path(&home, "a"));
    }
    ck_assert_int_ge(n, 8);
}
END_TEST

/* Killed before any of its calls: the name has nothing or the whole file, and
   without a temporary name nothing else is left either. */
START_TEST(survives_a_kill_anywhere)
{
    int n = 0, complete = 0;

    deny(_i);
    for (;; n++) {
        int status;
        pid_t child = fork();

        if (child == 0) {
            faults_arm(FAULTS_KILL, n);
            _exit(write_both("a", false, 400, NULL) == ORIEL_OK ? 0 : 1);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        if (WIFEXITED(status)) {
            ck_assert_int_eq(WEXITSTATUS(status), 0);
            break;
        }
        ck_assert_int_eq(WTERMSIG(status), SIGKILL);
        if (folder_has(&home, "a")) {
            check_bytes("a", 400);
            unlink(folder_path(&home, "a"));
            complete++;
        }
        if (_i == 0)
            ck_assert_int_eq(folder_count(&home), 0);
    }
    ck_assert_int_ge(n, 7);
    ck_assert_int_ge(complete, 1); /* before the folder's fsync */
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
    };
    uint64_t bytes;

    for (size_t i = 0; i < COUNT(bad); i++) {
        oriel_writer_tensor both[2] = {two_tensors[0], bad[i]};
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
    ck_assert_int_eq(write_both("a", false, 64, NULL), ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "64"));
    /* Data missing. */
    ck_assert_int_eq(
        oriel_writer_create(&writer, folder_path(&home, "a"), &options, &err),
        ORIEL_OK);
    ck_assert_int_eq(oriel_writer_write(writer, 0, "1234", 4, &err), ORIEL_OK);
    ck_assert_int_eq(oriel_writer_finish(writer, &header, &err),
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
        status = write_both("a", false, 400, &hooks);
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

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, writes_the_format_to_the_byte, 0, 3);
    tcase_add_test(tc, writes_on_after_short_writes);
    tcase_add_loop_test(tc, never_overwrites_unasked, 0, 3);
    tcase_add_loop_test(tc, replaces_when_asked, 0, 3);
    tcase_add_test(tc, refuses_what_is_no_place_for_a_file);
    tcase_add_test(tc, refuses_more_than_the_disk_has);
    tcase_add_loop_test(tc, abort_leaves_nothing, 0, 2);
    tcase_add_loop_test(tc, survives_every_failing_call, 0, 6);
    tcase_add_loop_test(tc, survives_a_kill_anywhere, 0, 3);
    tcase_add_test(tc, refuses_impossible_headers);
    tcase_add_test(tc, refuses_a_file_that_does_not_add_up);
    tcase_add_test(tc, survives_every_failing_allocation);
    tcase_add_test(tc, takes_writes_from_many_threads);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
