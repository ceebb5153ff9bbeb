/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_faults.c - every system call that opening and reading makes, failed in
 * turn, interrupted, or giving less than asked for
 *
 * Linked with --wrap, so that the library's calls come here first.
 */
#include "model/alloc_counter.h"
#include "model/checkpoint_builder.h"
#include "oriel.h"
#include "support/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    long calls;    /* so far */
    long fail_at;  /* counted from 1; 0: none */
    int error;     /* the errno of that call */
    int interrupt; /* every other read is interrupted first */
    int few;       /* reads give at most 7 bytes */
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
    int fd = fails() ? -1 : __real_open(path, flags);

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
    return fails() ? -1 : __real_fstat(fd, info);
}

int
__wrap_stat(const char *path, struct stat *info)
{
    return fails() ? -1 : __real_stat(path, info);
}

ssize_t
__wrap_pread(int fd, void *out, size_t bytes, off_t offset)
{
    static int turn;

    if (fails())
        return -1;
    if (fault.interrupt && turn++ % 2 == 0) {
        errno = EINTR;
        return -1;
    }
    return __real_pread(fd, out, fault.few && bytes > 7 ? 7 : bytes, offset);
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

START_TEST(every_call_may_fail)
{
    static const struct {
        int error;
        oriel_status status;
    } errors[] = {{EIO, ORIEL_ERR_IO},
                  {EACCES, ORIEL_ERR_IO},
                  {EMFILE, ORIEL_ERR_IO},
                  {ENOMEM, ORIEL_ERR_MEMORY}};
    checkpoint_builder *b = builder_create("visual.", "F16", 0, _i);
    char *folder = temp_checkpoint(b);
    char digest[33];
    oriel_error err;
    long n;

    write_text(folder, "processor_config.json", "{}");
    ck_assert_int_eq(whole_life(folder, digest, &err), ORIEL_OK);
    n = fault.calls;
    ck_assert_int_gt(n, 60);
    for (size_t e = 0; e < COUNT(errors); e++)
        for (fault.fail_at = 1; fault.fail_at <= n; fault.fail_at++) {
            fault.error = errors[e].error;
            if (whole_life(folder, digest, &err) != errors[e].status ||
                err.status != errors[e].status ||
                err.cause != errors[e].error || !strstr(err.message, folder))
                ck_abort_msg("call %ld, errno %d: %d %s", fault.fail_at,
                             errors[e].error, err.status, err.message);
        }
    fault.fail_at = 0;
    temp_remove(folder);
    builder_free(b);
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

    tcase_add_loop_test(tc, every_call_may_fail, 0, 3);
    tcase_add_loop_test(tc, interruptions_and_short_reads_do_not_matter, 0, 3);
    tcase_set_timeout(tc, 120);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
