/* SPDX-License-Identifier: Apache-2.0 */
/* test_changed.c - weight files that change after they were opened */
#include "model/checkpoint_builder.h"
#include "oriel.h"
#include "support/suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void
truncate_it(const char *path)
{
    ck_assert_int_eq(truncate(path, 40000), 0);
}

static void
append(const char *path)
{
    FILE *f = fopen(path, "ab");

    fputc(0, f);
    fclose(f);
}

/* One byte, and the old time of modification: the time of change tells. */
static void
overwrite(const char *path)
{
    const struct timespec now[2] = {{0, UTIME_OMIT}, {1, 0}};
    int fd = open(path, O_WRONLY);

    ck_assert_int_eq(pwrite(fd, "x", 1, 40000), 1);
    ck_assert_int_eq(futimens(fd, now), 0);
    close(fd);
}

/* Years ago, to the same nanosecond. */
static void
backdate(const char *path)
{
    struct timespec times[2] = {{0, UTIME_OMIT}};
    struct stat info;

    ck_assert_int_eq(stat(path, &info), 0);
    times[1] = info.st_mtim;
    times[1].tv_sec -= 100000000;
    ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* What changes a file's time of change alone may have written to it, too. */
static void
forbid_it(const char *path)
{
    ck_assert_int_eq(chmod(path, 0400), 0);
}

static void
touch(const char *path)
{
    ck_assert_int_eq(utimensat(AT_FDCWD, path, NULL, 0), 0);
}

/* Another file in its place, as downloads and editors put it there. */
static void
replace_it(const char *path)
{
    char other[1100];
    FILE *f;

    snprintf(other, sizeof(other), "%s.new", path);
    f = fopen(other, "wb");
    fputs("other", f);
    fclose(f);
    ck_assert_int_eq(rename(other, path), 0);
}

static void
delete_it(const char *path)
{
    ck_assert_int_eq(unlink(path), 0);
}

static void
leave_it(const char *path)
{
    char byte;
    int fd = open(path, O_RDONLY);

    ck_assert_int_eq(read(fd, &byte, 1), 1); /* the time of access may change */
    close(fd);
}

static const struct {
    void (*change)(const char *path);
    oriel_status status;
} changes[] = {
    {truncate_it, ORIEL_ERR_IO}, {append, ORIEL_ERR_IO},
    {overwrite, ORIEL_ERR_IO},   {touch, ORIEL_ERR_IO},
    {backdate, ORIEL_ERR_IO},    {forbid_it, ORIEL_ERR_IO},
    {replace_it, ORIEL_ERR_IO},  {delete_it, ORIEL_OK},
    {leave_it, ORIEL_OK},
};

START_TEST(a_file_that_changes_is_named)
{
    static const char shard[] = "model-00002-of-00002.safetensors";
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, 2);
    char *folder = temp_checkpoint(b);
    oriel_model *model;
    char digest[33];
    oriel_error err;

    ck_assert_int_eq(oriel_model_open(&model, folder, NULL, &err), ORIEL_OK);
    usleep(20000); /* a tick of the clock that stamps files */
    changes[_i].change(in_folder(folder, shard));
    ck_assert_int_eq(oriel_model_digest(model, digest, &err),
                     changes[_i].status);
    if (changes[_i].status) {
        ck_assert_ptr_nonnull(strstr(err.message, shard));
        ck_assert_ptr_nonnull(
            strstr(err.message, ": changed since it was opened"));
    }
    oriel_model_destroy(model);
    temp_remove(folder);
    builder_free(b);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("changed");
    TCase *tc = tcase_create("changed");

    tcase_add_loop_test(tc, a_file_that_changes_is_named, 0,
                        (int)COUNT(changes));
    suite_add_tcase(s, tc);
    return run_suite(s);
}
