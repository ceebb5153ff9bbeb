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

/*
 * Whether the valid character of 'n' bytes at 'p' is not for a terminal: C0, DEL
 * and C1 controls, the line separators of Unicode, and its marks that turn the
 * direction of what follows.  None is beyond U+FFFF.
 */
static inline bool
oriel_utf8_is_control(const unsigned char *p, size_t n)
{
    if (n == 1)
        return p[0] < 0x20 || p[0] == 0x7f;
    if (n == 2) /* C1, U+061C */
        return (p[0] == 0xc2 && p[1] < 0xa0) || (p[0] == 0xd8 && p[1] == 0x9c);
    if (n != 3 || p[0] != 0xe2)
        return false;
    if (p[1] == 0x80) /* U+200E, U+200F, U+2028 to U+202E */
        return p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xa8 && p[2] <= 0xae);
    return p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9; /* U+2066 to U+2069 */
}

#endif /* ORIEL_BASE_UTF8_H */
