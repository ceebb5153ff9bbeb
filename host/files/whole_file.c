/* SPDX-License-Identifier: Apache-2.0 */
/* whole_file.c - a file that appears whole or not at all */
#include "files/whole_file.h"

#include "base/fail.h"
#include "base/memory.h"
#include "base/retry.h"
#include "files/access.h"
#include "files/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Start writing pieces of this size back at once: the disk is then busy while
   the next ones are being made, and the fsync at the end finds little to do. */
#define WRITE_BACK_BYTES ((size_t)1 << 20)

struct oriel_whole_file {
    const oriel_hooks *hooks;
    char *path;       /* as the caller wrote it, for messages */
    const char *name; /* its last component, within 'path' */
    int folder;
    int fd;
    bool replace;
    bool has_old; /* there is a file to be replaced, which is 'old' */
    struct stat old;
    oriel_temporary_name temporary; /* in the folder; "" while it has none */
};

static oriel_status
fail_errno(oriel_error *err, const oriel_whole_file *file, const char *what)
{
    int cause = errno;

    return oriel_fail_cause(
        err, cause == ENOMEM ? ORIEL_ERR_MEMORY : ORIEL_ERR_IO, cause,
        "%s: %s: %s", ORIEL_QUOTE(file->path), what, strerror(cause));
}

static oriel_status
fail_exists(oriel_error *err, const oriel_whole_file *file)
{
    return oriel_fail_cause(err, ORIEL_ERR_ARGUMENT, EEXIST,
                            "%s: exists already and is not to be replaced",
                            ORIEL_QUOTE(file->path));
}

static int
look_up(const oriel_whole_file *file, struct stat *st, int flags)
{
    int result;

    ORIEL_RETRY(result, fstatat(file->folder, file->name, st, flags));
    return result;
}

/* What the name leads to, if that is a file: what is replaced by ours.  -1 with
   errno when that cannot be told. */
static int
find_old(oriel_whole_file *file)
{
    struct stat st;

    if (look_up(file, &st, 0) != 0) /* nothing, or a link to nothing */
        return errno == ENOENT || errno == ELOOP ? 0 : -1;
    if (S_ISREG(st.st_mode)) {
        file->has_old = true;
        file->old = st;
    }
    return 0;
}

/* Make sure that what bears the name, if anything, may be replaced. */
static oriel_status
check_target(oriel_whole_file *file, oriel_error *err)
{
    struct stat own, target;

    if (look_up(file, &own, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT)
            return oriel_ok(err);
        return fail_errno(err, file, "cannot look it up");
    }
    if (look_up(file, &target, 0) == 0)
        own = target;
    if (!S_ISREG(own.st_mode) && !S_ISLNK(own.st_mode))
        return oriel_fail_cause(
            err, ORIEL_ERR_IO, S_ISDIR(own.st_mode) ? EISDIR : EINVAL,
            "%s: is %s; expected the name of a regular file",
            ORIEL_QUOTE(file->path),
            S_ISDIR(own.st_mode) ? "a folder" : "a device or pipe");
    if (!file->replace)
        return fail_exists(err, file);
    return find_old(file) == 0 ? oriel_ok(err)
                               : fail_errno(err, file, "cannot look it up");
}

