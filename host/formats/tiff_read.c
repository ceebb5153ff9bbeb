/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tiff_read.c - strips, tiles and planes through libtiff
 *
 * A block is a strip, or a tile; of separate planes all blocks of a place are
 * read before its rows are put together.
 */
#include "formats/tiff.h"

#include "base/checked.h"
#include "base/fail.h"
#include "base/memory.h"

#include <string.h>

/* How much more than the picture its blocks may hold, and the file its
   compressed data: a small file must not cost as much as a large one. */
enum { OVERLAP_MAX = 16 };
#define SPARE_BYTES ((uint64_t)64 << 20)

typedef struct reader {
    oriel_tiff *t;
    oriel_canvas *canvas;
    bool tiled;
    size_t n_planes;        /* 1: the samples of a pixel are together */
    uint32_t width, height; /* of a block */
    size_t block_bytes, line_bytes;
    uint8_t *block; /* n_planes of them */
    uint8_t *row;   /* of a block, planes put together */
    uint8_t *samples, *rgb;
    bool stored;   /* pixels lie in the file as they are, and are padded */
    size_t n_rows; /* of a stored block that are there */
    bool cut;      /* of some, not all */
} reader;

/* ---- Limits -------------------------------------------------------------- */

static oriel_status
check_blocks(const reader *r)
{
    const oriel_tiff *t = r->t;
    uint64_t pixels = (uint64_t)t->width * t->height;
    uint64_t n_blocks =
        r->tiled ? TIFFNumberOfTiles(t->file) : TIFFNumberOfStrips(t->file);
    uint64_t most = pixels * 8 * OVERLAP_MAX + SPARE_BYTES;
    uint64_t stored = 0, bytes;

    if (r->block_bytes == 0 || r->line_bytes == 0)
        return oriel_tiff_fail(t, "a block without a size");
    if (n_blocks > most / r->block_bytes)
        return oriel_fail(t->job->err, ORIEL_ERR_INPUT,
                          "TIFF: %llu blocks of %zu bytes, expected at most "
                          "%llu bytes in all for %ux%u pixels",
                          (unsigned long long)n_blocks, r->block_bytes,
                          (unsigned long long)most, t->width, t->height);
    for (uint64_t i = 0; i < n_blocks; i++) {
        bytes = TIFFGetStrileByteCount(t->file, (uint32_t)i);
        stored += bytes < t->job->n_bytes ? bytes : t->job->n_bytes;
    }
    most = (uint64_t)t->job->n_bytes * OVERLAP_MAX + (1 << 20);
    if (stored > most)
        return oriel_fail(t->job->err, ORIEL_ERR_INPUT,
                          "TIFF: blocks of %llu bytes in a file of %zu: they "
                          "overlap",
                          (unsigned long long)stored, t->job->n_bytes);
    return ORIEL_OK;
}

/* ---- Pixels without compression, padded ---------------------------------- */

/* How many rows of the stored block at 'offset' the file holds; an offset of 0
   means that it holds none. */
static size_t
count_stored_rows(const reader *r, uint64_t offset, size_t columns, size_t rows)
{
    const oriel_tiff *t = r->t;
    size_t n_samples = columns * (t->samples / r->n_planes);
    size_t row_bytes = (n_samples * t->bits + 7) / 8, there;

    if (offset == 0 || offset >= t->job->n_bytes)
        return 0;
    there = t->job->n_bytes - (size_t)offset;
    if (there < row_bytes || r->line_bytes == 0)
        return 0;
    there = 1 + (there - row_bytes) / r->line_bytes;
    return there < rows ? there : rows;
}

/* As libtiff gives it: the machine's order of bytes, the first bit highest. */
static void
put_in_order(const oriel_tiff *t, uint8_t *block, size_t n_bytes)
{
    uint16_t order = FILLORDER_MSB2LSB;

    TIFFGetFieldDefaulted(t->file, TIFFTAG_FILLORDER, &order);
    if (order == FILLORDER_LSB2MSB)
        TIFFReverseBits(block, (tmsize_t)n_bytes);
    if (!TIFFIsByteSwapped(t->file))
        return;
    if (t->bits == 16)
        TIFFSwabArrayOfShort((uint16_t *)(void *)block, (tmsize_t)n_bytes / 2);
    else if (t->bits == 32)
        TIFFSwabArrayOfLong((uint32_t *)(void *)block, (tmsize_t)n_bytes / 4);
}

