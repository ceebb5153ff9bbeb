/* SPDX-License-Identifier: Apache-2.0 */
/* file.c - positioned reads, counted */
#include "model/file.h"

#include "base/fail.h"
#include "base/retry.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct oriel_file {
    oriel_hooks hooks;
    char *name;
    const uint8_t *memory; /* NULL: read from fd */
    int fd;
    uint64_t bytes;
    struct timespec modified, changed; /* when it was opened */
    /* Statistics of a file that is otherwise immutable. */
    _Atomic uint64_t bytes_read;
};

/* NULL, and said so, when memory is out. */
static oriel_file *
create(const char *name, const oriel_hooks *hooks, oriel_error *err)
{
    oriel_file *file = oriel_calloc(hooks, 1, sizeof(*file));

    if (!file) {
        oriel_fail_memory(err, sizeof(*file), "a file");
        return NULL;
    }
    if (hooks)
        file->hooks = *hooks;
    file->fd = -1;
    file->name = oriel_strdup(hooks, name);
    if (!file->name) {
        oriel_file_close(file);
        oriel_fail_memory(err, strlen(name) + 1, "a file name");
        return NULL;
    }
    return file;
}

static oriel_status
status_of(int cause)
{
    switch (cause) {
    case ENOENT:
    case ENOTDIR:
        return ORIEL_ERR_NOT_FOUND;
    case ENAMETOOLONG:
    case ELOOP:
    case ENXIO: /* a socket, or a device that is not there */
        return ORIEL_ERR_MODEL;
    case ENOMEM:
        return ORIEL_ERR_MEMORY;
    default:
        return ORIEL_ERR_IO;
    }
}

oriel_status
oriel_file_fail(oriel_error *err, const char *path, const char *doing,
                int cause)
{
    char text[128];

    return oriel_fail_cause(err, status_of(cause), cause, "%s: %s: %s",
                            ORIEL_QUOTE(path), doing,
                            strerror_r(cause, text, sizeof(text)));
}

oriel_status
oriel_file_open(oriel_file **out, const char *path, const oriel_hooks *hooks,
                oriel_error *err)
{
    struct stat info;
    oriel_file *file = create(path, hooks, err);
    oriel_status status;

    *out = NULL;
    if (!file)
        return ORIEL_ERR_MEMORY;
    /* Without O_NONBLOCK a FIFO in a file's place would hang us. */
    ORIEL_RETRY(file->fd, open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file->fd < 0 || oriel_fstat(file->fd, &info) != 0) {
        status = oriel_file_fail(err, path, "cannot open", errno);
        goto unwind;
    }
    if (!S_ISREG(info.st_mode)) {
        status = oriel_fail(err, ORIEL_ERR_MODEL, "%s: expected a regular file",
                            ORIEL_QUOTE(path));
        goto unwind;
    }
    file->bytes = (uint64_t)info.st_size;
    file->modified = info.st_mtim;
    file->changed = info.st_ctim;
    *out = file;
    return ORIEL_OK;

unwind:
    oriel_file_close(file);
    return status;
}

oriel_status
oriel_file_wrap(oriel_file **out, const char *name, const void *memory,
                size_t bytes, const oriel_hooks *hooks, oriel_error *err)
{
    oriel_file *file = create(name, hooks, err);

    *out = file;
    if (!file)
        return ORIEL_ERR_MEMORY;
    file->memory = memory;
    file->bytes = bytes;
    return ORIEL_OK;
}

static oriel_status
fail_short(oriel_error *err, const oriel_file *file, uint64_t offset,
           size_t bytes)
{
    return oriel_fail(err, ORIEL_ERR_IO,
                      "%s: read came short: expected %zu bytes at offset "
                      "%" PRIu64,
                      ORIEL_QUOTE(file->name), bytes, offset);
}

static bool
is_same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* Losing its last name changes a file's time of change, but not what is read:
   no other process can open it any more.  Only a file of that name that is now
   in its place would be taken for it. */
static bool
is_deleted(const oriel_file *file, const struct stat *info)
{
    struct stat other;

    return info->st_nlink == 0 && oriel_stat(file->name, &other) != 0;
}

/* What was read so far belongs together only if the file was not written in
   between. */
static oriel_status
check_unchanged(const oriel_file *file, oriel_error *err)
{
    struct stat info;

    if (oriel_fstat(file->fd, &info) != 0)
        return oriel_file_fail(err, file->name, "cannot read", errno);
    if ((uint64_t)info.st_size == file->bytes &&
        is_same_time(info.st_mtim, file->modified) &&
        (is_same_time(info.st_ctim, file->changed) || is_deleted(file, &info)))
        return ORIEL_OK;
    return oriel_fail(err, ORIEL_ERR_IO, "%s: changed since it was opened",
                      ORIEL_QUOTE(file->name));
}

static oriel_status
read_fd(const oriel_file *file, uint64_t offset, uint8_t *out, size_t bytes,
        oriel_error *err)
{
    size_t done = 0;
    oriel_status status;

    while (done < bytes) {
        ssize_t n =
            pread(file->fd, out + done, bytes - done, (off_t)(offset + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return oriel_file_fail(err, file->name, "cannot read", errno);
        if (n == 0)
            break;
        done += (size_t)n;
    }
    status = check_unchanged(file, err);
    if (!status && done < bytes)
        status = fail_short(err, file, offset, bytes);
    return status;
}

oriel_status
oriel_file_read(const oriel_file *file, uint64_t offset, void *out,
                size_t bytes, oriel_error *err)
{
    oriel_status status = ORIEL_OK;

    if (offset > file->bytes || bytes > file->bytes - offset)
        return fail_short(err, file, offset, bytes);
    if (bytes == 0)
        return ORIEL_OK;
    if (file->memory)
        memcpy(out, file->memory + offset, bytes);
    else
        status = read_fd(file, offset, out, bytes, err);
    if (!status)
        atomic_fetch_add_explicit(&((oriel_file *)file)->bytes_read, bytes,
                                  memory_order_relaxed);
    return status;
}

oriel_status
oriel_file_load(const oriel_file *file, size_t limit, char **text,
                size_t *bytes, oriel_error *err)
{
    oriel_status status;
    size_t n;

    *text = NULL;
    *bytes = 0;
    if (file->bytes > limit)
        return oriel_fail(err, ORIEL_ERR_MODEL,
                          "%s: %" PRIu64 " bytes, expected at most %zu",
                          ORIEL_QUOTE(file->name), file->bytes, limit);
    n = (size_t)file->bytes;
    *text = oriel_alloc(&file->hooks, n + 1);
    if (!*text)
        return oriel_fail_memory(err, n + 1, ORIEL_QUOTE(file->name));
    status = oriel_file_read(file, 0, *text, n, err);
    if (status) {
        oriel_free(&file->hooks, *text);
        *text = NULL;
        return status;
    }
    (*text)[n] = '\0';
    *bytes = n;
    return ORIEL_OK;
}

const char *
oriel_file_name(const oriel_file *file)
{
    return file->name;
}

uint64_t
oriel_file_bytes(const oriel_file *file)
{
    return file->bytes;
}

uint64_t
oriel_file_bytes_read(const oriel_file *file)
{
    return atomic_load_explicit(&((oriel_file *)file)->bytes_read,
                                memory_order_relaxed);
}

void
oriel_file_close(oriel_file *file)
{
    if (!file)
        return;
    const oriel_hooks hooks = file->hooks;

    if (file->fd >= 0)
        close(file->fd);
    oriel_free(&hooks, file->name);
    oriel_free(&hooks, file);
}
