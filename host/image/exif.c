/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exif.c - the Orientation of a TIFF directory, from hostile bytes
 *
 * Only the first directory is read, entry by entry, and nothing is followed
 * but the place of an entry's own data.  Where directories are damaged the
 * reading stops or skips as the reference's does, so that the tags found
 * before the damage are the same.
 */
#include "image/metadata.h"

#include <math.h>
#include <string.h>

enum { TAG_ORIENTATION = 274 };

/* TIFF field types, and their sizes; 0: unknown, the entry is skipped. */
enum {
    TYPE_BYTE = 1,
    TYPE_ASCII,
    TYPE_SHORT,
    TYPE_LONG,
    TYPE_RATIONAL,
    TYPE_SBYTE,
    TYPE_UNDEFINED,
    TYPE_SSHORT,
    TYPE_SLONG,
    TYPE_SRATIONAL,
    TYPE_FLOAT,
    TYPE_DOUBLE,
    TYPE_IFD,
    TYPE_LONG8 = 16
};
static const uint8_t type_bytes[] = {0, 1, 1, 2, 4, 8, 1, 1, 2,
                                     4, 8, 4, 8, 4, 0, 0, 8};

typedef struct reader {
    const uint8_t *bytes;
    size_t n_bytes;
    bool big_endian;
} reader;

static uint64_t
read_uint(const reader *r, const uint8_t *at, size_t n)
{
    uint64_t value = 0;

    for (size_t i = 0; i < n; i++)
        value = value << 8 | at[r->big_endian ? i : n - 1 - i];
    return value;
}

static int64_t
read_int(const reader *r, const uint8_t *at, size_t n)
{
    uint64_t value = read_uint(r, at, n);
    uint64_t sign = (uint64_t)1 << (8 * n - 1);

    /* n <= 4, so both terms are exact. */
    return (int64_t)(value ^ sign) - (int64_t)sign;
}

static double
read_float(const reader *r, const uint8_t *at, size_t n)
{
    uint64_t bits = read_uint(r, at, n);
    uint32_t bits32 = (uint32_t)bits;
    float single;
    double value;

    if (n == 4) {
        memcpy(&single, &bits32, sizeof(single));
        return (double)single;
    }
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* The first value of a field as a number; NAN for texts and bytes, which the
   reference never takes for an orientation. */
static double
read_number(const reader *r, uint16_t type, const uint8_t *at)
{
    switch (type) {
    case TYPE_SHORT:
        return (double)read_uint(r, at, 2);
    case TYPE_LONG:
    case TYPE_IFD:
        return (double)read_uint(r, at, 4);
    case TYPE_LONG8:
        return (double)read_uint(r, at, 8);
    case TYPE_SBYTE:
        return (double)read_int(r, at, 1);
    case TYPE_SSHORT:
        return (double)read_int(r, at, 2);
    case TYPE_SLONG:
        return (double)read_int(r, at, 4);
    case TYPE_FLOAT:
        return read_float(r, at, 4);
    case TYPE_DOUBLE:
        return read_float(r, at, 8);
    /* Exact for the quotients 2..8: both sides are below 2^32. */
    case TYPE_RATIONAL:
        return (double)read_uint(r, at, 4) / (double)read_uint(r, at + 4, 4);
    case TYPE_SRATIONAL:
        return (double)read_int(r, at, 4) / (double)read_int(r, at + 4, 4);
    default:
        return (double)NAN;
    }
}

static int32_t
orientation_of(double value)
{
    for (int32_t i = 2; i <= 8; i++)
        if (value == (double)i)
            return i;
    return 1;
}

/* What became of one entry of the directory. */
typedef enum outcome { SKIP, STOP, FOUND } outcome;

/* 'outside' sums the data that lie outside of their entries: together they
   cannot be longer than the file they are in. */
static outcome
read_entry(const reader *r, const uint8_t *entry, uint64_t *outside,
           int32_t *orientation)
{
    uint16_t tag = (uint16_t)read_uint(r, entry, 2);
    uint16_t type = (uint16_t)read_uint(r, entry + 2, 2);
    const uint8_t *data = entry + 8;

    if (type >= sizeof(type_bytes) || type_bytes[type] == 0)
        return SKIP;
    uint64_t size = read_uint(r, entry + 4, 4) * type_bytes[type];
    if (size > 4) {
        uint64_t offset = read_uint(r, data, 4);
        *outside += size;
        if (*outside > r->n_bytes)
            return SKIP;
        if (offset > r->n_bytes || r->n_bytes - offset < size)
            return STOP;
        data = r->bytes + offset;
    }
    if (tag != TAG_ORIENTATION || size == 0)
        return SKIP;
    *orientation = orientation_of(read_number(r, type, data));
    return FOUND;
}

oriel_exif_result
oriel_exif_orientation(const uint8_t *bytes, size_t n_bytes,
                       int32_t *orientation)
{
    /* The middle two occur in the wild with their 42 the wrong way round; 43
       is BigTIFF, of which the reference reads this much as plain TIFF. */
    static const char heads[][5] = {"MM\0*", "II*\0", "MM*\0", "II\0*",
                                    "MM\0+"};
    reader r = {bytes, n_bytes, false};
    bool known = false;
    uint64_t outside = 0;

    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]) && n_bytes >= 8;
         i++)
        known = known || memcmp(bytes, heads[i], 4) == 0;
    if (!known)
        return ORIEL_EXIF_BROKEN;
    r.big_endian = bytes[0] == 'M';
    uint64_t at = read_uint(&r, bytes + 4, 4);
    if (at > n_bytes || n_bytes - at < 2)
        return ORIEL_EXIF_ABSENT;
    uint64_t n_entries = read_uint(&r, bytes + at, 2);
    at += 2;
    for (; n_entries > 0 && n_bytes - at >= 12; n_entries--, at += 12)
        switch (read_entry(&r, bytes + at, &outside, orientation)) {
        case FOUND:
            return ORIEL_EXIF_FOUND;
        case STOP:
            return ORIEL_EXIF_ABSENT;
        case SKIP:
            break;
        }
    return ORIEL_EXIF_ABSENT;
}
