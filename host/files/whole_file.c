/* SPDX-License-Identifier: Apache-2.0 */
/* whole_file.c - a file that appears whole or not at all */
#include "files/whole_file.h"

#include "base/fail.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
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
    char temporary[32]; /* its name in the folder; "" while it has none */
};

static oriel_status
fail_errno(oriel_error *err, const oriel_whole_file *file, const char *what)
{
    int cause = errno;

    return oriel_fail_cause(err, ORIEL_ERR_IO, cause, "%s: %s: %s",
                            ORIEL_QUOTE(file->path), what, strerror(cause));
}

static oriel_status
fail_exists(oriel_error *err, const oriel_whole_file *file)
{
    return oriel_fail_cause(err, ORIEL_ERR_ARGUMENT, EEXIST,
                            "%s: exists already and is not to be replaced",
                            ORIEL_QUOTE(file->path));
}

/* Make sure that what bears the name, if anything, may be replaced. */
static oriel_status
check_target(const oriel_whole_file *file, oriel_error *err)
{
    struct stat own, behind;

    if (fstatat(file->folder, file->name, &own, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT)
            return oriel_ok(err);
        return fail_errno(err, file, "cannot look it up");
    }
    if (fstatat(file->folder, file->name, &behind, 0) == 0)
        own = behind;
    if (!S_ISREG(own.st_mode) && !S_ISLNK(own.st_mode))
        return oriel_fail_cause(
            err, ORIEL_ERR_IO, S_ISDIR(own.st_mode) ? EISDIR : EINVAL,
            "%s: is %s; expected the name of a regular file",
            ORIEL_QUOTE(file->path),
            S_ISDIR(own.st_mode) ? "a folder" : "a device or pipe");
    return file->replace ? oriel_ok(err) : fail_exists(err, file);
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
    file->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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

static bool
open_unnamed(oriel_whole_file *file)
{
    char path[48];
    struct stat own, seen;

    file->fd =
        openat(file->folder, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
    if (file->fd < 0)
        return false;
    /* Without /proc it could never be given a name. */
    unnamed_path(path, file->fd);
    if (fstat(file->fd, &own) == 0 && stat(path, &seen) == 0 &&
        own.st_ino == seen.st_ino && own.st_dev == seen.st_dev)
        return true;
    close(file->fd);
    file->fd = -1;
    return false;
}

/* A new temporary name; false when there is no randomness to be had. */
static bool
draw_name(char name[32])
{
    uint64_t word;

    if (getrandom(&word, sizeof(word), 0) != (ssize_t)sizeof(word))
        return false;
    snprintf(name, 32, ".oriel-%016" PRIx64 ".tmp", word);
    return true;
}

static oriel_status
open_named(oriel_whole_file *file, oriel_error *err)
{
    char name[32];

    for (int attempt = 0; attempt < 16; attempt++) {
        if (!draw_name(name))
            break;
        file->fd = openat(file->folder, name,
                          O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
        if (file->fd >= 0) {
            memcpy(file->temporary, name, sizeof(name));
            return oriel_ok(err);
        }
        if (errno != EEXIST)
            break;
    }
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
    if (!status && !open_unnamed(file))
        status = open_named(file, err);
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

/* Give a file without a name a temporary one, so that it can replace. */
static int
link_temporary(oriel_whole_file *file, const char *unnamed)
{
    char name[32];

    for (int attempt = 0; attempt < 16; attempt++) {
        if (!draw_name(name))
            return -1;
        if (linkat(AT_FDCWD, unnamed, file->folder, name, AT_SYMLINK_FOLLOW) ==
            0) {
            memcpy(file->temporary, name, sizeof(name));
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
    if (renameat2(file->folder, file->temporary, file->folder, file->name,
                  RENAME_NOREPLACE) == 0) {
        file->temporary[0] = '\0';
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    /* The temporary name is then abort's to remove. */
    return linkat(file->folder, file->temporary, file->folder, file->name, 0);
}

static int
publish(oriel_whole_file *file)
{
    char unnamed[48];

    unnamed_path(unnamed, file->fd);
    if (!file->replace)
        return file->temporary[0] ? rename_new(file)
                                  : linkat(AT_FDCWD, unnamed, file->folder,
                                           file->name, AT_SYMLINK_FOLLOW);
    if (!file->temporary[0] && link_temporary(file, unnamed) != 0)
        return -1;
    if (renameat(file->folder, file->temporary, file->folder, file->name) != 0)
        return -1;
    file->temporary[0] = '\0';
    return 0;
}

oriel_status
oriel_whole_file_commit(oriel_whole_file *file, uint64_t bytes,
                        oriel_error *err)
{
    oriel_status status = oriel_ok(err);

    if (bytes > INT64_MAX || ftruncate(file->fd, (off_t)bytes) != 0)
        status = fail_errno(err, file, "cannot set its size");
    else if (fsync(file->fd) != 0)
        status = fail_errno(err, file, "cannot put it on the disk");
    else if (publish(file) != 0)
        status = errno == EEXIST
                     ? fail_exists(err, file)
                     : fail_errno(err, file, "cannot give it its name");
    else if (fsync(file->folder) != 0 && errno != EINVAL)
        status = fail_errno(err, file, "cannot put its folder on the disk");
    oriel_whole_file_abort(file);
    return status;
}

void
oriel_whole_file_abort(oriel_whole_file *file)
{
    if (!file)
        return;
    if (file->temporary[0])
        unlinkat(file->folder, file->temporary, 0);
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
