/* SPDX-License-Identifier: Apache-2.0 */
#include "support/faults.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

enum manner { NONE, FAIL, KILL, SHORT };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum manner manner;
static int at, calls, error;
static const char *failed = "";
static bool no_unnamed, no_noreplace, no_owners;

static void
arm(enum manner how, int when, int with)
{
    manner = how;
    at = when;
    error = with;
    calls = 0;
    failed = "";
}

void
faults_none(void)
{
    arm(NONE, 0, 0);
}

void
faults_fail(int when, int with)
{
    arm(FAIL, when, with);
}

void
faults_kill(int when)
{
    arm(KILL, when, 0);
}

void
faults_short(void)
{
    arm(SHORT, 0, 0);
}

void
faults_deny(bool unnamed_files, bool rename_noreplace)
{
    no_unnamed = unnamed_files;
    no_noreplace = rename_noreplace;
}

void
faults_deny_owners(bool deny)
{
    no_owners = deny;
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
    hit = calls++ == at && (manner == FAIL || manner == KILL);
    if (hit)
        failed = name;
    pthread_mutex_unlock(&lock);
    if (hit && manner == KILL)
        raise(SIGKILL);
    if (hit)
        errno = error;
    return hit;
}

static size_t
some(size_t bytes)
{
    return manner == SHORT && bytes > 1 ? bytes / 2 : bytes;
}

/* A call that is passed on as it is.  The linker gives it these names. */
#define CALL(type, failure, name, parameters, arguments) \
    type __real_##name parameters; \
    type __wrap_##name parameters; \
    type __wrap_##name parameters \
    { \
        return strike(#name) ? (failure) : __real_##name arguments; \
    }

/* clang-format off */
CALL(ssize_t, -1, getrandom, (void *data, size_t bytes, unsigned flags),
     (data, bytes, flags))
CALL(int, -1, flock, (int fd, int how), (fd, how))
CALL(int, -1, fstat, (int fd, struct stat *st), (fd, st))
CALL(int, -1, stat, (const char *path, struct stat *st), (path, st))
CALL(int, -1, fstatat,
     (int folder, const char *path, struct stat *st, int flags),
     (folder, path, st, flags))
CALL(int, -1, ftruncate, (int fd, off_t bytes), (fd, bytes))
CALL(int, -1, fallocate, (int fd, int mode, off_t place, off_t bytes),
     (fd, mode, place, bytes))
CALL(int, -1, fchmod, (int fd, mode_t mode), (fd, mode))
CALL(ssize_t, -1, getxattr,
     (const char *path, const char *name, void *value, size_t bytes),
     (path, name, value, bytes))
CALL(int, -1, fsetxattr,
     (int fd, const char *name, const void *value, size_t bytes, int flags),
     (fd, name, value, bytes, flags))
CALL(int, -1, fremovexattr, (int fd, const char *name), (fd, name))
CALL(int, -1, linkat,
     (int from, const char *old, int to, const char *name, int flags),
     (from, old, to, name, flags))
CALL(int, -1, renameat, (int from, const char *old, int to, const char *name),
     (from, old, to, name))
CALL(int, -1, unlinkat, (int folder, const char *name, int flags),
     (folder, name, flags))
CALL(DIR *, NULL, fdopendir, (int fd), (fd))
CALL(struct dirent *, NULL, readdir, (DIR *entries), (entries))
CALL(int, -1, poll, (struct pollfd *files, nfds_t n, int timeout),
     (files, n, timeout))
/* clang-format on */

int __wrap_fsync(int fd);
int __real_fchown(int fd, uid_t user, gid_t group);
int __real_open(const char *path, int flags, ...);
int __real_openat(int folder, const char *path, int flags, ...);
ssize_t __real_read(int fd, void *data, size_t bytes);
ssize_t __real_pwrite(int fd, const void *data, size_t bytes, off_t place);
int __real_renameat2(int from, const char *old, int to, const char *name,
                     unsigned flags);

int __wrap_fchown(int fd, uid_t user, gid_t group);
int __wrap_open(const char *path, int flags, ...);
int __wrap_openat(int folder, const char *path, int flags, ...);
ssize_t __wrap_read(int fd, void *data, size_t bytes);
ssize_t __wrap_pwrite(int fd, const void *data, size_t bytes, off_t place);
int __wrap_renameat2(int from, const char *old, int to, const char *name,
                     unsigned flags);

/* The disk is not waited for: no test could tell. */
int
__wrap_fsync(int fd)
{
    (void)fd;
    return strike("fsync") ? -1 : 0;
}

int
__wrap_fchown(int fd, uid_t user, gid_t group)
{
    if (no_owners) {
        errno = EPERM;
        return -1;
    }
    return strike("fchown") ? -1 : __real_fchown(fd, user, group);
}

int
__wrap_open(const char *path, int flags, ...)
{
    va_list arguments;
    mode_t mode = 0;

    va_start(arguments, flags);
    if (flags & O_CREAT)
        mode = va_arg(arguments, mode_t);
    va_end(arguments);
    return strike("open") ? -1 : __real_open(path, flags, mode);
}

int
__wrap_openat(int folder, const char *path, int flags, ...)
{
    const bool unnamed = (flags & O_TMPFILE) == O_TMPFILE;
    va_list arguments;
    mode_t mode = 0;

    va_start(arguments, flags);
    if ((flags & O_CREAT) || unnamed)
        mode = va_arg(arguments, mode_t);
    va_end(arguments);
    if (no_unnamed && unnamed) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return strike("openat") ? -1 : __real_openat(folder, path, flags, mode);
}

ssize_t
__wrap_read(int fd, void *data, size_t bytes)
{
    return strike("read") ? -1 : __real_read(fd, data, some(bytes));
}

ssize_t
__wrap_pwrite(int fd, const void *data, size_t bytes, off_t place)
{
    return strike("pwrite") ? -1 : __real_pwrite(fd, data, some(bytes), place);
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
