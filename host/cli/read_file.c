/* SPDX-License-Identifier: Apache-2.0 */
/* read_file.c - the whole of a file or pipe into memory */
#include "cli/read_file.h"

#include "base/fail.h"
#include "base/retry.h"
#include "cli/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_BYTES ((size_t)64 << 10)

/* How long a pipe may keep a picture waiting: before a first process writes to
   it, and while the one that could does not. */
enum { LOOK_UP_MS = 100, UNWRITTEN_MS = 2000, SILENT_MS = 30000 };

bool
cli_is_url(const char *name)
{
    const size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");

    return n >= 2 && strncmp(name + n, "://", 3) == 0;
}

oriel_status
cli_fail_url(oriel_error *err)
{
    return oriel_fail(
        err, ORIEL_ERR_INPUT,
        "is a URL, and the tool uses no network: in Python, fsspec "
        "opens it and the package oriel takes its bytes");
}

static oriel_status
fail_errno(oriel_error *err, const char *what)
{
    int cause = errno;

    if (cause == EINTR && cli_signal_caught())
        return oriel_fail(err, ORIEL_ERR_CANCELLED, "stopped by a signal");
    return oriel_fail_cause(err, oriel_errno_status(cause, ORIEL_ERR_INPUT),
                            cause, "%s: %s", what, strerror(cause));
}

/*
 * What a file says of its size is where to begin, not what to believe: pipes
 * say nothing, and a file may grow.
 */
static oriel_status
first_capacity(int fd, size_t limit, bool is_picture, size_t *capacity,
               oriel_error *err)
{
    struct stat st;

    *capacity = FIRST_BYTES;
    if (oriel_fstat(fd, &st) != 0)
        return fail_errno(err, "cannot be read");
    if (S_ISDIR(st.st_mode))
        return oriel_fail_cause(err, ORIEL_ERR_INPUT, EISDIR,
                                is_picture
                                    ? "is a folder, expected a file; for "
                                      "folders use oriel extract"
                                    : "is a folder, expected a file");
    if (S_ISREG(st.st_mode)) {
        if ((uint64_t)st.st_size > limit)
            return oriel_fail(err, ORIEL_ERR_INPUT,
                              "has %llu bytes, expected at most %zu",
                              (unsigned long long)st.st_size, limit);
        *capacity = (size_t)st.st_size + 1; /* and one to see the end */
    }
    return ORIEL_OK;
}

/* With room for a NUL after the capacity. */
static bool
grow(char **text, size_t capacity)
{
    char *larger = realloc(*text, capacity + 1);

    if (larger)
        *text = larger;
    return larger != NULL;
}

/*
 * Whether something can be read, or an end be seen, within LOOK_UP_MS.  A pipe
 * may stay silent for ever, and the signal that ends the wait may wake another
 * thread than this one.
 */
static oriel_status
look_up(int fd, bool *ready, oriel_error *err)
{
    struct pollfd file = {.fd = fd, .events = POLLIN};
    int n = poll(&file, 1, LOOK_UP_MS);

    *ready = n > 0;
    if (cli_signal_caught())
        return oriel_fail(err, ORIEL_ERR_CANCELLED, "stopped by a signal");
    if (n < 0 && errno != EINTR)
        return fail_errno(err, "cannot be read");
    return ORIEL_OK;
}

/* A picture's pipe gave nothing for 'silent_ms'. */
static oriel_status
check_patience(bool written, int silent_ms, oriel_error *err)
{
    if (!written && silent_ms >= UNWRITTEN_MS)
        return oriel_fail(err, ORIEL_ERR_INPUT,
                          "is a pipe that no process writes to");
    if (silent_ms >= SILENT_MS)
        return oriel_fail(err, ORIEL_ERR_INPUT,
                          "is a pipe whose writer was silent for %d s",
                          SILENT_MS / 1000);
    return ORIEL_OK;
}

/*
 * The next bytes into 'text': '*got' of them, 0 at the end.  With 'hurried' only
 * as long as a picture may keep the others waiting; 'fd' then does not block.
 */
static oriel_status
read_some(int fd, bool hurried, char *text, size_t room, ssize_t *got,
          oriel_error *err)
{
    oriel_status status = ORIEL_OK;

    for (int silent_ms = 0; !status; silent_ms += LOOK_UP_MS) {
        bool ready;

        status = look_up(fd, &ready, err);
        if (status || (!ready && !hurried))
            continue;
        *got = read(fd, text, room);
        /* Before the first writer an end is there that poll does not see. */
        if (*got > 0 || (*got == 0 && ready))
            return ORIEL_OK;
        if (*got < 0 && errno != EINTR && errno != EAGAIN)
            return fail_errno(err, "cannot be read");
        if (!ready)
            status = check_patience(*got < 0, silent_ms, err);
    }
    return status;
}

static oriel_status
read_all(int fd, size_t limit, cli_head_check *wanted, char **text,
         size_t *bytes, oriel_error *err)
{
    size_t capacity, n = 0;
    oriel_status status =
        first_capacity(fd, limit, wanted != NULL, &capacity, err);

    if (status)
        return status;
    if (!grow(text, capacity))
        return oriel_fail_memory(err, capacity + 1, "a file");
    for (;;) {
        ssize_t got;

        status =
            read_some(fd, wanted != NULL, *text + n, capacity - n, &got, err);
        if (status)
            return status;
        if (got == 0)
            break;
        n += (size_t)got;
        if (n > limit)
            return oriel_fail(err, ORIEL_ERR_INPUT, "has more than %zu bytes",
                              limit);
        if (n < capacity)
            continue;
        if (wanted && !wanted(*text, n))
            break;
        capacity = capacity < limit / 2 ? 2 * capacity : limit + 1;
        if (!grow(text, capacity))
            return oriel_fail_memory(err, capacity + 1, "a file");
    }
    (*text)[n] = '\0';
    *bytes = n;
    return oriel_ok(err);
}

/* What is no picture whatever it gives: not even opened, which may change the
   state of a device.  What cannot be looked at fails when it is opened. */
static oriel_status
check_kind(const char *name, oriel_error *err)
{
    struct stat st;
    const char *kind = NULL;

    if (stat(name, &st) != 0)
        return ORIEL_OK;
    if (S_ISSOCK(st.st_mode))
        kind = "socket";
    else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
        kind = "device";
    if (!kind)
        return ORIEL_OK;
    return oriel_fail(err, ORIEL_ERR_INPUT, "is a %s, expected a file", kind);
}

oriel_status
cli_read_file(const char *name, size_t limit, cli_head_check *wanted,
              char **text, size_t *bytes, oriel_error *err)
{
    int fd = STDIN_FILENO;
    oriel_status status = ORIEL_OK;

    *text = NULL;
    *bytes = 0;
    if (name && wanted)
        status = check_kind(name, err);
    if (status)
        return status;
    if (name) /* without O_NONBLOCK, open waits for the writer of a pipe */
        do
            fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        while (fd < 0 && errno == EINTR && !cli_signal_caught());
    if (fd < 0 && errno == ENOENT && cli_is_url(name))
        return cli_fail_url(err);
    if (fd < 0)
        return fail_errno(err, "cannot be opened");
    status = read_all(fd, limit, wanted, text, bytes, err);
    if (status) {
        free(*text);
        *text = NULL;
    }
    if (name)
        close(fd);
    return status;
}