/*
 * Like the reference, from the offset on, whatever the directory says of the
 * block's length: all rows that the file holds completely.  Of planes the
 * others are zero.
 */
static void
copy_stored(reader *r, uint32_t x, uint32_t y, size_t columns, size_t rows)
{
    const oriel_tiff *t = r->t;

    memset(r->block, 0, r->n_planes * r->block_bytes);
    for (size_t plane = 0; plane < r->n_planes; plane++) {
        uint16_t sample = (uint16_t)plane;
        uint64_t offset = TIFFGetStrileOffset(
            t->file, r->tiled ? TIFFComputeTile(t->file, x, y, 0, sample)
                              : TIFFComputeStrip(t->file, y, sample));
        size_t n = count_stored_rows(r, offset, columns, rows);
        size_t n_bytes = n * r->line_bytes;
        uint8_t *to = r->block + plane * r->block_bytes;

        if (n > 0 && t->job->n_bytes - offset < n_bytes)
            n_bytes = (size_t)(t->job->n_bytes - offset);
        memcpy(to, t->job->bytes + (n > 0 ? offset : 0), n_bytes);
        put_in_order(t, to, n_bytes);
        r->n_rows = r->n_planes == 1 ? n : rows;
        r->cut |= n < rows;
    }
}

/* What is missing is zero, also where the lowest sample is white. */
static void
fill_with_zeros(const reader *r)
{
    static const uint8_t zeros[4 * ORIEL_TIFF_SAMPLES];
    uint8_t samples[ORIEL_TIFF_SAMPLES], rgb[3];
    oriel_tiff t = *r->t;

    t.inverted = false;
    oriel_tiff_convert_row(&t, rgb, zeros, samples, 1);
    oriel_canvas_fill(r->canvas, rgb);
}

/* ---- One place ----------------------------------------------------------- */

static oriel_status
read_blocks(const reader *r, uint32_t x, uint32_t y)
{
    TIFF *file = r->t->file;

    for (size_t plane = 0; plane < r->n_planes; plane++) {
        uint8_t *to = r->block + plane * r->block_bytes;
        uint16_t sample = (uint16_t)plane;
        tmsize_t n =
            r->tiled
                ? TIFFReadTile(file, to, x, y, 0, sample)
                : TIFFReadEncodedStrip(file, TIFFComputeStrip(file, y, sample),
                                       to, (tmsize_t)r->block_bytes);

        if (n < 0)
            return oriel_tiff_fail(r->t, "pixels are missing");
    }
    return ORIEL_OK;
}

/* Line 'y' of the blocks, the samples of a pixel together. */
static const uint8_t *
gather_line(const reader *r, size_t y, size_t n_pixels)
{
    size_t sample_bytes = r->t->bits / 8;

    if (r->n_planes == 1)
        return r->block + y * r->line_bytes;
    for (size_t plane = 0; plane < r->n_planes; plane++) {
        const uint8_t *from =
            r->block + plane * r->block_bytes + y * r->line_bytes;
        uint8_t *to = r->row + plane * sample_bytes;

        for (size_t x = 0; x < n_pixels; x++)
            memcpy(to + x * r->n_planes * sample_bytes, from + x * sample_bytes,
                   sample_bytes);
    }
    return r->row;
}

static void
place_blocks(const reader *r, uint32_t x, uint32_t y, size_t columns,
             size_t rows)
{
    const oriel_tiff *t = r->t;

    for (size_t i = 0; i < rows; i++) {
        const uint8_t *line = gather_line(r, i, columns);

        if (!r->tiled) {
            oriel_tiff_convert_row(t, oriel_canvas_row(r->canvas, y + i), line,
                                   r->samples, columns);
            continue;
        }
        oriel_tiff_convert_row(t, r->rgb, line, r->samples, columns);
        oriel_canvas_scatter(r->canvas, x, y + i, 1, r->rgb, columns);
    }
}

/* ---- All of them --------------------------------------------------------- */

