/* SPDX-License-Identifier: Apache-2.0 */
/* fail.c - filling an oriel_error */
#include "base/fail.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* vsnprintf cuts anywhere; a cut must not leave half of a character. */
static void
trim_partial_character(char *text)
{
    size_t n = strlen(text);
    size_t start = n;

    while (start > 0 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
        start--;
    if (start == 0)
        return;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t wanted = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (n - (start - 1) < wanted)
        text[start - 1] = '\0';
}

__attribute__((format(printf, 5, 0))) static oriel_status
fill(oriel_error *err, oriel_status status, int64_t item, int32_t cause,
     const char *format, va_list args)
{
    if (!err)
        return status;
    memset(err, 0, sizeof(*err));
    err->status = status;
    err->item = item >= 0 && item <= INT32_MAX ? (int32_t)item : -1;
    err->cause = cause;
    if (vsnprintf(err->message, sizeof(err->message), format, args) >=
        (int)sizeof(err->message))
        trim_partial_character(err->message);
    return status;
}

oriel_status
oriel_ok(oriel_error *err)
{
    if (err) {
        memset(err, 0, sizeof(*err));
        err->item = -1;
    }
    return ORIEL_OK;
}

oriel_status
oriel_fail(oriel_error *err, oriel_status status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fill(err, status, -1, 0, format, args);
    va_end(args);
    return status;
}

oriel_status
oriel_fail_item(oriel_error *err, oriel_status status, int64_t item,
                const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fill(err, status, item, 0, format, args);
    va_end(args);
    return status;
}

oriel_status
oriel_fail_cause(oriel_error *err, oriel_status status, int32_t cause,
                 const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fill(err, status, -1, cause, format, args);
    va_end(args);
    return status;
}

oriel_status
oriel_errno_status(int error, oriel_status otherwise)
{
    switch (error) {
    case ENOMEM:
        return ORIEL_ERR_MEMORY;
    case EIO:
    case ENOSPC:
    case EMFILE:
    case ENFILE:
        return ORIEL_ERR_IO;
    default:
        return otherwise;
    }
}

/* Whether there are addresses for a library: the largest, oneDNN, is of 40 MB. */
static bool
has_addresses(void)
{
    const size_t bytes = (size_t)64 << 20;
    void *place = mmap(NULL, bytes, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (place == MAP_FAILED)
        return false;
    munmap(place, bytes);
    return true;
}

oriel_status
oriel_load_status(const char *reason, oriel_status otherwise)
{
    static const int errors[] = {ENOMEM, EIO, ENOSPC, EMFILE, ENFILE};
    char text[128];

    /* glibc does not say why: no memory, or a file system without execution. */
    if (strstr(reason, "failed to map segment") && !has_addresses())
        return ORIEL_ERR_MEMORY;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        if (strstr(reason, strerror_r(errors[i], text, sizeof(text))))
            return oriel_errno_status(errors[i], otherwise);
    return otherwise;
}

oriel_status
oriel_fail_memory(oriel_error *err, size_t bytes, const char *what)
{
    return oriel_fail(err, ORIEL_ERR_MEMORY,
                      "out of memory: wanted %zu bytes for %s", bytes, what);
}

/* Escape the character at 'p' into 'out' (at least 12 bytes); its lengths. */
static size_t
escape_one(const unsigned char *p, size_t left, char *out, size_t *consumed)
{
    size_t n = oriel_utf8_length(p, left);

    if (n > 0 && !oriel_utf8_is_control(p, n)) {
        memcpy(out, p, n);
        *consumed = n;
        return n;
    }
    *consumed = n > 0 ? n : 1;
    for (size_t i = 0; i < *consumed; i++)
        snprintf(out + 4 * i, 5, "\\x%02x", p[i]);
    return 4 * *consumed;
}

enum { ESCAPED_MAX = 16, DOTS = 3 };

/* Whole characters from the front, at most 'room' bytes of them. */
static size_t
quote_front(const unsigned char *p, size_t n, char *out, size_t room,
            size_t *used)
{
    char one[ESCAPED_MAX];
    size_t length = 0;
    size_t at = 0;

    while (at < n) {
        size_t consumed;
        size_t width = escape_one(p + at, n - at, one, &consumed);

        if (length + width > room)
            break;
        memcpy(out + length, one, width);
        length += width;
        at += consumed;
    }
    *used = at;
    return length;
}

oriel_quoted
oriel_quote_bytes(const char *text, size_t n_bytes)
{
    const unsigned char *p = (const unsigned char *)text;
    oriel_quoted q;
    const size_t room = sizeof(q.text) - 1;
    const size_t half = (room - DOTS) / 2;
    size_t used;
    size_t length = quote_front(p, n_bytes, q.text, room, &used);

    if (used < n_bytes) {
        length = quote_front(p, n_bytes, q.text, half, &used);
        memcpy(q.text + length, "...", DOTS);
        length += DOTS;
        /* The longest tail whose escaped form fits: start a little early,
           then drop characters from its front until it does. */
        size_t from = n_bytes > half ? n_bytes - half : 0;
        size_t width;

        if (from < used)
            from = used;
        for (;; from++) {
            while (from < n_bytes && (p[from] & 0xc0) == 0x80)
                from++;
            width = quote_front(p + from, n_bytes - from, q.text + length,
                                room - length, &used);
            if (from + used == n_bytes)
                break;
        }
        length += width;
    }
    q.text[length] = '\0';
    return q;
}

oriel_quoted
oriel_quote(const char *text)
{
    return oriel_quote_bytes(text, strlen(text));
}
