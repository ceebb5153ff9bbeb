/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gif.c - the first frame of a GIF on its canvas
 *
 * The blocks are read here, with the tolerance of the reference (unknown bytes
 * between blocks are skipped, a frame may reach beyond the screen), and before
 * anything is allocated.  giflib sees only a header that is written here and
 * the compressed data, and does what is difficult: LZW.
 */
#include "formats/formats.h"

#include "base/fail.h"
#include "base/memory.h"

#include <gif_lib.h>
#include <string.h>

enum {
    SCREEN_BYTES = 13, /* signature and screen descriptor */
    NO_TRANSPARENCY = -1,
    LZW_BYTES = 1 << 18 /* giflib's tables and ours, generously */
};

typedef struct gif {
    uint32_t width, height;           /* of the canvas */
    uint32_t left, top, right, below; /* the frame's place on it */
    bool interlaced;
    int transparency; /* index, or NO_TRANSPARENCY */
    uint8_t palette[3 * 256];
    size_t data; /* where the minimum code size of LZW stands */
} gif;

/* ---- The blocks ---------------------------------------------------------- */

typedef struct cursor {
    const uint8_t *bytes;
    size_t n_bytes, at;
} cursor;

static size_t
left(const cursor *c)
{
    return c->n_bytes - c->at;
}

/* The next sub-block, of '*n' bytes; false at the terminator or the end. */
static bool
next_block(cursor *c, const uint8_t **block, size_t *n)
{
    if (left(c) == 0 || c->bytes[c->at] == 0) {
        c->at += left(c) > 0;
        return false;
    }
    *n = c->bytes[c->at++];
    if (*n > left(c))
        *n = left(c);
    *block = c->bytes + c->at;
    c->at += *n;
    return true;
}

/* False when the file ends within it. */
static bool
read_extension(cursor *c, gif *g)
{
    enum { GRAPHIC_CONTROL = 249 };
    const uint8_t *block;
    size_t n;

    if (left(c) == 0)
        return false;
    uint8_t label = c->bytes[c->at++];
    bool first = true;
    while (next_block(c, &block, &n)) {
        if (first && label == GRAPHIC_CONTROL) {
            if (n < 4)
                return false;
            if (block[0] & 1)
                g->transparency = block[3];
        }
        first = false;
    }
    return true;
}

/*
 * A palette of 2 << (flags & 7) colours; what lies beyond it is black.  One
 * that says of every index that it is that grey is none: the frame is grey, and
 * so are the indexes beyond.
 */
static void
read_palette(cursor *c, gif *g, uint8_t flags)
{
    size_t n = (size_t)3 * (2u << (flags & 7));

    if (n > left(c))
        n = left(c);
    memset(g->palette, 0, sizeof(g->palette));
    memcpy(g->palette, c->bytes + c->at, n);
    c->at += n;
    for (size_t i = 0; i < n; i++)
        if (g->palette[i] != i / 3)
            return;
    for (size_t i = 0; i < sizeof(g->palette); i++)
        g->palette[i] = (uint8_t)(i / 3);
}

static bool
read_descriptor(cursor *c, gif *g)
{
    const uint8_t *at = c->bytes + c->at;

    if (left(c) < 9)
        return false;
    c->at += 9;
    g->left = oriel_le16(at);
    g->top = oriel_le16(at + 2);
    g->right = g->left + oriel_le16(at + 4);
    g->below = g->top + oriel_le16(at + 6);
    g->interlaced = at[8] & 64;
    if (at[8] & 128)
        read_palette(c, g, at[8]);
    if (g->right > g->width)
        g->width = g->right;
    if (g->below > g->height)
        g->height = g->below;
    g->data = c->at;
    return left(c) > 0;
}

static oriel_status
read_header(gif *g, const oriel_image_job *job)
{
    cursor c = {job->bytes, job->n_bytes, SCREEN_BYTES};
    oriel_status status;

    memset(g, 0, sizeof(*g));
    g->transparency = NO_TRANSPARENCY;
    if (job->n_bytes < SCREEN_BYTES)
        return oriel_fail(job->err, ORIEL_ERR_INPUT,
                          "GIF: truncated: %zu bytes, expected a header of %d",
                          job->n_bytes, SCREEN_BYTES);
    g->width = oriel_le16(job->bytes + 6);
    g->height = oriel_le16(job->bytes + 8);
    for (size_t i = 0; i < sizeof(g->palette); i++)
        g->palette[i] = (uint8_t)(i / 3);
    if (job->bytes[10] & 128)
        read_palette(&c, g, job->bytes[10]);
    for (;;) {
        uint8_t kind = left(&c) > 0 ? c.bytes[c.at++] : ';';

        if (kind == ',' && read_descriptor(&c, g))
            break;
        if (kind == ',' || kind == ';' ||
            (kind == '!' && !read_extension(&c, g)))
            return oriel_fail(job->err, ORIEL_ERR_INPUT,
                              "GIF: truncated: no frame before the end");
    }
    status = oriel_image_check_size(job, "GIF", g->width, g->height);
    if (!status && (g->right == g->left || g->below == g->top))
        status = oriel_fail(job->err, ORIEL_ERR_INPUT,
                            "GIF: a frame of %ux%u pixels, expected at least "
                            "one",
                            g->right - g->left, g->below - g->top);
    return status;
}

