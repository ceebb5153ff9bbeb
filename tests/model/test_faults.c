/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_faults.c - every system call that opening and reading makes, failed in
 * turn, interrupted, or giving less than asked for
 *
 * Linked with --wrap, so that the library's calls come here first.
 */
#include "model/alloc_counter.h"
#include "model/checkpoint_builder.h"
#include "model/file.h"
#include "model/model_folders.h"
#include "oriel.h"
#include "support/suite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    long calls;    /* so far */
    long fail_at;  /* counted from 1; 0: none */
    int error;     /* the errno of that call */
    int interrupt; /* every other call is interrupted first */
    int few;       /* reads give at most 7 bytes */
    int end;       /* files end before what is read */
    int open;      /* descriptors */
} fault;

static int
fails(void)
{
    if (++fault.calls != fault.fail_at)
        return 0;
    errno = fault.error;
    return 1;
}

/* Calls that are not made again here fail on the first try of each. */
static int
is_interrupted(void)
{
    static int turn;

    if (!fault.interrupt || turn++ % 2 != 0)
        return 0;
    errno = EINTR;
    return 1;
}

DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);
struct dirent *__real_readdir(DIR *dir);
struct dirent *__wrap_readdir(DIR *dir);
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_close(int fd);
int __wrap_close(int fd);
int __real_fstat(int fd, struct stat *info);
int __wrap_fstat(int fd, struct stat *info);
int __real_stat(const char *path, struct stat *info);
int __wrap_stat(const char *path, struct stat *info);
ssize_t __real_pread(int fd, void *out, size_t bytes, off_t offset);
ssize_t __wrap_pread(int fd, void *out, size_t bytes, off_t offset);

int
__wrap_open(const char *path, int flags, ...)
{
    int fd = fails() || is_interrupted() ? -1 : __real_open(path, flags);

    fault.open += fd >= 0;
    return fd;
}

int
__wrap_close(int fd)
{
    fault.open--;
    return __real_close(fd);
}

int
__wrap_fstat(int fd, struct stat *info)
{
    return fails() || is_interrupted() ? -1 : __real_fstat(fd, info);
}

int
__wrap_stat(const char *path, struct stat *info)
{
    return fails() || is_interrupted() ? -1 : __real_stat(path, info);
}

ssize_t
__wrap_pread(int fd, void *out, size_t bytes, off_t offset)
{
    if (fails() || is_interrupted())
        return -1;
    if (fault.end)
        return 0;
    return __real_pread(fd, out, fault.few && bytes > 7 ? 7 : bytes, offset);
}

DIR *
__wrap_opendir(const char *path)
{
    return fails() ? NULL : __real_opendir(path);
}

struct dirent *
__wrap_readdir(DIR *dir)
{
    return fails() ? NULL : __real_readdir(dir);
}

static oriel_status
whole_life(const char *folder, char digest[33], oriel_error *err)
{
    alloc_counter l = {0};
    oriel_hooks hooks = alloc_counter_hooks(&l);
    oriel_model_options options = ORIEL_MODEL_OPTIONS_INIT;
    oriel_model *model;
    oriel_status status;

    options.hooks = &hooks;
    fault.calls = 0;
    status = oriel_model_open(&model, folder, &options, err);
    if (!status)
        status = oriel_model_digest(model, digest, err);
    oriel_model_destroy(model);
    if (l.live != 0 || fault.open != 0)
        ck_abort_msg("call %ld: %ld blocks and %d descriptors leak",
                     fault.fail_at, l.live, fault.open);
    return status;
}

/* ---- What is opened, and what is refused ------------------------------------ */

/* TOP/m, of one file or of two shards. */
static void
make(const char *top, int n_shards)
{
    put_model(top, "m", n_shards, true);
    write_text(top, "m/processor_config.json", "{}");
}

static void
one_file(const char *top)
{
    make(top, 0);
}

static void
one_shard(const char *top)
{
    make(top, 1);
}

static void
two_shards(const char *top)
{
    make(top, 2);
}

/* The index names the second shard for nothing that is in it. */
static void
unknown_shard(const char *top)
{
    static char text[65536] = "{\"weight_map\":{\"lm_head.weight\":"
                              "\"model-00002-of-00002.safetensors\"";
    checkpoint_builder *b = builder_create("visual.", "F16", 0, 0);

    two_shards(top);
    for (int i = 0; i < b->n_tensors; i++) {
        char *at = text + strlen(text);

        snprintf(at, sizeof(text) - (size_t)(at - text),
                 ",\"%s\":\"model-00001-of-00002.safetensors\"",
                 b->tensors[i].name);
    }
    strcat(text, "}}");
    write_text(top, "m/model.safetensors.index.json", text);
    builder_free(b);
}

static void
cache(const char *top)
{
    put_model(top, "m/snapshots/abc", 0, true);
}

static void
cache_with_ref(const char *top)
{
    cache(top);
    make_folders(top, "m/refs");
    write_text(top, "m/refs/main", "abc");
}

static void
no_config(const char *top)
{
    one_file(top);
    unlink(in_folder(top, "m/config.json"));
}

static void
gguf(const char *top)
{
    one_file(top);
    write_text(top, "m/model.safetensors", "GGUF\3");
}

