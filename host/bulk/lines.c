/* SPDX-License-Identifier: Apache-2.0 */
/* lines.c - the names of a list, one after the other, while it is being written */
#include "bulk/lines.h"

#include "base/fail.h"
#include "bulk/entry.h"
#include "cli/list.h"
#include "cli/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_BYTES ((size_t)64 << 10)
#define LINE_BYTES_MAX ((size_t)16 << 20)
#define WHOLE_BYTES_MAX ((size_t)4 << 30) /* of UTF-16 */

enum { LOOK_UP_MS = 100 };

struct bulk_lines {
    int fd;
    bool null_names, ended;
    bool begun; /* a byte order mark was looked for */
    char *text; /* [capacity + 1]; unread is text[first .. n - 1] */
    size_t first, n, capacity;
};

oriel_status
bulk_lines_open(bulk_lines **out, const char *name, bool null_names,
                const char *head, size_t n_head, oriel_error *err)
{
    bulk_lines *lines = calloc(1, sizeof(*lines));

    *out = NULL;
    if (lines) {
        lines->capacity = FIRST_BYTES;
        lines->text = malloc(FIRST_BYTES + 1);
    }
    if (!lines || !lines->text) {
        free(lines);
        return oriel_fail_memory(err, FIRST_BYTES, "a list of names");
    }
    lines->null_names = null_names;
    lines->fd = STDIN_FILENO;
    memcpy(lines->text, head, n_head);
    lines->n = n_head;
    if (name)
        lines->fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (lines->fd < 0) {
        oriel_status status = bulk_fail_errno(err, "cannot be opened");

        bulk_lines_close(lines);
        return status;
    }
    *out = lines;
    return oriel_ok(err);
}

/* More bytes, or the end.  A signal must end the wait for a silent pipe. */
static oriel_status
read_more(bulk_lines *lines, oriel_error *err)
{
    for (;;) {
        struct pollfd file = {.fd = lines->fd, .events = POLLIN};
        ssize_t got;

        if (cli_signal_caught())
            return oriel_fail(err, ORIEL_ERR_CANCELLED, "stopped by a signal");
        if (poll(&file, 1, LOOK_UP_MS) == 0)
            continue;
        got =
            read(lines->fd, lines->text + lines->n, lines->capacity - lines->n);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got < 0)
            return bulk_fail_errno(err, "cannot be read");
        lines->n += (size_t)got;
        lines->ended = got == 0;
        return oriel_ok(err);
    }
}

/* Room for more after the unread bytes. */
static oriel_status
make_room(bulk_lines *lines, size_t limit, oriel_error *err)
{
    char *larger;

    memmove(lines->text, lines->text + lines->first, lines->n - lines->first);
    lines->n -= lines->first;
    lines->first = 0;
    if (lines->n < lines->capacity)
        return ORIEL_OK;
    if (lines->capacity >= limit)
        return oriel_fail(err, ORIEL_ERR_INPUT,
                          "the list has a name of more than %zu bytes", limit);
    larger = realloc(lines->text, 2 * lines->capacity + 1);
    if (!larger)
        return oriel_fail_memory(err, 2 * lines->capacity, "a list of names");
    lines->text = larger;
    lines->capacity *= 2;
    return ORIEL_OK;
}

/* Take a byte order mark off; of UTF-16 the whole list is read first. */
static oriel_status
begin(bulk_lines *lines, oriel_error *err)
{
    oriel_status status = ORIEL_OK;
    bool wide;

    lines->begun = true;
    while (!status && !lines->ended && lines->n < 3)
        status = read_more(lines, err);
    if (status || lines->null_names)
        return status;
    wide = lines->n >= 2 && (memcmp(lines->text, "\xff\xfe", 2) == 0 ||
                             memcmp(lines->text, "\xfe\xff", 2) == 0);
    while (!status && wide && !lines->ended) {
        status = make_room(lines, WHOLE_BYTES_MAX, err);
        if (!status)
            status = read_more(lines, err);
    }
    if (status)
        return status;
    lines->text[lines->n] = '\0';
    status = cli_list_decode(&lines->text, &lines->n, err);
    if (wide) /* its text is another one now, and nothing is appended */
        lines->capacity = lines->n;
    return status;
}

/* Whether a name with its end is there; the last one needs none. */
static bool
has_name(const bulk_lines *lines)
{
    const char *text = lines->text + lines->first;
    size_t n = lines->n - lines->first;

    return (lines->ended && n > 0) ||
           memchr(text, lines->null_names ? '\0' : '\n', n) != NULL;
}

static oriel_status
take_name(bulk_lines *lines, char **name, oriel_error *err)
{
    char *text = lines->text + lines->first, *end = lines->text + lines->n;
    char *stop = memchr(text, '\n', (size_t)(end - text));

    *end = '\0';
    *name = text;
    /* A NUL in a list of lines would cut a name in two unnoticed. */
    if (!lines->null_names &&
        memchr(text, '\0', (size_t)((stop ? stop : end) - text)))
        return oriel_fail(err, ORIEL_ERR_INPUT,
                          "the list of inputs has a NUL byte: is it one for "
                          "--null?");
    if (lines->null_names)
        text += strlen(text) + 1;
    else
        *name = cli_list_next_line(&text, end);
    lines->first = text < end ? (size_t)(text - lines->text) : lines->n;
    return oriel_ok(err);
}

oriel_status
bulk_lines_next(bulk_lines *lines, char **name, oriel_error *err)
{
    oriel_status status = lines->begun ? ORIEL_OK : begin(lines, err);

    *name = NULL;
    while (!status) {
        if (has_name(lines)) {
            status = take_name(lines, name, err);
            if (status)
                break;
            if (**name)
                return oriel_ok(err);
            continue;
        }
        *name = NULL;
        if (lines->ended)
            return oriel_ok(err);
        status = make_room(lines, LINE_BYTES_MAX, err);
        if (!status)
            status = read_more(lines, err);
    }
    *name = NULL;
    return status;
}

void
bulk_lines_close(bulk_lines *lines)
{
    if (!lines)
        return;
    if (lines->fd > STDIN_FILENO)
        close(lines->fd);
    free(lines->text);
    free(lines);
}
