/* SPDX-License-Identifier: Apache-2.0 */
/*
 * png_pixels.c - inflate, unfilter and place the rows of a PNG
 *
 * Whether a damaged file is refused depends on what zlib had seen when the last
 * row came out.  Compressed data therefore reach it in the reference's
 * portions: at most 64 KiB, never across chunks.
 */
#include "image/png.h"
#include "image/png_zip.h"

#include "base/fail.h"
#include "base/memory.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { PORTION_BYTES = 65536 };

/* The compressed bytes, out of as many chunks as it takes. */
typedef struct stream {
    const oriel_image_job *job;
    oriel_png_chunk chunk;
    size_t at;
    size_t left; /* in the chunk, as it claims */
    int64_t sequence;
} stream;

/* Adam7; a picture that is not interlaced is its own only pass. */
typedef struct pass {
    uint8_t x, y, step_x, step_y;
} pass;
static const pass adam7[] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8},
                             {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2},
                             {0, 1, 1, 2}};
static const pass whole = {0, 0, 1, 1};

typedef struct pixels {
    const oriel_png *png;
    oriel_canvas *canvas;
    oriel_png_row row;
    uint32_t left, top, width, height; /* the part of the canvas there is */
    bool plain;         /* whole rows of the canvas, from top to bottom */
    size_t pixel_bytes; /* of the filters: at least 1 */

    const pass *pass;
    size_t n_passes; /* this one and those to come */
    uint32_t y;
    size_t n_columns, row_bytes; /* of a row of this pass */
    size_t filled;               /* of filter byte and row */

    uint8_t *line, *previous; /* [1 + row_bytes], the filter byte first */
    uint8_t *rgb, *scratch;
    z_stream zip;
    bool zip_live;
} pixels;

static oriel_status
truncated(const stream *s)
{
    return oriel_fail(s->job->err, ORIEL_ERR_INPUT,
                      "PNG: truncated: pixels end at byte %zu, before the last "
                      "row",
                      s->at < s->job->n_bytes ? s->at : s->job->n_bytes);
}

/* Go to the next chunk of pixels that is not empty. */
static oriel_status
next_data_chunk(stream *s)
{
    while (s->left == 0) {
        if (!oriel_png_next_chunk(s->job, s->at + 4, &s->chunk))
            return truncated(s);
        bool frame = strcmp(s->chunk.id, "fdAT") == 0;
        if (!frame && strcmp(s->chunk.id, "IDAT") != 0 &&
            strcmp(s->chunk.id, "DDAT") != 0)
            return truncated(s);
        if (frame && !oriel_png_frame_follows(s->job, &s->chunk, &s->sequence))
            return oriel_fail(s->job->err, ORIEL_ERR_INPUT,
                              "PNG: chunk fdAT: expected sequence number %lld",
                              (long long)s->sequence + 1);
        s->at = s->chunk.data + (frame ? 4 : 0);
        s->left = s->chunk.n_data - (frame ? 4 : 0);
    }
    return ORIEL_OK;
}

static oriel_status
next_portion(stream *s, const uint8_t **bytes, size_t *n_bytes)
{
    oriel_status status = next_data_chunk(s);

    if (status)
        return status;
    size_t n = s->left < PORTION_BYTES ? s->left : PORTION_BYTES;
    size_t there = s->job->n_bytes - s->at;
    s->left -= n;
    *bytes = s->job->bytes + s->at;
    *n_bytes = n < there ? n : there;
    s->at += *n_bytes;
    return *n_bytes > 0 ? ORIEL_OK : truncated(s);
}

static void
filter_average(uint8_t *line, const uint8_t *above, size_t n, size_t bpp)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t left = i < bpp ? 0 : line[i - bpp];
        line[i] = (uint8_t)(line[i] + (left + above[i]) / 2);
    }
}

static void
filter_paeth(uint8_t *line, const uint8_t *above, size_t n, size_t bpp)
{
    size_t first = n < bpp ? n : bpp;

    for (size_t i = 0; i < first; i++)
        line[i] = (uint8_t)(line[i] + above[i]);
    for (size_t i = first; i < n; i++) {
        int a = line[i - bpp], b = above[i], c = above[i - bpp];
        int pa = abs(b - c), pb = abs(a - c), pc = abs(a + b - 2 * c);
        int guess = pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
        line[i] = (uint8_t)(line[i] + guess);
    }
}

