/* SPDX-License-Identifier: Apache-2.0 */
/*
 * png_decode.c - the pixels of a PNG, through libpng
 *
 * libpng's progressive reader gets IHDR, PLTE, tRNS and IDAT in portions, all
 * else was read by our pass over the chunks.  Whether a damaged stream is
 * refused depends on what zlib had seen when the last row came out, so the
 * portions are Pillow's: at most 64 KiB, never across chunks.
 */
#include "image/png.h"

#include "base/fail.h"
#include "base/memory.h"
#include "image/convert.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <png.h>

enum { PORTION_BYTES = 65536, MAX_COLOURS = 256, READER_BYTES = 65536 };

/* Pillow's limit on a row, in bits. */
#define LONGEST_ROW ((uint64_t)INT32_MAX - 7)

typedef struct decoder {
    const oriel_png *png;
    oriel_canvas *canvas;
    png_structp reader;
    png_infop info;
    jmp_buf failed;
    char message[160];
    size_t not_given; /* bytes of memory that there were not; 0: no failure */
    bool cancelled;

    uint64_t n_rows; /* that are still to come, over all passes */
    int32_t channels;
    bool has_key; /* one colour is transparent, and shown white */
    uint8_t key[3];
    uint8_t *rgb; /* a row of an interlaced picture */
} decoder;

static png_voidp
lend(png_structp reader, png_alloc_size_t bytes)
{
    decoder *d = png_get_mem_ptr(reader);
    void *memory = oriel_alloc(&d->png->job->hooks, bytes);

    if (!memory)
        d->not_given = bytes;
    return memory;
}

static void
take_back(png_structp reader, png_voidp memory)
{
    const decoder *d = png_get_mem_ptr(reader);

    oriel_free(&d->png->job->hooks, memory);
}

static void
on_error(png_structp reader, png_const_charp message)
{
    decoder *d = png_get_error_ptr(reader);

    snprintf(d->message, sizeof(d->message), "%s", message);
    longjmp(d->failed, 1);
}

static void
on_warning(png_structp reader, png_const_charp message)
{
    (void)reader; /* warnings refuse nothing */
    (void)message;
}

/* The reference compares the low bytes with samples of 8 bits. */
static void
find_key(decoder *d)
{
    const oriel_png *png = d->png;
    const uint8_t *data = png->transparency.data;

    d->has_key = png->job->white && data &&
                 (png->colour == PNG_COLOR_TYPE_GRAY ||
                  png->colour == PNG_COLOR_TYPE_RGB);
    if (!d->has_key)
        return;
    for (size_t i = 0; i < 3; i++)
        d->key[i] = data[png->colour == PNG_COLOR_TYPE_RGB ? 2 * i + 1 : 1];
    if (png->bit_depth == 1)
        memset(d->key, data[0] || data[1] ? 255 : 0, sizeof(d->key));
}

/* Samples of 8 bits, except grey ones of 16, which do not scale but
   saturate. */
