/* SPDX-License-Identifier: Apache-2.0 */
/* text.c - JSON, names of files in it, numbers for people */
#include "cli/text.h"

#include "base/checked.h"
#include "base/utf8.h"
#include "files/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t
escape_into(char *out, const char *name)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *p = (const unsigned char *)name;
    const unsigned char *end = p + strlen(name);
    char *start = out;

    while (p < end) {
        size_t n = oriel_utf8_length(p, (size_t)(end - p));

        if (n == 0) {
            *out++ = '\\';
            *out++ = 'x';
            *out++ = digits[*p >> 4];
            *out++ = digits[*p & 15];
            p++;
            continue;
        }
        if (*p == '\\')
            *out++ = '\\';
        memcpy(out, p, n);
        out += n;
        p += n;
    }
    return (size_t)(out - start);
}

json_t *
cli_text_name(const char *name)
{
    size_t bytes;
    char *escaped;
    json_t *value;

    if (!oriel_mul_size(&bytes, strlen(name) + 1, 4))
        return NULL;
    escaped = malloc(bytes);
    if (!escaped)
        return NULL;
    value = json_stringn(escaped, escape_into(escaped, name));
    free(escaped);
    return value;
}

/*
 * Worst for each byte of a name: a control character, \u0001 in the inner
 * JSON, whose backslash is doubled in the outer: 7.  A backslash: two, then
 * four, then eight.  A stray byte: \xNN, \\xNN, \\\\xNN: 7.
 */
size_t
cli_text_name_bound(const char *name)
{
    size_t bytes = 0;

    for (const unsigned char *p = (const unsigned char *)name; *p; p++)
        bytes += *p == '\\' ? 8 : *p < 0x20 || *p >= 0x7f || *p == '"' ? 7 : 1;
    return bytes;
}

/* Of a character that is not for a terminal: up to three bytes of UTF-8. */
static unsigned
code_point(const unsigned char *p, size_t n)
{
    return n == 1 ? p[0]
           : n == 2
               ? (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu)
               : (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
}

/* jansson has escaped C0 in strings; what is left of it is line breaks. */
static bool
needs_escape(const unsigned char *p, size_t n)
{
    return p[0] >= 0x20 && oriel_utf8_is_control(p, n);
}

char *
cli_text_json(const json_t *json, size_t flags)
{
    char *plain = oriel_json_text(json, flags);
    const size_t bytes = plain ? strlen(plain) : 0;
    const unsigned char *p = (const unsigned char *)plain, *end = p + bytes;
    size_t room, n;
    char *text = NULL, *out;

    /* The worst is DEL: one byte becomes six. */
    if (plain && oriel_mul_size(&room, bytes + 1, 6))
        text = malloc(room);
    for (out = text; text && p < end; p += n) {
        n = oriel_utf8_length(p, (size_t)(end - p));
        n = n > 0 ? n : 1; /* never: jansson takes UTF-8 alone */
        if (needs_escape(p, n)) {
            snprintf(out, 7, "\\u%04x", code_point(p, n));
            out += 6;
        } else {
            memcpy(out, p, n);
            out += n;
        }
    }
    if (text)
        *out = '\0';
    free(plain);
    return text;
}

static cli_amount
scaled(double value, double step, const char *const *units, size_t n_units)
{
    cli_amount amount;
    size_t unit = 0;

    while (value >= step && unit + 1 < n_units) {
        value /= step;
        unit++;
    }
    snprintf(amount.text, sizeof(amount.text), "%.*f %s",
             unit == 0     ? 0
             : value < 10  ? 2
             : value < 100 ? 1
                           : 0,
             value, units[unit]);
    return amount;
}

cli_amount
cli_text_bytes(uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};

    return scaled((double)bytes, 1024, units, 6);
}

cli_amount
cli_text_flops(double flops)
{
    static const char *const units[] = {"FLOP",  "kFLOP", "MFLOP", "GFLOP",
                                        "TFLOP", "PFLOP", "EFLOP"};

    return scaled(flops, 1000, units, 7);
}

cli_amount
cli_text_seconds(double seconds)
{
    cli_amount amount;
    int64_t whole = (int64_t)(seconds + 0.5);

    if (seconds < 9.95)
        snprintf(amount.text, sizeof(amount.text), "%.1f s", seconds);
    else if (whole < 120)
        snprintf(amount.text, sizeof(amount.text), "%d s", (int)whole);
    else if (whole < 7200)
        snprintf(amount.text, sizeof(amount.text), "%d min %02d s",
                 (int)(whole / 60), (int)(whole % 60));
    else
        snprintf(amount.text, sizeof(amount.text), "%lld h %02d min",
                 (long long)(whole / 3600), (int)(whole / 60 % 60));
    return amount;
}