static oriel_status
open_folder(oriel_whole_file *file, oriel_error *err)
{
    char *slash = strrchr(file->path, '/');
    const char *folder = ".";

    file->name = slash ? slash + 1 : file->path;
    if (*file->name == '\0')
        return oriel_fail_cause(err, ORIEL_ERR_IO, EISDIR,
                                "\"%s\": expected the name of a file",
                                ORIEL_QUOTE(file->path));
    if (slash == file->path)
        folder = "/";
    else if (slash) {
        *slash = '\0';
        folder = file->path;
    }
    ORIEL_RETRY(file->folder, open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (slash)
        *slash = '/';
    if (file->folder < 0)
        return fail_errno(err, file, "cannot open its folder");
    return oriel_ok(err);
}

/* The path by which a file without a name can be linked. */
static void
unnamed_path(char path[48], int fd)
{
    snprintf(path, 48, "/proc/self/fd/%d", fd);
}

/* What replaces a file gets that one's permissions in the end, and until then
   is the caller's alone. */
static mode_t
first_mode(const oriel_whole_file *file)
{
    return file->has_old ? 0600 : 0666;
}

static bool
open_unnamed(oriel_whole_file *file)
{
    char path[48];
    struct stat own, seen;
    int result;

    ORIEL_RETRY(file->fd,
                openat(file->folder, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC,
                       first_mode(file)));
    if (file->fd < 0)
        return false;
    /* Without /proc it could never be given a name. */
    unnamed_path(path, file->fd);
    result = oriel_fstat(file->fd, &own);
    if (result == 0)
        ORIEL_RETRY(result, stat(path, &seen));
    if (result == 0 && own.st_ino == seen.st_ino && own.st_dev == seen.st_dev) {
        oriel_temporary_lock(file->fd);
        return true;
    }
    close(file->fd);
    file->fd = -1;
    return false;
}

static oriel_status
open_file(oriel_whole_file *file, oriel_error *err)
{
    if (open_unnamed(file))
        return oriel_ok(err);
    file->fd = oriel_temporary_create(file->folder, first_mode(file),
                                      &file->temporary);
    if (file->fd >= 0)
        return oriel_ok(err);
    file->temporary.text[0] = '\0'; /* not ours to remove */
    return fail_errno(err, file, "cannot create a file in its folder");
}

static oriel_status
reserve(const oriel_whole_file *file, uint64_t bytes, oriel_error *err)
{
    if (bytes == 0)
        return oriel_ok(err);
    if (bytes > INT64_MAX)
        return oriel_fail_cause(err, ORIEL_ERR_IO, EFBIG,
                                "%s: %" PRIu64 " bytes are too many",
                                ORIEL_QUOTE(file->path), bytes);
    while (fallocate(file->fd, 0, 0, (off_t)bytes) != 0) {
        char what[64];

        if (errno == EINTR)
            continue;
        if (errno == EOPNOTSUPP || errno == ENOSYS)
            break; /* a courtesy that this file system does not offer */
        snprintf(what, sizeof(what), "cannot reserve %" PRIu64 " bytes", bytes);
        return fail_errno(err, file, what);
    }
    return oriel_ok(err);
}

oriel_status
oriel_whole_file_create(oriel_whole_file **out, const char *path, bool replace,
                        uint64_t expected_bytes, const oriel_hooks *hooks,
                        oriel_error *err)
{
    oriel_whole_file *file = oriel_calloc(hooks, 1, sizeof(*file));
    oriel_status status;

    *out = NULL;
    if (!file)
        return oriel_fail_memory(err, sizeof(*file), "an output file");
    file->hooks = hooks;
    file->folder = file->fd = -1;
    file->replace = replace;
    file->path = oriel_strdup(hooks, path);
    status = file->path ? open_folder(file, err)
                        : oriel_fail_memory(err, strlen(path) + 1, "a path");
    if (!status)
        status = check_target(file, err);
    if (!status) {
        oriel_temporary_sweep(file->folder);
        status = open_file(file, err);
    }
    if (!status)
        status = reserve(file, expected_bytes, err);
    if (status) {
        oriel_whole_file_abort(file);
        return status;
    }
    *out = file;
    return ORIEL_OK;
}

oriel_status
oriel_whole_file_write(oriel_whole_file *file, uint64_t offset,
                       const void *data, size_t bytes, oriel_error *err)
{
    const char *from = data;
    size_t left = bytes;

    if (offset > INT64_MAX || bytes > INT64_MAX - offset)
        return oriel_fail_cause(err, ORIEL_ERR_IO, EFBIG,
                                "%s: a write beyond the largest file",
                                ORIEL_QUOTE(file->path));
    for (uint64_t at = offset; left > 0;) {
        ssize_t n = pwrite(file->fd, from, left, (off_t)at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = ENOSPC;
        if (n <= 0)
            return fail_errno(err, file, "cannot write");
        from += n;
        at += (uint64_t)n;
        left -= (size_t)n;
    }
    /* Only a hint; errors of the disk are fsync's to report. */
    if (bytes >= WRITE_BACK_BYTES)
        (void)sync_file_range(file->fd, (off_t)offset, (off_t)bytes,
                              SYNC_FILE_RANGE_WRITE);
    return oriel_ok(err);
}

static int
link_file(const char *from, const oriel_whole_file *file, const char *name)
{
    int result;

    ORIEL_RETRY(result,
                linkat(AT_FDCWD, from, file->folder, name, AT_SYMLINK_FOLLOW));
    return result;
}

/* Give a file without a name a temporary one, so that it can replace. */
static int
link_temporary(oriel_whole_file *file, const char *unnamed)
{
    oriel_temporary_name name;

    for (int attempt = 0; attempt < 16; attempt++) {
        if (!oriel_temporary_draw(&name))
            return -1;
        if (link_file(unnamed, file, name.text) == 0) {
            file->temporary = name;
            return 0;
        }
        if (errno != EEXIST)
            return -1;
    }
    return -1;
}

/* Rename, unless the name is taken. */
static int
rename_new(oriel_whole_file *file)
{
    const char *temporary = file->temporary.text;
    int result;

    ORIEL_RETRY(result, renameat2(file->folder, temporary, file->folder,
                                  file->name, RENAME_NOREPLACE));
    if (result == 0) {
        file->temporary.text[0] = '\0';
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    /* The temporary name is then abort's to remove. */
    ORIEL_RETRY(result,
                linkat(file->folder, temporary, file->folder, file->name, 0));
    return result;
}

static int
publish(oriel_whole_file *file)
{
    char unnamed[48];
    int result;

    unnamed_path(unnamed, file->fd);
    if (!file->replace)
        return file->temporary.text[0] ? rename_new(file)
                                       : link_file(unnamed, file, file->name);
    if (!file->temporary.text[0] && link_temporary(file, unnamed) != 0)
        return -1;
    ORIEL_RETRY(result, renameat(file->folder, file->temporary.text,
                                 file->folder, file->name));
    if (result == 0)
        file->temporary.text[0] = '\0';
    return result;
}

static int
put_on_disk(int fd)
{
    int result;

    ORIEL_RETRY(result, fsync(fd));
    return result;
}

/* The file is there and whole: no failure, but not what was promised either. */
static void
sync_folder(const oriel_whole_file *file)
{
    char line[sizeof(oriel_quoted) + 160];

    /* EINVAL: a file system that does not do this. */
    if (put_on_disk(file->folder) == 0 || errno == EINVAL)
        return;
    snprintf(line, sizeof(line),
             "%s: written, perhaps not durable: cannot put its folder on the "
             "disk: %s",
             ORIEL_QUOTE(file->path), strerror(errno));
    oriel_log(file->hooks, ORIEL_LOG_WARNING, line);
}

static int
set_size(const oriel_whole_file *file, uint64_t bytes)
{
    int result;

    if (bytes > INT64_MAX) {
        errno = EFBIG;
        return -1;
    }
    ORIEL_RETRY(result, ftruncate(file->fd, (off_t)bytes));
    return result;
}

/* The permissions of the file that is replaced, as it is now. */
static int
keep_access(oriel_whole_file *file)
{
    if (!file->replace)
        return 0;
    if (find_old(file) != 0)
        return -1;
    return file->has_old ? oriel_access_keep(file->fd, file->path, &file->old)
                         : 0;
}

oriel_status
oriel_whole_file_commit(oriel_whole_file *file, uint64_t bytes,
                        oriel_error *err)
{
    oriel_status status = oriel_ok(err);

    if (set_size(file, bytes) != 0)
        status = fail_errno(err, file, "cannot set its size");
    else if (keep_access(file) != 0)
        status = fail_errno(err, file, "cannot keep the old file's mode");
    else if (put_on_disk(file->fd) != 0)
        status = fail_errno(err, file, "cannot put it on the disk");
    else if (publish(file) != 0)
        status = errno == EEXIST
                     ? fail_exists(err, file)
                     : fail_errno(err, file, "cannot give it its name");
    else
        sync_folder(file);
    oriel_whole_file_abort(file);
    return status;
}

void
oriel_whole_file_abort(oriel_whole_file *file)
{
    if (!file)
        return;
    if (file->temporary.text[0])
        oriel_temporary_remove(file->folder, file->temporary.text);
    if (file->fd >= 0)
        close(file->fd);
    if (file->folder >= 0)
        close(file->folder);
    oriel_free(file->hooks, file->path);
    oriel_free(file->hooks, file);
}

oriel_status
oriel_whole_file_put(const char *path, bool replace, const void *data,
                     size_t bytes, const oriel_hooks *hooks, oriel_error *err)
{
    oriel_whole_file *file;
    oriel_status status =
        oriel_whole_file_create(&file, path, replace, bytes, hooks, err);

    if (!file)
        return status;
    status = oriel_whole_file_write(file, 0, data, bytes, err);
    if (status) {
        oriel_whole_file_abort(file);
        return status;
    }
    return oriel_whole_file_commit(file, bytes, err);
}