static oriel_status
open_file(oriel_image_file *file, const oriel_image_job *job,
          oriel_image_header *header)
{
    gif g;
    oriel_status status = read_header(&g, job);

    oriel_formats_keep_job(file, job);
    header->width = g.width;
    header->height = g.height;
    header->channels = 1;
    header->bit_depth = 8;
    header->has_alpha = g.transparency != NO_TRANSPARENCY;
    header->decode_bytes =
        (uint64_t)(g.right - g.left) * (g.below - g.top) + LZW_BYTES;
    return status;
}

/* ---- Codes, by giflib ---------------------------------------------------- */

/* What giflib reads: a header of one frame alone, then the file's data. */
typedef struct stream {
    uint8_t header[SCREEN_BYTES + 10];
    size_t at; /* in the header */
    cursor data;
    size_t in_block; /* bytes left of the sub-block; 0: a length comes next */
    bool started;    /* the minimum code size has been read */
} stream;

static void
put_u16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static void
open_stream(stream *s, const oriel_image_job *job, const gif *g)
{
    memset(s, 0, sizeof(*s));
    memcpy(s->header, "GIF89a", 6);
    put_u16(s->header + 6, g->right - g->left);
    put_u16(s->header + 8, g->below - g->top);
    s->header[SCREEN_BYTES] = ',';
    put_u16(s->header + SCREEN_BYTES + 5, g->right - g->left);
    put_u16(s->header + SCREEN_BYTES + 7, g->below - g->top);
    s->data = (cursor){job->bytes, job->n_bytes, g->data};
}

/* giflib asks for the length of a sub-block alone and then for all of it.  As
   in the reference, one of length 0 ends nothing while pixels are missing. */
static int
read_stream(GifFileType *file, GifByteType *to, int wanted)
{
    stream *s = file->UserData;
    int n = 0;

    while (n < wanted && s->at < sizeof(s->header))
        to[n++] = s->header[s->at++];
    while (n < wanted && left(&s->data) > 0) {
        uint8_t byte = s->data.bytes[s->data.at++];

        if (s->in_block > 0) {
            s->in_block--;
        } else if (s->started) {
            if (byte == 0)
                continue;
            s->in_block = byte;
        }
        s->started = true;
        to[n++] = byte;
    }
    return n;
}

/* ---- Codes to indexes ---------------------------------------------------- */

enum { LZW_CODES = 4096 };

/*
 * The strings of LZW.  giflib's own expansion takes codes that the table does
 * not have yet for others; the reference refuses them, and so does this.
 */
typedef struct expander {
    uint16_t prefix[LZW_CODES];
    uint8_t last[LZW_CODES];       /* index at the end of each string */
    uint8_t string[LZW_CODES + 1]; /* scratch */
    int clear, next;               /* the code that clears; the next free one */
    int previous;                  /* code; -1: none after clearing */
    uint8_t first;                 /* index at the begin of the previous one */
    uint8_t *out;
    size_t n, room;
} expander;

static void
clear_table(expander *e)
{
    e->next = e->clear + 2;
    e->previous = -1;
}

/* Append the string of 'code'; false: there is no such code. */
static bool
expand(expander *e, int code)
{
    size_t at = sizeof(e->string), n;
    int c = code;

    if (e->previous < 0 ? code > e->clear : code > e->next)
        return false;
    if (code == e->next) { /* the string that this very code defines */
        e->string[--at] = e->first;
        c = e->previous;
    }
    for (; c >= e->clear; c = e->prefix[c])
        e->string[--at] = e->last[c];
    e->first = e->string[--at] = (uint8_t)c;
    n = sizeof(e->string) - at;
    if (n > e->room - e->n)
        n = e->room - e->n;
    memcpy(e->out + e->n, e->string + at, n);
    e->n += n;
    if (e->previous >= 0 && e->next < LZW_CODES) {
        e->last[e->next] = e->first;
        e->prefix[e->next++] = (uint16_t)e->previous;
    }
    e->previous = code;
    return true;
}

static oriel_status
fail_lzw(const oriel_image_job *job, int error)
{
    if (error == D_GIF_ERR_NOT_ENOUGH_MEM)
        return oriel_fail(job->err, ORIEL_ERR_MEMORY,
                          "out of memory for the decoder of GIF");
    return oriel_fail(job->err, ORIEL_ERR_INPUT,
                      "GIF: truncated or damaged: the first frame does not "
                      "have all of its pixels");
}

