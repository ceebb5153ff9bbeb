/* SPDX-License-Identifier: Apache-2.0 */
/* list.c - the text of a list of names, from whatever editor wrote it */
#include "cli/list.h"

#include "base/checked.h"
#include "base/fail.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static uint32_t
unit_at(const unsigned char *at, bool big_endian)
{
    return big_endian ? (uint32_t)at[0] << 8 | at[1]
                      : (uint32_t)at[1] << 8 | at[0];
}

/* How many bytes the character takes in UTF-8. */
static size_t
put_utf8(char *out, uint32_t c)
{
    unsigned char *p = (unsigned char *)out;

    if (c < 0x80) {
        p[0] = (unsigned char)c;
        return 1;
    }
    if (c < 0x800) {
        p[0] = (unsigned char)(0xc0 | c >> 6);
        p[1] = (unsigned char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        p[0] = (unsigned char)(0xe0 | c >> 12);
        p[1] = (unsigned char)(0x80 | (c >> 6 & 0x3f));
        p[2] = (unsigned char)(0x80 | (c & 0x3f));
        return 3;
    }
    p[0] = (unsigned char)(0xf0 | c >> 18);
    p[1] = (unsigned char)(0x80 | (c >> 12 & 0x3f));
    p[2] = (unsigned char)(0x80 | (c >> 6 & 0x3f));
    p[3] = (unsigned char)(0x80 | (c & 0x3f));
    return 4;
}

/*
 * The character at units[at], which is then moved to the next; false: it is
 * half a pair of surrogates.
 */
static bool
take_utf16(uint32_t *c, const unsigned char *text, size_t bytes, size_t *at,
           bool big_endian)
{
    uint32_t low;

    *c = unit_at(text + *at, big_endian);
    *at += 2;
    if (*c < 0xd800 || *c > 0xdfff)
        return true;
    if (*c > 0xdbff || bytes - *at < 2)
        return false;
    low = unit_at(text + *at, big_endian);
    if (low < 0xdc00 || low > 0xdfff)
        return false;
    *at += 2;
    *c = 0x10000 + ((*c - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

static oriel_status
from_utf16(char **text, size_t *bytes, bool big_endian, oriel_error *err)
{
    const unsigned char *from = (const unsigned char *)*text;
    size_t room, n = 0;
    char *out;

    if (*bytes % 2 != 0)
        return oriel_fail(err, ORIEL_ERR_INPUT,
                          "the list is UTF-16 of %zu bytes, expected an even "
                          "number",
                          *bytes);
    /* Two bytes become three at most, and four become four. */
    if (!oriel_mul_size(&room, *bytes / 2, 3))
        room = SIZE_MAX - 1;
    out = malloc(room + 1);
    if (!out)
        return oriel_fail_memory(err, room + 1, "a list of names");
    for (size_t at = 2; at < *bytes;) {
        size_t start = at;
        uint32_t c;

        if (!take_utf16(&c, from, *bytes, &at, big_endian)) {
            free(out);
            return oriel_fail(err, ORIEL_ERR_INPUT,
                              "the list is UTF-16 with half a surrogate pair "
                              "at byte %zu",
                              start);
        }
        n += put_utf8(out + n, c);
    }
    out[n] = '\0';
    free(*text);
    *text = out;
    *bytes = n;
    return ORIEL_OK;
}

oriel_status
cli_list_decode(char **text, size_t *bytes, oriel_error *err)
{
    oriel_status status = ORIEL_OK;

    if (*bytes >= 3 && memcmp(*text, "\xef\xbb\xbf", 3) == 0) {
        *bytes -= 3;
        memmove(*text, *text + 3, *bytes + 1);
    } else if (*bytes >= 2 && memcmp(*text, "\xff\xfe", 2) == 0)
        status = from_utf16(text, bytes, false, err);
    else if (*bytes >= 2 && memcmp(*text, "\xfe\xff", 2) == 0)
        status = from_utf16(text, bytes, true, err);
    return status ? status : oriel_ok(err);
}

char *
cli_list_next_line(char **text, char *end)
{
    char *line = *text;
    char *stop;

    if (line >= end)
        return NULL;
    stop = memchr(line, '\n', (size_t)(end - line));
    if (!stop)
        stop = end;
    *text = stop + 1;
    if (stop > line && stop[-1] == '\r')
        stop--;
    *stop = '\0';
    return line;
}
