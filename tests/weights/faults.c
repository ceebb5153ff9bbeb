/* SPDX-License-Identifier: Apache-2.0 */
#include "weights/faults.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum faults_manner manner;
static int at, calls;
static const char *failed = "";
static bool no_unnamed, no_noreplace;

void
faults_arm(enum faults_manner how, int when)
{
    manner = how;
    at = when;
    calls = 0;
    failed = "";
}

void
faults_deny(bool unnamed_files, bool rename_noreplace)
{
    no_unnamed = unnamed_files;
    no_noreplace = rename_noreplace;
}

int
faults_calls(void)
{
    return calls;
}

const char *
faults_name(void)
{
    return failed;
}

/* Whether this call is to fail. */
static bool
strike(const char *name)
{
    bool hit;

    pthread_mutex_lock(&lock);
    hit = calls++ == at && (manner == FAULTS_FAIL || manner == FAULTS_KILL);
    if (hit)
        failed = name;
    pthread_mutex_unlock(&lock);
    if (hit && manner == FAULTS_KILL)
        raise(SIGKILL);
    if (hit)
        errno = EIO;
    return hit;
}

/* The linker gives them these names. */
int __real_openat(int folder, const char *path, int flags, ...);
ssize_t __real_pwrite(int fd, const void *data, size_t bytes, off_t at);
int __real_ftruncate(int fd, off_t bytes);
int __real_fallocate(int fd, int mode, off_t at, off_t bytes);
int __real_fsync(int fd);
int __real_linkat(int from, const char *old, int to, const char *name, int f);
int __real_renameat(int from, const char *old, int to, const char *name);
int __real_renameat2(int from, const char *old, int to, const char *name,
                     unsigned flags);

int __wrap_openat(int folder, const char *path, int flags, ...);
ssize_t __wrap_pwrite(int fd, const void *data, size_t bytes, off_t place);
int __wrap_ftruncate(int fd, off_t bytes);
int __wrap_fallocate(int fd, int mode, off_t place, off_t bytes);
int __wrap_fsync(int fd);
int __wrap_linkat(int from, const char *old, int to, const char *name, int f);
int __wrap_renameat(int from, const char *old, int to, const char *name);
int __wrap_renameat2(int from, const char *old, int to, const char *name,
                     unsigned flags);

int
__wrap_openat(int folder, const char *path, int flags, ...)
{
    va_list arguments;
    mode_t mode;

    va_start(arguments, flags);
    mode = va_arg(arguments, mode_t);
    va_end(arguments);
    if (no_unnamed && (flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return strike("openat") ? -1 : __real_openat(folder, path, flags, mode);
}

ssize_t
__wrap_pwrite(int fd, const void *data, size_t bytes, off_t place)
{
    if (strike("pwrite"))
        return -1;
    if (manner == FAULTS_SHORT && bytes > 1)
        bytes /= 2;
    return __real_pwrite(fd, data, bytes, place);
}

int
__wrap_ftruncate(int fd, off_t bytes)
{
    return strike("ftruncate") ? -1 : __real_ftruncate(fd, bytes);
}

int
__wrap_fallocate(int fd, int mode, off_t place, off_t bytes)
{
    return strike("fallocate") ? -1 : __real_fallocate(fd, mode, place, bytes);
}

int
__wrap_fsync(int fd)
{
    return strike("fsync") ? -1 : __real_fsync(fd);
}

int
__wrap_linkat(int from, const char *old, int to, const char *name, int flags)
{
    return strike("linkat") ? -1 : __real_linkat(from, old, to, name, flags);
}

int
__wrap_renameat(int from, const char *old, int to, const char *name)
{
    return strike("renameat") ? -1 : __real_renameat(from, old, to, name);
}

int
__wrap_renameat2(int from, const char *old, int to, const char *name,
                 unsigned flags)
{
    if (no_noreplace && flags) {
        errno = EINVAL;
        return -1;
    }
    return strike("renameat2") ? -1
                               : __real_renameat2(from, old, to, name, flags);
}