static oriel_status
read_codes(const oriel_image_job *job, GifFileType *file, expander *e)
{
    int code;

    clear_table(e);
    while (e->n < e->room) {
        if (DGifGetLZCodes(file, &code) == GIF_ERROR || code < 0)
            return fail_lzw(job, file->Error);
        if (code == e->clear)
            clear_table(e);
        else if (!expand(e, code))
            return fail_lzw(job, 0);
    }
    return ORIEL_OK;
}

/* Codes of 9 to 12 bits, which the reference reads, are refused, not padded. */
static bool
may_pad(const oriel_image_job *job, const gif *g)
{
    uint8_t bits = job->bytes[g->data];

    return job->pad && (bits <= 8 || bits > 12);
}

/* The index of what no frame has painted. */
static uint8_t
unpainted(const gif *g)
{
    return (uint8_t)(g->transparency == NO_TRANSPARENCY ? 0 : g->transparency);
}

/* All rows, in the order of the file, into 'index' [height, width]; what is
   missing is left as it is. */
static oriel_status
read_rows(const oriel_image_job *job, const gif *g, uint8_t *index)
{
    size_t n_bytes = (size_t)(g->right - g->left) * (g->below - g->top);
    expander *e = oriel_alloc(&job->hooks, sizeof(*e));
    oriel_status status;
    GifRecordType type;
    stream s;
    int error = 0;

    if (!e)
        return oriel_fail_memory(job->err, sizeof(*e), "the codes of a GIF");
    e->clear = 1 << (job->bytes[g->data] & 15); /* over 8: giflib refuses */
    e->out = index;
    e->room = n_bytes;
    e->n = 0;
    open_stream(&s, job, g);
    GifFileType *file = DGifOpen(&s, read_stream, &error);
    if (!file) {
        oriel_free(&job->hooks, e);
        return fail_lzw(job, error);
    }
    if (DGifGetRecordType(file, &type) == GIF_ERROR ||
        DGifGetImageDesc(file) == GIF_ERROR)
        status = fail_lzw(job, file->Error);
    else
        status = read_codes(job, file, e);
    DGifCloseFile(file, NULL);
    oriel_free(&job->hooks, e);
    return status;
}

/* ---- Onto the canvas ----------------------------------------------------- */

/* Which row of the file is row 'y' of an interlaced frame. */
static size_t
stored_row(size_t y, size_t height)
{
    size_t n8 = (height + 7) / 8, n4 = (height + 3) / 8, n2 = (height + 1) / 4;

    if (y % 8 == 0)
        return y / 8;
    if (y % 8 == 4)
        return n8 + y / 8;
    if (y % 4 == 2)
        return n8 + n4 + y / 4;
    return n8 + n4 + n2 + y / 2;
}

static void
convert_row(const gif *g, uint8_t *rgb, const uint8_t *index, size_t n,
            bool white)
{
    oriel_formats_look_up(rgb, index, n, g->palette);
    for (size_t x = 0; x < n && white; x++)
        if (index[x] == g->transparency)
            memset(rgb + 3 * x, 255, 3);
}

/* Where the frame does not reach, the canvas has the transparent index, or 0. */
static void
place_row(const oriel_image_job *job, const gif *g, const uint8_t *index,
          oriel_canvas *canvas, size_t y)
{
    size_t width = g->right - g->left, height = g->below - g->top;
    uint8_t around = unpainted(g);
    uint8_t *rgb = oriel_canvas_row(canvas, y);
    bool inside = y >= g->top && y < g->below;

    for (size_t x = 0; x < g->width; x++)
        if (!inside || x < g->left || x >= g->right)
            convert_row(g, rgb + 3 * x, &around, 1, job->white);
    if (!inside)
        return;
    size_t row = y - g->top;
    if (g->interlaced)
        row = stored_row(row, height);
    convert_row(g, rgb + 3 * (size_t)g->left, index + row * width, width,
                job->white);
}

static oriel_status
decode(oriel_image_file *file, oriel_canvas *canvas)
{
    const oriel_image_job *job = oriel_formats_job(file);
    gif g;
    oriel_status status = read_header(&g, job);

    if (status)
        return status;
    size_t n_bytes = (size_t)(g.right - g.left) * (g.below - g.top);
    uint8_t *index = oriel_alloc(&job->hooks, n_bytes);
    if (!index)
        return oriel_fail_memory(job->err, n_bytes, "the pixels of a GIF");
    if (job->pad)
        memset(index, unpainted(&g), n_bytes);
    status = read_rows(job, &g, index);
    if (status == ORIEL_ERR_INPUT && may_pad(job, &g))
        status = oriel_image_pad(job);
    for (size_t y = 0; y < g.height && !status; y++)
        place_row(job, &g, index, canvas, y);
    oriel_canvas_flush(canvas);
    oriel_free(&job->hooks, index);
    return oriel_formats_end(job, status);
}

const oriel_image_format oriel_format_gif = {
    .name = "GIF",
    .code = ORIEL_IMAGE_GIF,
    .open = open_file,
    .decode = decode,
    .close = oriel_formats_close,
};