static oriel_status
measure(reader *r)
{
    oriel_tiff *t = r->t;
    TIFF *file = t->file;
    tmsize_t block = r->tiled ? TIFFTileSize(file) : TIFFStripSize(file);
    tmsize_t line = r->tiled ? TIFFTileRowSize(file) : TIFFScanlineSize(file);
    size_t needed;

    r->n_planes = t->planar == PLANARCONFIG_SEPARATE ? t->samples : 1;
    r->width = t->width;
    r->height = t->height;
    if (r->tiled) {
        TIFFGetField(file, TIFFTAG_TILEWIDTH, &r->width);
        TIFFGetField(file, TIFFTAG_TILELENGTH, &r->height);
    } else {
        TIFFGetFieldDefaulted(file, TIFFTAG_ROWSPERSTRIP, &r->height);
        if (r->height > t->height)
            r->height = t->height;
    }
    r->block_bytes = block > 0 ? (size_t)block : 0;
    r->line_bytes = line > 0 ? (size_t)line : 0;
    if (r->width == 0 || r->height == 0)
        return oriel_tiff_fail(t, "a block without a size");
    /* What convert_row reads of a block is within it. */
    needed = ((size_t)r->width * (t->samples / r->n_planes) * t->bits + 7) / 8;
    if (r->n_planes > 1 && t->bits < 8)
        return oriel_fail(t->job->err, ORIEL_ERR_INPUT,
                          "TIFF: planes of %u bits a sample, expected 8 or 16",
                          t->bits);
    if (r->line_bytes < needed || r->block_bytes / r->height < r->line_bytes)
        return oriel_tiff_fail(t, "rows of another size than the header's");
    return check_blocks(r);
}

static oriel_status
alloc_buffers(reader *r)
{
    const oriel_hooks *hooks = &r->t->job->hooks;
    size_t n_samples = (size_t)r->width * r->t->samples, bytes;

    if (!oriel_mul_size(&bytes, r->block_bytes, r->n_planes))
        return oriel_fail_memory(r->t->job->err, r->block_bytes,
                                 "the planes of a TIFF");
    /* Zeroed: a block may end early without libtiff finding fault. */
    r->block = oriel_calloc(hooks, bytes, 1);
    r->samples = oriel_alloc(hooks, n_samples);
    if (r->n_planes > 1)
        r->row = oriel_alloc(hooks, n_samples * 2);
    if (r->tiled)
        r->rgb = oriel_alloc(hooks, (size_t)r->width * 3);
    if (!r->block || !r->samples || (r->n_planes > 1 && !r->row) ||
        (r->tiled && !r->rgb))
        return oriel_fail_memory(r->t->job->err, bytes, "a block of a TIFF");
    return ORIEL_OK;
}

static oriel_status
read_place(reader *r, uint32_t x, uint32_t y)
{
    const oriel_tiff *t = r->t;
    size_t columns = t->width - x < r->width ? t->width - x : r->width;
    size_t rows = t->height - y < r->height ? t->height - y : r->height;
    oriel_status status = ORIEL_OK;

    if (r->stored) {
        copy_stored(r, x, y, columns, rows);
        rows = r->n_rows;
    } else {
        status = read_blocks(r, x, y);
    }
    if (!status)
        place_blocks(r, x, y, columns, rows);
    return status;
}

static oriel_status
read_all(reader *r)
{
    const oriel_tiff *t = r->t;
    oriel_status status = ORIEL_OK;

    for (uint32_t y = 0; y < t->height && !status;) {
        for (uint32_t x = 0; x < t->width && !status;) {
            status = read_place(r, x, y);
            x = t->width - x > r->width ? x + r->width : t->width;
        }
        y = t->height - y > r->height ? y + r->height : t->height;
    }
    if (r->cut) {
        oriel_fail(t->job->err, ORIEL_ERR_INPUT,
                   "TIFF: truncated: the file ends before its pixels");
        return oriel_image_pad(t->job);
    }
    return status;
}

/* ---- By libtiff's own conversion ----------------------------------------- */

