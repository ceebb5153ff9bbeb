/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fail_call.c - preloaded into the tool: one kind of system call fails
 *
 * FAIL_CALL "open" or "read": the call fails for files whose name ends in
 * FAIL_NAME; "fsync": it fails for folders; "link": always; "pwrite": it fails once
 * FAIL_AFTER bytes were written by it, as on a disk that fills.  FAIL_ERRNO is the errno, as
 * a number.  The errors are those that no test could cause otherwise: a disk that
 * fails, a system with no more files to open.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether FAIL_CALL names this one; sets errno for it. */
static bool
is_asked(const char *call)
{
    const char *name = getenv("FAIL_CALL"), *number = getenv("FAIL_ERRNO");

    if (!name || !number || strcmp(name, call) != 0)
        return false;
    errno = (int)strtol(number, NULL, 10);
    return true;
}

static bool
is_named(const char *path)
{
    const char *end = getenv("FAIL_NAME");
    const size_t length = strlen(path);

    return end && length >= strlen(end) &&
           strcmp(path + length - strlen(end), end) == 0;
}

int
open(const char *path, int flags, ...)
{
    int (*next)(const char *, int, ...) =
        (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    va_list arguments;
    mode_t mode = 0;

    va_start(arguments, flags);
    if (flags & O_CREAT)
        mode = va_arg(arguments, mode_t);
    va_end(arguments);
    if (is_named(path) && is_asked("open"))
        return -1;
    return next(path, flags, mode);
}

ssize_t
read(int fd, void *data, size_t bytes)
{
    ssize_t (*next)(int, void *, size_t) =
        (ssize_t(*)(int, void *, size_t))dlsym(RTLD_NEXT, "read");
    char link[64], path[4096];
    ssize_t length;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    length = readlink(link, path, sizeof(path) - 1);
    path[length > 0 ? length : 0] = '\0';
    if (is_named(path) && is_asked("read"))
        return -1;
    return next(fd, data, bytes);
}

int
fsync(int fd)
{
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    struct stat st;

    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) && is_asked("fsync"))
        return -1;
    return next(fd);
}

int
link(const char *from, const char *to)
{
    int (*next)(const char *, const char *) =
        (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "link");

    return is_asked("link") ? -1 : next(from, to);
}

ssize_t
pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
    static size_t written;
    ssize_t (*next)(int, const void *, size_t, off_t) =
        (ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT,
                                                            "pwrite");
    const char *after = getenv("FAIL_AFTER");

    written += bytes;
    if (after && written > strtoull(after, NULL, 10) && is_asked("pwrite"))
        return -1;
    return next(fd, data, bytes, offset);
}