/* False: no such filter. */
static bool
unfilter(const pixels *p)
{
    uint8_t *line = p->line + 1;
    const uint8_t *above = p->previous + 1;
    size_t n = p->row_bytes, bpp = p->pixel_bytes;

    switch (p->line[0]) {
    case 0:
        return true;
    case 1:
        for (size_t i = bpp; i < n; i++)
            line[i] = (uint8_t)(line[i] + line[i - bpp]);
        return true;
    case 2:
        for (size_t i = 0; i < n; i++)
            line[i] = (uint8_t)(line[i] + above[i]);
        return true;
    case 3:
        filter_average(line, above, n, bpp);
        return true;
    case 4:
        filter_paeth(line, above, n, bpp);
        return true;
    default:
        return false;
    }
}

static void
begin_pass(pixels *p)
{
    const pass *a = p->pass;

    p->y = a->y;
    p->n_columns = 0;
    if (p->width > a->x)
        p->n_columns = (p->width - a->x + a->step_x - 1u) / a->step_x;
    p->row_bytes = (p->n_columns * (size_t)oriel_png_row_bits(&p->row) + 7) / 8;
}

/* Past the row just placed, and past passes without a pixel.  False: done. */
static bool
next_row(pixels *p)
{
    uint8_t *line = p->line;

    p->filled = 0;
    p->line = p->previous;
    p->previous = line;
    p->y += p->pass->step_y;
    while (p->y >= p->height || p->n_columns == 0) {
        if (--p->n_passes == 0)
            return false;
        p->pass++;
        begin_pass(p);
        memset(p->previous, 0, p->row_bytes + 1);
    }
    return true;
}

static void
place_row(pixels *p)
{
    uint8_t *rgb = p->plain ? oriel_canvas_row(p->canvas, p->y) : p->rgb;

    oriel_png_row_convert(&p->row, rgb, p->line + 1, p->n_columns, p->scratch);
    if (p->plain)
        return;
    /* The reference shifts a frame to its place only when not interlaced. */
    bool shifted = p->pass == &whole;
    oriel_canvas_scatter(p->canvas, p->pass->x + (shifted ? p->left : 0),
                         p->y + (shifted ? p->top : 0), p->pass->step_x, rgb,
                         p->n_columns);
}

/* Inflate one portion.  '*done': the last row, or the stream, is complete. */
static oriel_status
inflate_portion(pixels *p, bool *done)
{
    oriel_error *err = p->png->job->err;

    while (p->zip.avail_in > 0) {
        p->zip.next_out = p->line + p->filled;
        p->zip.avail_out = (uInt)(p->row_bytes + 1 - p->filled);
        int result = inflate(&p->zip, Z_NO_FLUSH);
        if (result == Z_MEM_ERROR)
            return oriel_zip_fail_memory(err);
        if (result < 0 || result == Z_NEED_DICT)
            return oriel_fail(err, ORIEL_ERR_INPUT,
                              "PNG: pixels: not a valid zlib stream: %s",
                              p->zip.msg ? p->zip.msg : "expected data");
        p->filled = p->row_bytes + 1 - p->zip.avail_out;
        if (p->filled < p->row_bytes + 1)
            return ORIEL_OK;
        if (!unfilter(p))
            return oriel_fail(err, ORIEL_ERR_INPUT,
                              "PNG: row %u has filter %d, expected 0..4", p->y,
                              p->line[0]);
        place_row(p);
        *done = !next_row(p) || result == Z_STREAM_END;
        if (*done)
            return ORIEL_OK;
    }
    return ORIEL_OK;
}

/* The whole picture, or the frame that an fcTL before the pixels names. */
static oriel_status
find_extent(pixels *p, const oriel_png *png)
{
    static const uint32_t none[4];
    const uint32_t *box = png->has_box ? png->box : none;
    uint32_t right = png->has_box ? box[2] : png->width;
    uint32_t bottom = png->has_box ? box[3] : png->height;
    uint32_t bits = (uint32_t)oriel_png_row_bits(&p->row);

    /* A second header may have made the picture smaller than its frame. */
    if (right <= box[0] || bottom <= box[1] || right > png->width ||
        bottom > png->height)
        return oriel_fail(png->job->err, ORIEL_ERR_INPUT,
                          "PNG: chunk fcTL: expected a frame within the "
                          "picture");
    p->left = box[0];
    p->top = box[1];
    p->width = right - p->left;
    p->height = bottom - p->top;
    p->plain =
        !png->interlaced && p->width == png->width && p->height == png->height;
    p->pixel_bytes = (bits + 7) / 8;
    if (p->width > INT_MAX / bits - 7)
        return oriel_fail(png->job->err, ORIEL_ERR_INPUT,
                          "PNG: rows of %u pixels, expected at most %u",
                          p->width, INT_MAX / bits - 7);
    return ORIEL_OK;
}

