/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.h - what is a character and what is not */
#ifndef ORIEL_BASE_UTF8_H
#define ORIEL_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length of the valid UTF-8 character at 'p', 'left' bytes before the end, or
   0: not one. */
static inline size_t
oriel_utf8_length(const unsigned char *p, size_t left)
{
    uint32_t c = p[0];
    size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;

    if (c < 0x80)
        return 1;
    if (c < 0xc2 || c > 0xf4 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    /* Overlong forms, surrogates, and what lies beyond U+10FFFF. */
    if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f) ||
        (c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

static inline bool
oriel_utf8_is_valid(const char *text, size_t bytes)
{
    const unsigned char *p = (const unsigned char *)text;

    for (size_t at = 0, n; at < bytes; at += n) {
        n = oriel_utf8_length(p + at, bytes - at);
        if (n == 0)
            return false;
    }
    return true;
}

#endif /* ORIEL_BASE_UTF8_H */