static void
on_info(png_structp reader, png_infop info)
{
    decoder *d = png_get_progressive_ptr(reader);
    const oriel_png *png = d->png;

    if (png->colour == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(reader);
    else if (png->colour == PNG_COLOR_TYPE_GRAY && png->bit_depth < 8)
        png_set_expand_gray_1_2_4_to_8(reader);
    else if (png->colour != PNG_COLOR_TYPE_GRAY && png->bit_depth == 16)
        png_set_strip_16(reader);
    png_read_update_info(reader, info);
    d->channels = png_get_channels(reader, info);
    find_key(d);
}

static void
convert(const decoder *d, uint8_t *rgb, const uint8_t *row, size_t n)
{
    bool white = d->png->job->white;

    if (d->channels == 4)
        oriel_convert_rgba(rgb, row, n, d->png->job->rgba_white);
    else if (d->channels == 3)
        oriel_convert_rgb(rgb, row, n);
    else if (d->channels == 2)
        oriel_convert_grey_alpha(rgb, row, n, white);
    else if (d->png->bit_depth == 16)
        oriel_convert_grey16(rgb, row, n);
    else
        oriel_convert_grey(rgb, row, n);
    if (d->has_key)
        oriel_convert_key_to_white(rgb, n, d->key);
}

static bool
is_interlaced(const oriel_png *png)
{
    return png->header.data[12] != 0;
}

static void
on_row(png_structp reader, png_bytep row, png_uint_32 y, int pass)
{
    decoder *d = png_get_progressive_ptr(reader);
    size_t n = d->png->width;

    if (is_interlaced(d->png)) {
        n = (size_t)PNG_PASS_COLS((int64_t)n, pass);
        convert(d, d->rgb, row, n);
        oriel_canvas_scatter(d->canvas, PNG_PASS_START_COL(pass),
                             PNG_ROW_FROM_PASS_ROW(y, pass),
                             PNG_PASS_COL_OFFSET(pass), d->rgb, n);
    } else {
        convert(d, oriel_canvas_row(d->canvas, y), row, n);
    }
    d->n_rows--;
    d->cancelled = oriel_canvas_cancelled(d->canvas, n);
    if (d->cancelled)
        longjmp(d->failed, 1);
}

static uint64_t
count_rows(const oriel_png *png)
{
    uint64_t n_rows = 0;

    if (!is_interlaced(png))
        return png->height;
    for (int pass = 0; pass < PNG_INTERLACE_ADAM7_PASSES; pass++)
        if (PNG_PASS_COLS((int64_t)png->width, pass) > 0)
            n_rows += (uint64_t)PNG_PASS_ROWS((int64_t)png->height, pass);
    return n_rows;
}

/* The alphas of a palette.  One clear entry among opaque ones is a key to the
   reference, and what follows it opaque, even a line feed at the end, since its
   pattern lets one stand there. */
static uint32_t
count_alphas(const oriel_png *png)
{
    const uint8_t *alphas = png->transparency.data;
    uint32_t n = png->transparency.n_data, clear = 0, i;

    if (!png->job->white || png->colour != PNG_COLOR_TYPE_PALETTE)
        return 0;
    while (clear < n && alphas[clear] == 255)
        clear++;
    for (i = clear + 1; i < n && alphas[i] == 255;)
        i++;
    if (clear < n && alphas[clear] == 0 &&
        (i == n || (i == n - 1 && alphas[i] == '\n')))
        return clear + 1;
    return n;
}

static void
give(decoder *d, const uint8_t *bytes, size_t n_bytes)
{
    png_process_data(d->reader, d->info, (png_bytep)bytes, n_bytes);
}

/* A chunk whose CRC is not looked at: our pass has done so. */
static void
give_chunk(decoder *d, const char *id, const uint8_t *data, uint32_t n_bytes)
{
    static const uint8_t crc[4];
    uint8_t head[8];

    png_save_uint_32(head, n_bytes);
    memcpy(head + 4, id, 4);
    give(d, head, sizeof(head));
    give(d, data, n_bytes);
    give(d, crc, sizeof(crc));
}

/* Header and palette.  A palette that is not there is black; alphas without a
   colour have no use. */
static void
give_header(decoder *d)
{
    static const uint8_t black[3 * MAX_COLOURS];
    const oriel_png *png = d->png;
    const uint8_t *palette = png->palette.data;
    uint32_t n_colours = png->palette.n_data / 3;
    uint32_t n_alphas = count_alphas(png);

    give(d, png->job->bytes, 8);
    give_chunk(d, "IHDR", png->header.data, 13);
    if (png->colour != PNG_COLOR_TYPE_PALETTE)
        return;
    if (n_colours == 0) {
        palette = black;
        n_colours = MAX_COLOURS;
    }
    give_chunk(d, "PLTE", palette, 3 * n_colours);
    n_alphas = n_alphas < n_colours ? n_alphas : n_colours;
    if (n_alphas > 0)
        give_chunk(d, "tRNS", png->transparency.data, n_alphas);
}

static oriel_status
truncated(const decoder *d, const oriel_png_chunk *chunk)
{
    size_t n_bytes = d->png->job->n_bytes;
    size_t end = chunk->start + 8 + chunk->n_data;

    return oriel_fail(d->png->job->err, ORIEL_ERR_INPUT,
                      "PNG: truncated: pixels end at byte %zu, before the last "
                      "row",
                      end < n_bytes ? end : n_bytes);
}

/* One IDAT, in portions, until the last row has come. */
static void
give_pixels(decoder *d, const oriel_png_chunk *chunk)
{
    size_t there = d->png->job->n_bytes - chunk->start - 8;
    size_t n_bytes = chunk->n_data < there ? chunk->n_data : there;

    for (size_t at = 0; at < n_bytes && d->n_rows > 0;) {
        size_t n = n_bytes - at;

        n = n < PORTION_BYTES ? n : PORTION_BYTES;
        give_chunk(d, "IDAT", chunk->data + at, (uint32_t)n);
        at += n;
    }
}

static oriel_status
fail(const decoder *d)
{
    oriel_error *err = d->png->job->err;

    if (d->cancelled)
        return oriel_image_fail_cancelled(d->png->job);
    if (d->not_given > 0)
        return oriel_fail_memory(err, d->not_given, "the PNG decoder");
    oriel_status status =
        oriel_fail(err, ORIEL_ERR_INPUT, "PNG: %s", ORIEL_QUOTE(d->message));
    return d->png->job->pad ? oriel_image_pad(d->png->job) : status;
}

/* No more pixels after 'last'.  Against the specification, the reference takes
   them from fdAT and DDAT too: not padded. */
static oriel_status
end_early(const decoder *d, const oriel_png_chunk *last,
          const oriel_png_chunk *next)
{
    oriel_status status = truncated(d, last);
    bool foreign = next && (memcmp(next->id, "fdAT", 4) == 0 ||
                            memcmp(next->id, "DDAT", 4) == 0);

    return d->png->job->pad && !foreign ? oriel_image_pad(d->png->job) : status;
}

static oriel_status
run(decoder *d)
{
    const oriel_image_job *job = d->png->job;
    oriel_png_chunk chunk = d->png->pixels;

    if (setjmp(d->failed))
        return fail(d);
    give_header(d);
    for (;;) {
        give_pixels(d, &chunk);
        if (d->n_rows == 0)
            break;
        oriel_png_chunk last = chunk;
        bool more =
            oriel_png_next_chunk(job, last.start + 8 + last.n_data + 4, &chunk);
        if (!more || memcmp(chunk.id, "IDAT", 4) != 0)
            return end_early(d, &last, more ? &chunk : NULL);
    }
    if (d->png->cut_pixels_start && d->png->cut_pixels_start != chunk.start)
        return oriel_fail(job->err, ORIEL_ERR_INPUT,
                          "PNG: the file ends in a chunk of pixels after the "
                          "last row");
    return ORIEL_OK;
}

/* What is not decoded is zero: also an index of the palette, and alpha. */
static void
fill_with_zeros(decoder *d)
{
    const oriel_png *png = d->png;
    uint8_t pixel[4] = {0}, rgb[3];

    find_key(d);
    d->channels = (int32_t[]){1, 0, 3, 3, 2, 0, 4}[png->colour];
    if (png->colour == PNG_COLOR_TYPE_PALETTE && count_alphas(png) > 0) {
        d->channels = 4;
        pixel[3] = png->transparency.data[0];
    }
    if (png->colour == PNG_COLOR_TYPE_PALETTE && png->palette.n_data >= 3)
        memcpy(pixel, png->palette.data, 3);
    convert(d, rgb, pixel, 1);
    oriel_canvas_fill(d->canvas, rgb);
}

/* False: out of memory. */
static bool
create_reader(decoder *d)
{
    const oriel_png *png = d->png;

    if (setjmp(d->failed))
        return false;
    d->reader = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, d, on_error,
                                         on_warning, d, lend, take_back);
    if (!d->reader)
        return false;
    d->info = png_create_info_struct(d->reader);
    if (!d->info)
        return false;
    png_set_user_limits(d->reader, png->width, png->height);
    png_set_chunk_cache_max(d->reader, 1);
    png_set_chunk_malloc_max(d->reader, PORTION_BYTES);
    png_set_benign_errors(d->reader, 0);
    png_set_crc_action(d->reader, PNG_CRC_QUIET_USE, PNG_CRC_QUIET_USE);
    png_set_progressive_read_fn(d->reader, d, on_info, on_row, NULL);
    return true;
}

