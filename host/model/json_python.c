/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_python.c - what Python's json reads and jansson does not
 *
 * Every replacement is as long as what it replaces, so that lines and columns
 * in messages stay as in the file:
 *
 *   a byte order mark                three spaces
 *   NaN                              a string of one DEL (oriel_json_is_nan)
 *   Infinity, 1e999                  1e308, or -1e308 (oriel_json_double)
 *   an integer beyond 64 bits        the nearest one within 64 bits
 *   \u0000, half a surrogate pair    \ufffd
 *
 * No field that is read here can tell an integer of 19 digits from a longer
 * one, or a string with U+FFFD from one with half a pair.
 */
#include "model/json.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

#define LARGEST "9223372036854775807"
#define SMALLEST "-9223372036854775808"

/* From this power of ten on a number counts as infinite. */
enum { INFINITE_EXPONENT = 308 };

/* 'with', without its end, over what is at 'at'; returns what follows. */
static char *
overwrite(char *at, const char *with)
{
    while (*with)
        *at++ = *with++;
    return at;
}

/* 'with' and spaces over [at, at + bytes). */
static void
put(char *at, size_t bytes, const char *with)
{
    char *rest = overwrite(at, with);

    memset(rest, ' ', (size_t)(at + bytes - rest));
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* ---- Numbers ---------------------------------------------------------- */

typedef struct number {
    const char *end;
    bool negative;
    bool is_integer;
    int64_t first;    /* power of ten of the first digit that is not zero */
    size_t n_integer; /* digits before the point */
    bool is_zero;
} number;

static const char *
scan_exponent(const char *p, const char *end, number *n)
{
    const char *start = p;
    bool negative = false;
    int64_t value = 0;

    p++;
    if (p < end && (*p == '+' || *p == '-'))
        negative = *p++ == '-';
    if (p == end || !is_digit(*p))
        return start;
    for (; p < end && is_digit(*p); p++)
        if (value < INT32_MAX)
            value = value * 10 + (*p - '0');
    n->first += negative ? -value : value;
    n->is_integer = false;
    return p;
}

/* The grammar of JSON; false: not a number, which jansson will say. */
static bool
scan_number(const char *p, const char *end, number *n)
{
    const char *digits;

    *n = (number){.is_integer = true, .is_zero = true};
    n->negative = *p == '-';
    p += n->negative;
    for (digits = p; p < end && is_digit(*p); p++)
        if (n->is_zero && *p != '0') {
            n->is_zero = false;
            digits = p;
        }
    n->n_integer = (size_t)(p - digits);
    n->first = (int64_t)n->n_integer - 1;
    if (n->n_integer == 0)
        return false;
    if (p + 1 < end && *p == '.' && is_digit(p[1])) {
        n->is_integer = false;
        for (digits = ++p; p < end && is_digit(*p); p++)
            if (n->is_zero && *p != '0') {
                n->is_zero = false;
                n->first = -(int64_t)(p - digits) - 1;
            }
    }
    if (p < end && (*p == 'e' || *p == 'E'))
        p = scan_exponent(p, end, n);
    n->end = p;
    return true;
}

/* What is too large for jansson is saturated; returns what follows. */
static char *
pass_number(char *at, char *end)
{
    const char *limit;
    number n;
    size_t bytes;

    if (!scan_number(at, end, &n))
        return at + 1;
    bytes = (size_t)(n.end - at);
    limit = n.negative ? SMALLEST : LARGEST;
    if (n.is_integer && bytes >= strlen(limit) &&
        (bytes > strlen(limit) || memcmp(at, limit, bytes) > 0))
        put(at, bytes, limit);
    else if (!n.is_integer && !n.is_zero && n.first >= INFINITE_EXPONENT)
        put(at, bytes, n.negative ? "-1e308" : "1e308");
    return at + bytes;
}

/* ---- Strings ---------------------------------------------------------- */

/* The value of \uXXXX at 'at', or -1. */
static int32_t
escape_at(const char *at, const char *end)
{
    int32_t value = 0;

    if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return -1;
    for (int i = 2; i < 6; i++) {
        const char c = at[i];
        const int digit = is_digit(c)            ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;

        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static char *
pass_escape(char *at, const char *end)
{
    const int32_t unit = escape_at(at, end);

    if (unit < 0)
        return end - at < 2 ? at + 1 : at + 2;
    if (unit >= 0xD800 && unit < 0xDC00) {
        const int32_t low = escape_at(at + 6, end);

        if (low >= 0xDC00 && low < 0xE000)
            return at + 12;
    }
    if (unit == 0 || (unit >= 0xD800 && unit < 0xE000))
        overwrite(at, "\\ufffd");
    return at + 6;
}

/* 'at' is after the first quote; returns what follows the last. */
static char *
pass_string(char *at, char *end)
{
    while (at < end && *at != '"')
        at = *at == '\\' ? pass_escape(at, end) : at + 1;
    return at < end ? at + 1 : end;
}

/* ---- The whole text --------------------------------------------------- */

static bool
is_word(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           c == '_' || c == '-' || c == '+' || c == '.';
}

static bool
is_this(const char *at, size_t bytes, const char *word)
{
    return bytes == strlen(word) && memcmp(at, word, bytes) == 0;
}

/* Only values are replaced: a name must not become one by it. */
static bool
is_name(const char *next, const char *end)
{
    while (next < end &&
           (*next == ' ' || *next == '\t' || *next == '\r' || *next == '\n'))
        next++;
    return next < end && *next == ':';
}

static char *
pass_word(char *at, char *end)
{
    char *next = at;
    size_t bytes;

    while (next < end && is_word(*next))
        next++;
    bytes = (size_t)(next - at);
    if (is_this(at, bytes, "NaN") && !is_name(next, end))
        overwrite(at, "\"\x7f\"");
    else if (is_this(at, bytes, "Infinity"))
        put(at, bytes, "1e308");
    else if (is_this(at, bytes, "-Infinity"))
        put(at, bytes, "-1e308");
    else if (is_digit(*at) || *at == '-')
        pass_number(at, next);
    return next;
}

void
oriel_json_from_python(char *text, size_t bytes)
{
    char *at = text;
    char *end = text + bytes;

    if (bytes >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        put(text, 3, "");
    while (at < end) {
        if (*at == '"')
            at = pass_string(at + 1, end);
        else if (is_word(*at))
            at = pass_word(at, end);
        else
            at++;
    }
}