static oriel_status
pixels_init(pixels *p, const oriel_png *png, oriel_canvas *canvas)
{
    const oriel_hooks *hooks = &png->job->hooks;
    oriel_status status;

    p->png = png;
    p->canvas = canvas;
    status = oriel_png_row_init(&p->row, png);
    if (!status)
        status = find_extent(p, png);
    if (status)
        return status;
    p->pass = png->interlaced ? adam7 : &whole;
    p->n_passes = png->interlaced ? 7 : 1;
    begin_pass(p);

    size_t line =
        ((size_t)p->width * (size_t)oriel_png_row_bits(&p->row) + 7) / 8 + 1;
    p->line = oriel_calloc(hooks, line, 1);
    p->previous = oriel_calloc(hooks, line, 1);
    p->rgb = oriel_alloc(hooks, 3 * (size_t)p->width);
    p->scratch = oriel_alloc(hooks, p->width);
    if (!p->line || !p->previous || !p->rgb || !p->scratch)
        return oriel_fail_memory(png->job->err, line, "a row of pixels");
    p->zip.zalloc = oriel_zip_alloc;
    p->zip.zfree = oriel_zip_free;
    p->zip.opaque = (voidpf)(uintptr_t)hooks;
    p->zip_live = inflateInit(&p->zip) == Z_OK;
    return p->zip_live ? ORIEL_OK : oriel_zip_fail_memory(png->job->err);
}

static void
pixels_end(pixels *p, const oriel_hooks *hooks)
{
    if (p->zip_live)
        inflateEnd(&p->zip);
    oriel_free(hooks, p->line);
    oriel_free(hooks, p->previous);
    oriel_free(hooks, p->rgb);
    oriel_free(hooks, p->scratch);
}

/* What a pixel is that no data came for: all of its samples 0. */
static void
fill_missing(const pixels *p)
{
    static const uint8_t zeros[8];
    uint8_t rgb[3], scratch;

    oriel_png_row_convert(&p->row, rgb, zeros, 1, &scratch);
    if (!p->plain)
        oriel_canvas_fill(p->canvas, rgb);
    for (uint32_t y = p->y; p->plain && y < p->height; y++) {
        uint8_t *line = oriel_canvas_row(p->canvas, y);

        for (uint32_t x = 0; x < p->width; x++)
            memcpy(line + 3 * (size_t)x, rgb, 3);
    }
}

oriel_status
oriel_png_read_pixels(oriel_png *png, oriel_canvas *canvas)
{
    const oriel_png_chunk *first = &png->first;
    size_t number = strcmp(first->id, "fdAT") == 0 ? 4 : 0;
    stream s = {png->job, *first, first->data + number, first->n_data - number,
                png->first_sequence};
    pixels p;
    bool done = false;
    oriel_status status;

    memset(&p, 0, sizeof(p));
    status = pixels_init(&p, png, canvas);
    if (status)
        goto unwind;
    if (!p.plain)
        fill_missing(&p);
    while (!done) {
        const uint8_t *bytes;
        size_t n_bytes;
        status = next_portion(&s, &bytes, &n_bytes);
        if (status)
            goto unwind;
        p.zip.next_in = (z_const Bytef *)(uintptr_t)bytes;
        p.zip.avail_in = (uInt)n_bytes;
        status = inflate_portion(&p, &done);
        if (status)
            goto unwind;
    }
    if (p.plain)
        fill_missing(&p);
    oriel_canvas_flush(canvas);
    if (png->cut_data_start && png->cut_data_start != s.chunk.start)
        status = oriel_fail(png->job->err, ORIEL_ERR_INPUT,
                            "PNG: the file ends in a chunk of pixels behind "
                            "the last row");
unwind:
    pixels_end(&p, &png->job->hooks);
    return status;
}
