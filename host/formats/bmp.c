/* SPDX-License-Identifier: Apache-2.0 */
/* bmp.c - rows of a BMP to RGB8 */
#include "formats/bmp.h"

#include "base/fail.h"
#include "base/memory.h"
#include "image/convert.h"

#include <string.h>

static oriel_status
open_file(oriel_image_file *file, const oriel_image_job *job,
          oriel_image_header *header)
{
    oriel_bmp bmp;
    oriel_status status = oriel_bmp_read_header(&bmp, job);

    oriel_formats_keep_job(file, job);
    if (status)
        return status;
    header->decode_bytes = 1 << 12;
    if (bmp.layout >= ORIEL_BMP_RLE4)
        header->decode_bytes += (uint64_t)bmp.width * bmp.height;
    header->width = bmp.width;
    header->height = bmp.height;
    header->has_alpha = bmp.layout == ORIEL_BMP_BYTES && bmp.place[3] >= 0;
    header->channels = header->has_alpha ? 4 : bmp.bits <= 8 ? 1 : 3;
    header->bit_depth = bmp.bits < 8 ? bmp.bits : 8;
    return ORIEL_OK;
}

/* Levels of 5 and 6 bits as the reference scales them. */
static void
convert_555(uint8_t *rgb, const uint8_t *row, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t pixel = oriel_le16(row + 2 * i);

        rgb[3 * i] = (uint8_t)((pixel >> 10 & 31) * 255 / 31);
        rgb[3 * i + 1] = (uint8_t)((pixel >> 5 & 31) * 255 / 31);
        rgb[3 * i + 2] = (uint8_t)((pixel & 31) * 255 / 31);
    }
}

static void
convert_565(uint8_t *rgb, const uint8_t *row, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t pixel = oriel_le16(row + 2 * i);

        rgb[3 * i] = (uint8_t)((pixel >> 11 & 31) * 255 / 31);
        rgb[3 * i + 1] = (uint8_t)((pixel >> 5 & 63) * 255 / 63);
        rgb[3 * i + 2] = (uint8_t)((pixel & 31) * 255 / 31);
    }
}

static void
convert_bytes(const oriel_bmp *bmp, uint8_t *rgb, const uint8_t *row, size_t n,
              bool white)
{
    size_t step = (size_t)bmp->bits / 8;

    for (size_t i = 0; i < n; i++, row += step)
        for (size_t c = 0; c < 3; c++) {
            uint8_t value = row[bmp->place[c]];

            if (white && bmp->place[3] >= 0)
                value = oriel_on_white(value, row[bmp->place[3]]);
            rgb[3 * i + c] = value;
        }
}

static void
convert_indexes(const oriel_bmp *bmp, uint8_t *rgb, const uint8_t *row,
                size_t n)
{
    size_t in_byte = 8 / (size_t)bmp->bits;
    uint32_t mask = (1u << bmp->bits) - 1;

    for (size_t i = 0; i < n; i++) {
        size_t shift = 8 - (size_t)bmp->bits * (i % in_byte + 1);
        size_t index = (uint32_t)row[i / in_byte] >> shift & mask;

        memcpy(rgb + 3 * i, bmp->palette + 3 * index, 3);
    }
}

static void
convert_unpacked(const oriel_bmp *bmp, uint8_t *rgb, const uint8_t *index,
                 size_t n)
{
    if (!bmp->grey)
        oriel_formats_look_up(rgb, index, n, bmp->palette);
    else if (bmp->n_colors > 2)
        oriel_convert_grey(rgb, index, n);
    else
        for (size_t i = 0; i < n; i++)
            memset(rgb + 3 * i, index[i] ? 255 : 0, 3);
}