static const struct {
    void (*make)(const char *top);
    const char *path;
    oriel_status status; /* without a fault */
    int least, hints;    /* calls; those whose failing is passed over */
} lives[] = {
    {one_file, "m", ORIEL_OK, 60, 0},
    {one_shard, "m", ORIEL_OK, 60, 0},
    {two_shards, "m", ORIEL_OK, 60, 0},
    {one_file, "m/model.safetensors", ORIEL_OK, 60, 0},
    {two_shards, "m/model.safetensors.index.json", ORIEL_OK, 60, 0},
    {unknown_shard, "m", ORIEL_OK, 60, 0},
    {cache, "m", ORIEL_OK, 60, 0},
    {cache_with_ref, "m", ORIEL_OK, 60, 0},
    {no_config, "m", ORIEL_ERR_NOT_FOUND, 20, 0},
    {gguf, "m", ORIEL_ERR_UNSUPPORTED, 5, 0},
    /* Whether there is an index beside it. */
    {two_shards, "m/model-00001-of-00002.safetensors", ORIEL_ERR_MODEL, 8, 1},
};

START_TEST(every_call_may_fail)
{
    static const struct {
        int error;
        oriel_status status;
    } errors[] = {{EIO, ORIEL_ERR_IO},
                  {EACCES, ORIEL_ERR_IO},
                  {EMFILE, ORIEL_ERR_IO},
                  {ENOMEM, ORIEL_ERR_MEMORY}};
    char *top = temp_folder();
    const char *path;
    char digest[33];
    oriel_error err;
    long n;

    lives[_i].make(top);
    path = in_folder(top, lives[_i].path);
    ck_assert_msg(whole_life(path, digest, &err) == lives[_i].status, "%s",
                  err.message);
    n = fault.calls;
    ck_assert_int_gt(n, lives[_i].least);
    for (size_t e = 0; e < COUNT(errors); e++) {
        int passed_over = 0;

        for (fault.fail_at = 1; fault.fail_at <= n; fault.fail_at++) {
            oriel_status status;

            fault.error = errors[e].error;
            status = whole_life(path, digest, &err);
            if (lives[_i].status && status == lives[_i].status)
                passed_over++;
            else if (status != errors[e].status || err.status != status ||
                     err.cause != errors[e].error || !strstr(err.message, top))
                ck_abort_msg("call %ld, errno %d: %d %s", fault.fail_at,
                             errors[e].error, err.status, err.message);
        }
        ck_assert_int_eq(passed_over, lives[_i].hints);
    }
    fault.fail_at = 0;
    temp_remove(top);
}
END_TEST

/* As on a disk of a network that has lost the end of a file. */
START_TEST(a_read_that_comes_short_is_an_error)
{
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, 0);
    char *folder = temp_checkpoint(b);
    oriel_model *model;
    char digest[33];
    oriel_error err;

    ck_assert_int_eq(oriel_model_open(&model, folder, NULL, &err), ORIEL_OK);
    fault.end = 1;
    ck_assert_int_eq(oriel_model_digest(model, digest, &err), ORIEL_ERR_IO);
    fault.end = 0;
    ck_assert_ptr_nonnull(strstr(err.message, "/model.safetensors: read came "
                                              "short: expected "));
    ck_assert_ptr_nonnull(strstr(err.message, " bytes at offset "));
    oriel_model_destroy(model);
    temp_remove(folder);
    builder_free(b);
}
END_TEST

START_TEST(a_read_beyond_the_end_is_an_error)
{
    char out[4] = "abc";
    oriel_file *file;
    oriel_error err;

    ck_assert_int_eq(oriel_file_wrap(&file, "f", "1234", 4, NULL, &err),
                     ORIEL_OK);
    ck_assert_int_eq(oriel_file_read(file, 5, out, 0, &err), ORIEL_ERR_IO);
    ck_assert_str_eq(err.message,
                     "f: read came short: expected 0 bytes at offset 5");
    ck_assert_int_eq(oriel_file_read(file, 3, out, 2, &err), ORIEL_ERR_IO);
    ck_assert_str_eq(err.message,
                     "f: read came short: expected 2 bytes at offset 3");
    ck_assert_str_eq(out, "abc");
    ck_assert_int_eq(oriel_file_read(file, 4, out, 0, &err), ORIEL_OK);
    ck_assert_uint_eq(oriel_file_bytes_read(file), 0);
    oriel_file_close(file);
}
END_TEST

START_TEST(interruptions_and_short_reads_do_not_matter)
{
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, _i);
    char *folder = temp_checkpoint(b);
    char digest[33], again[33];
    oriel_error err;
    long n;

    ck_assert_int_eq(whole_life(folder, digest, &err), ORIEL_OK);
    n = fault.calls;
    fault.interrupt = 1;
    fault.few = 1;
    ck_assert_msg(whole_life(folder, again, &err) == ORIEL_OK, "%s",
                  err.message);
    ck_assert_str_eq(digest, again);
    ck_assert_int_gt(fault.calls, 10 * n);
    temp_remove(folder);
    builder_free(b);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("faults");
    TCase *tc = tcase_create("faults");

    tcase_add_loop_test(tc, every_call_may_fail, 0, (int)COUNT(lives));
    tcase_add_test(tc, a_read_that_comes_short_is_an_error);
    tcase_add_test(tc, a_read_beyond_the_end_is_an_error);
    tcase_add_loop_test(tc, interruptions_and_short_reads_do_not_matter, 0, 3);
    tcase_set_timeout(tc, 120);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