static oriel_status
check_limits(const oriel_png *png)
{
    static const uint32_t samples[] = {1, 0, 3, 1, 2, 0, 4};
    uint64_t row =
        (uint64_t)png->width * samples[png->colour] * (uint32_t)png->bit_depth;

    if (row > LONGEST_ROW)
        return oriel_fail(png->job->err, ORIEL_ERR_INPUT,
                          "PNG: rows of %llu bits, expected at most %llu",
                          (unsigned long long)row,
                          (unsigned long long)LONGEST_ROW);
    if (png->palette.n_data / 3 > MAX_COLOURS)
        return oriel_png_bad_chunk(png, &png->palette,
                                   "%u colours, expected at most %d",
                                   png->palette.n_data / 3, MAX_COLOURS);
    if (count_alphas(png) > MAX_COLOURS)
        return oriel_png_bad_chunk(png, &png->transparency,
                                   "%u entries, expected at most %d",
                                   count_alphas(png), MAX_COLOURS);
    return ORIEL_OK;
}

/* Two rows of libpng's, as wide as any of its steps makes them, and one of an
   interlaced picture; its structs and zlib's. */
uint64_t
oriel_png_decode_room(const oriel_png *png)
{
    static const uint64_t samples[] = {1, 0, 3, 4, 2, 0, 4};
    uint64_t bits = samples[png->colour] *
                    (png->bit_depth < 8 ? 8 : (uint64_t)png->bit_depth);
    uint64_t row = ((uint64_t)png->width + 8) * bits / 8 + 64;

    return 2 * row + (is_interlaced(png) ? 3 * (uint64_t)png->width : 0) +
           READER_BYTES;
}

oriel_status
oriel_png_decode(const oriel_png *png, oriel_canvas *canvas)
{
    const oriel_hooks *hooks = &png->job->hooks;
    decoder *d;
    oriel_status status = check_limits(png);

    if (status)
        return status;
    d = oriel_calloc(hooks, 1, sizeof(*d));
    if (!d)
        return oriel_fail_memory(png->job->err, sizeof(*d), "the PNG decoder");
    d->png = png;
    d->canvas = canvas;
    d->n_rows = count_rows(png);
    d->rgb =
        is_interlaced(png) ? oriel_alloc(hooks, 3 * (size_t)png->width) : NULL;
    if ((is_interlaced(png) && !d->rgb) || !create_reader(d))
        status = oriel_fail_memory(png->job->err, 3 * (size_t)png->width,
                                   "the PNG decoder");
    else {
        if (png->job->pad)
            fill_with_zeros(d);
        status = run(d);
        oriel_canvas_flush(canvas);
    }
    png_destroy_read_struct(&d->reader, &d->info, NULL);
    oriel_free(hooks, d->rgb);
    oriel_free(hooks, d);
    return status;
}