static void
convert_row(const oriel_bmp *bmp, uint8_t *rgb, const uint8_t *row, bool white)
{
    size_t n = bmp->width;

    switch (bmp->layout) {
    case ORIEL_BMP_BITS:
        for (size_t i = 0; i < n; i++)
            memset(rgb + 3 * i, row[i / 8] >> (7 - i % 8) & 1 ? 255 : 0, 3);
        break;
    case ORIEL_BMP_GREY:
        oriel_convert_grey(rgb, row, n);
        break;
    case ORIEL_BMP_INDEX:
        convert_indexes(bmp, rgb, row, n);
        break;
    case ORIEL_BMP_555:
        convert_555(rgb, row, n);
        break;
    case ORIEL_BMP_565:
        convert_565(rgb, row, n);
        break;
    case ORIEL_BMP_BYTES:
        convert_bytes(bmp, rgb, row, n, white);
        break;
    case ORIEL_BMP_RLE4:
    case ORIEL_BMP_RLE8:
        convert_unpacked(bmp, rgb, row, n);
        break;
    }
}

/* Which stored row is row 'y' of the picture. */
static size_t
stored_row(const oriel_bmp *bmp, size_t y)
{
    return bmp->top_down ? y : bmp->height - 1 - y;
}

/* What is missing is zero: also an index of the palette, and alpha. */
static void
fill_with_zeros(const oriel_image_job *job, const oriel_bmp *bmp,
                oriel_canvas *canvas)
{
    static const uint8_t zeros[4];
    oriel_bmp pixel = *bmp;
    uint8_t rgb[3];

    pixel.width = 1;
    convert_row(&pixel, rgb, zeros, job->rgba_white);
    oriel_canvas_fill(canvas, rgb);
}

static oriel_status
read_plain(const oriel_image_job *job, const oriel_bmp *bmp,
           oriel_canvas *canvas)
{
    size_t there = job->n_bytes > bmp->data ? job->n_bytes - bmp->data : 0;
    size_t n_rows = 0; /* as stored; the last may lack the bytes that fill it */

    if (there >= bmp->row_bytes)
        n_rows = 1 + (there - bmp->row_bytes) / bmp->stride;
    if (n_rows < bmp->height) {
        oriel_status status = oriel_fail(job->err, ORIEL_ERR_INPUT,
                                         "BMP: truncated: %zu bytes of pixels, "
                                         "expected %u rows of %zu",
                                         there, bmp->height, bmp->stride);
        if (!job->pad)
            return status;
        fill_with_zeros(job, bmp, canvas);
        oriel_image_pad(job);
    }
    for (size_t y = 0; y < bmp->height; y++) {
        size_t row = stored_row(bmp, y);

        if (row < n_rows)
            convert_row(bmp, oriel_canvas_row(canvas, y),
                        job->bytes + bmp->data + row * bmp->stride,
                        job->rgba_white);
    }
    return ORIEL_OK;
}

static oriel_status
read_packed(const oriel_image_job *job, const oriel_bmp *bmp,
            oriel_canvas *canvas)
{
    size_t n_bytes = (size_t)bmp->width * bmp->height;
    uint8_t *index = oriel_alloc(&job->hooks, n_bytes);
    oriel_status status;

    if (!index)
        return oriel_fail_memory(job->err, n_bytes, "the pixels of a BMP");
    status = oriel_bmp_read_rle(job, bmp, index);
    for (size_t y = 0; y < bmp->height && !status; y++)
        convert_row(bmp, oriel_canvas_row(canvas, y),
                    index + stored_row(bmp, y) * bmp->width, job->rgba_white);
    oriel_free(&job->hooks, index);
    return status;
}

static oriel_status
decode(oriel_image_file *file, oriel_canvas *canvas)
{
    const oriel_image_job *job = oriel_formats_job(file);
    oriel_bmp bmp;
    oriel_status status = oriel_bmp_read_header(&bmp, job);

    if (!status)
        status = bmp.layout >= ORIEL_BMP_RLE4 ? read_packed(job, &bmp, canvas)
                                              : read_plain(job, &bmp, canvas);
    oriel_canvas_flush(canvas);
    return oriel_formats_end(job, status);
}

const oriel_image_format oriel_format_bmp = {
    .name = "BMP",
    .code = ORIEL_IMAGE_BMP,
    .open = open_file,
    .decode = decode,
    .close = oriel_formats_close,
};
