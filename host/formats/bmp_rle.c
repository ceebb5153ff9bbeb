/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bmp_rle.c - RLE4 and RLE8
 *
 * Indexes follow one another without regard to rows, as in the reference: a
 * run is cut at the end of its row, literal indexes are not.
 */
#include "formats/bmp.h"

#include "base/fail.h"

#include <string.h>

typedef struct reader {
    const uint8_t *bytes;
    size_t n_bytes, at;
    uint8_t *out;
    size_t n, room; /* indexes written, and all of them */
    size_t x, width;
    bool rle4;
} reader;

static void
put(reader *r, uint8_t index)
{
    if (r->n < r->room)
        r->out[r->n++] = index;
}

static void
put_run(reader *r, size_t count, uint8_t value)
{
    if (r->x + count > r->width)
        count = r->x < r->width ? r->width - r->x : 0;
    for (size_t i = 0; i < count; i++) {
        if (!r->rle4)
            put(r, value);
        else
            put(r, i % 2 == 0 ? value >> 4 : value & 15);
    }
    r->x += count;
}

/* False when the file ends within it, or the picture with it. */
static bool
put_literals(reader *r, size_t count)
{
    size_t n = count < r->room - r->n ? count : r->room - r->n;
    size_t wanted = r->rle4 ? (n + 1) / 2 : n;
    size_t there = r->n_bytes - r->at < wanted ? r->n_bytes - r->at : wanted;

    for (size_t i = 0; i < there; i++) {
        uint8_t value = r->bytes[r->at++];

        put(r, r->rle4 ? value >> 4 : value);
        if (r->rle4 && 2 * i + 1 < n)
            put(r, value & 15);
    }
    r->x += count;
    r->at += r->at % 2; /* of the file */
    return there == wanted && r->n < r->room;
}

static void
put_zeros(reader *r, size_t count)
{
    if (count > r->room - r->n)
        count = r->room - r->n;
    memset(r->out + r->n, 0, count);
    r->n += count;
}

/* False at the end. */
static bool
escape(reader *r, uint8_t what)
{
    enum { END_OF_LINE, END_OF_BITMAP, DELTA };
    const size_t width = r->width; /* never 0: bmp_header.c refuses it */

    /* NOLINTBEGIN(clang-analyzer-core.DivideZero) */
    switch (what) {
    case END_OF_LINE:
        put_zeros(r, (width - r->n % width) % width);
        r->x = 0;
        return true;
    case END_OF_BITMAP:
        return false;
    case DELTA:
        if (r->n_bytes - r->at < 2)
            return false;
        put_zeros(r, r->bytes[r->at] + r->bytes[r->at + 1] * width);
        r->at += 2;
        r->x = r->n % width;
        return true;
    default:
        return put_literals(r, what);
    }
    /* NOLINTEND(clang-analyzer-core.DivideZero) */
}

oriel_status
oriel_bmp_read_rle(const oriel_image_job *job, const oriel_bmp *bmp,
                   uint8_t *index)
{
    reader r = {
        .bytes = job->bytes,
        .n_bytes = job->n_bytes,
        .at = bmp->data < job->n_bytes ? bmp->data : job->n_bytes,
        .out = index,
        .room = (size_t)bmp->width * bmp->height,
        .width = bmp->width,
        .rle4 = bmp->layout == ORIEL_BMP_RLE4,
    };

    while (r.n < r.room && r.n_bytes > r.at && r.n_bytes - r.at >= 2) {
        uint8_t count = r.bytes[r.at], value = r.bytes[r.at + 1];

        r.at += 2;
        if (count > 0)
            put_run(&r, count, value);
        else if (!escape(&r, value))
            break;
    }
    if (r.n < r.room)
        return oriel_fail(job->err, ORIEL_ERR_INPUT,
                          "BMP: truncated: %zu pixels, expected %zu", r.n,
                          r.room);
    return ORIEL_OK;
}
