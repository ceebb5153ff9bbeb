/* SPDX-License-Identifier: Apache-2.0 */
/* text.c - names of files in JSON, numbers for people */
#include "cli/text.h"

#include "base/checked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Length of the valid UTF-8 character at 'p', or 0; ends before a NUL. */
static size_t
character_length(const unsigned char *p)
{
    unsigned char c = p[0];
    size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;

    if (n == 1)
        return 1;
    if (c < 0xc2 || c > 0xf4)
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

static size_t
escape_into(char *out, const char *name)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *p = (const unsigned char *)name;
    char *start = out;

    while (*p) {
        size_t n = character_length(p);

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