static oriel_status
read_rgba_rows(const reader *r, TIFFRGBAImage *image, uint8_t *rgba)
{
    const oriel_tiff *t = r->t;

    for (uint32_t y = 0; y < t->height; y += r->height) {
        uint32_t rows = t->height - y < r->height ? t->height - y : r->height;

        image->row_offset = (int)y;
        if (!TIFFRGBAImageGet(image, (uint32_t *)(void *)rgba, t->width, rows))
            return oriel_tiff_fail(t, "pixels are missing");
        for (uint32_t i = 0; i < rows; i++) {
            uint8_t *rgb = oriel_canvas_row(r->canvas, y + i);
            const uint8_t *line = rgba + (size_t)i * t->width * 4;

            for (size_t x = 0; x < t->width; x++)
                memcpy(rgb + 3 * x, line + 4 * x, 3);
        }
    }
    return ORIEL_OK;
}

static oriel_status
read_by_rgba(reader *r)
{
    oriel_tiff *t = r->t;
    size_t bytes = (size_t)r->height * t->width * 4;
    oriel_status status;
    TIFFRGBAImage image;
    char message[1024] = "";

    if (!TIFFRGBAImageOK(t->file, message) ||
        !TIFFRGBAImageBegin(&image, t->file, 0, message))
        return oriel_tiff_fail(t, message);
    image.orientation = ORIENTATION_TOPLEFT; /* the canvas turns */
    image.req_orientation = ORIENTATION_TOPLEFT;
    image.col_offset = 0;
    uint8_t *rgba = oriel_calloc(&t->job->hooks, bytes, 1);
    if (rgba)
        status = read_rgba_rows(r, &image, rgba);
    else
        status = oriel_fail_memory(t->job->err, bytes, "rows of a TIFF");
    TIFFRGBAImageEnd(&image);
    oriel_free(&t->job->hooks, rgba);
    return status;
}

/*
 * Blocks, once more for libtiff's own copies or libjpeg's coefficients, which
 * take two bytes a sample; RGBA where libtiff converts; the rows put together;
 * the file, when its bits are reversed; and the codec, of which LZMA takes most.
 */
uint64_t
oriel_tiff_decode_bytes(const oriel_tiff *t)
{
    tmsize_t block =
        TIFFIsTiled(t->file) ? TIFFTileSize(t->file) : TIFFStripSize(t->file);
    uint64_t planes = t->planar == PLANARCONFIG_SEPARATE ? t->samples : 1;
    uint64_t codec = (uint64_t)(t->compression == COMPRESSION_LZMA ? 128 : 16)
                     << 20;
    uint64_t blocks = block > 0 ? (uint64_t)block * planes : 0;

    if (t->compression == COMPRESSION_JPEG ||
        t->compression == COMPRESSION_OJPEG)
        blocks *= 3;
    if (t->color == ORIEL_TIFF_BY_RGBA)
        blocks += 4 * (uint64_t)t->width * t->height;
    return 2 * blocks + 16 * (uint64_t)t->width + t->job->n_bytes + codec;
}

oriel_status
oriel_tiff_read(oriel_tiff *t, oriel_canvas *canvas)
{
    const oriel_hooks *hooks = &t->job->hooks;
    reader r = {.t = t, .canvas = canvas, .tiled = TIFFIsTiled(t->file)};
    oriel_status status;

    if (t->color == ORIEL_TIFF_BY_RGBA) {
        uint32_t rows = t->height;

        TIFFGetFieldDefaulted(
            t->file, r.tiled ? TIFFTAG_TILELENGTH : TIFFTAG_ROWSPERSTRIP,
            &rows);
        r.height = rows > 0 && rows < t->height ? rows : t->height;
        r.block_bytes = r.line_bytes = 1;
        status = check_blocks(&r);
        return status ? status : read_by_rgba(&r);
    }
    r.stored = t->job->pad && t->compression == COMPRESSION_NONE;
    status = measure(&r);
    if (!status)
        status = alloc_buffers(&r);
    if (!status && r.stored)
        fill_with_zeros(&r);
    if (!status)
        status = read_all(&r);
    oriel_free(hooks, r.block);
    oriel_free(hooks, r.row);
    oriel_free(hooks, r.samples);
    oriel_free(hooks, r.rgb);
    return status;
}
