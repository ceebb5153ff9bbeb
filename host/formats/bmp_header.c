/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bmp_header.c - headers of Windows and of OS/2, masks and palettes
 *
 * Read as the reference reads them: the layouts of BITFIELDS are the ones in
 * its list, 32 bits without masks have no alpha, and a palette of greys in
 * order makes a grey picture.
 */
#include "formats/bmp.h"

#include "base/fail.h"

#include <string.h>

enum {
    FILE_HEADER = 14,
    CORE_HEADER = 12, /* OS/2 version 1: sides of 16 bits, colours of 3 bytes */
    MASKS_AT = 36,    /* in a header, after its own length */
    COLORS_MAX = 65536
};

enum {
    COMPRESSION_NONE = 0,
    COMPRESSION_RLE8 = 1,
    COMPRESSION_RLE4 = 2,
    COMPRESSION_BITFIELDS = 3
};

typedef struct header {
    const uint8_t *at; /* after the length of the header */
    uint32_t bytes;    /* the length */
    uint32_t offset;   /* of the pixels, as the file says it; may be 0 */
    uint32_t compression;
    size_t end; /* where what follows the header begins */
} header;

static const char *const compressions[] = {"none",      "RLE8", "RLE4",
                                           "BITFIELDS", "JPEG", "PNG"};

static bool
is_known_length(uint32_t bytes)
{
    static const uint8_t lengths[] = {12, 40, 52, 56, 64, 108, 124};

    for (size_t i = 0; i < sizeof(lengths); i++)
        if (bytes == lengths[i])
            return true;
    return false;
}

static oriel_status
read_sizes(oriel_bmp *bmp, header *h, const oriel_image_job *job)
{
    if (job->n_bytes < FILE_HEADER + 4)
        return oriel_fail(job->err, ORIEL_ERR_INPUT,
                          "BMP: truncated: %zu bytes, expected a header",
                          job->n_bytes);
    h->offset = oriel_le32(job->bytes + 10);
    h->bytes = oriel_le32(job->bytes + FILE_HEADER);
    h->at = job->bytes + FILE_HEADER + 4;
    h->end = FILE_HEADER + (size_t)h->bytes;
    if (!is_known_length(h->bytes))
        return oriel_fail(job->err, ORIEL_ERR_INPUT,
                          "BMP: header length %u, expected 12, 40, 52, 56, 64, "
                          "108 or 124",
                          h->bytes);
    if (job->n_bytes < h->end)
        return oriel_fail(job->err, ORIEL_ERR_INPUT,
                          "BMP: truncated: %zu bytes, expected a header of %zu",
                          job->n_bytes, h->end);
    if (h->bytes == CORE_HEADER) {
        bmp->width = oriel_le16(h->at);
        bmp->height = oriel_le16(h->at + 2);
        bmp->bits = (int32_t)oriel_le16(h->at + 6);
        return ORIEL_OK;
    }
    bmp->width = oriel_le32(h->at);
    bmp->height = oriel_le32(h->at + 4);
    bmp->top_down = h->at[7] == 0xff; /* the height is negative */
    if (bmp->top_down)
        bmp->height = 0u - bmp->height;
    bmp->bits = (int32_t)oriel_le16(h->at + 10);
    h->compression = oriel_le32(h->at + 12);
    bmp->n_colors = oriel_le32(h->at + 28);
    return ORIEL_OK;
}

/* ---- Masks --------------------------------------------------------------- */

typedef struct masks {
    int32_t bits;
    uint32_t red, green, blue, alpha;
    oriel_bmp_layout layout;
    int8_t place[4];
} masks;

/* Every layout that the reference takes.  Below 32 bits it does not look at
   the mask of alpha. */
static const masks known_masks[] = {
    {32, 0xff0000, 0xff00, 0xff, 0, ORIEL_BMP_BYTES, {2, 1, 0, -1}},
    {32, 0xff000000, 0xff0000, 0xff00, 0, ORIEL_BMP_BYTES, {3, 2, 1, -1}},
    {32, 0xff000000, 0xff00, 0xff, 0, ORIEL_BMP_BYTES, {3, 1, 0, -1}},
    {32, 0xff000000, 0xff0000, 0xff00, 0xff, ORIEL_BMP_BYTES, {3, 2, 1, 0}},
    {32, 0xff, 0xff00, 0xff0000, 0xff000000, ORIEL_BMP_BYTES, {0, 1, 2, 3}},
    {32, 0xff0000, 0xff00, 0xff, 0xff000000, ORIEL_BMP_BYTES, {2, 1, 0, 3}},
    {32, 0xff000000, 0xff00, 0xff, 0xff0000, ORIEL_BMP_BYTES, {3, 1, 0, 2}},
    {32, 0, 0, 0, 0, ORIEL_BMP_BYTES, {2, 1, 0, 3}},
    {24, 0xff0000, 0xff00, 0xff, 0, ORIEL_BMP_BYTES, {2, 1, 0, -1}},
    {16, 0xf800, 0x7e0, 0x1f, 0, ORIEL_BMP_565, {0, 0, 0, -1}},
    {16, 0x7c00, 0x3e0, 0x1f, 0, ORIEL_BMP_555, {0, 0, 0, -1}},
};

static oriel_status
read_masks(oriel_bmp *bmp, header *h, const oriel_image_job *job)
{
    const uint8_t *at = h->at + MASKS_AT;
    uint32_t mask[4] = {0, 0, 0, 0};
    int n_masks = h->bytes >= 56 ? 4 : 3;

    if (h->bytes < 52) { /* they follow the header */
        at = job->bytes + h->end;
        if (job->n_bytes - h->end < 12)
            return oriel_fail(job->err, ORIEL_ERR_INPUT,
                              "BMP: truncated: expected three masks after the "
                              "header");
        h->end += 12;
    }
    for (int i = 0; i < n_masks; i++)
        mask[i] = oriel_le32(at + (size_t)4 * (size_t)i);
    for (size_t i = 0; i < sizeof(known_masks) / sizeof(known_masks[0]); i++) {
        const masks *m = &known_masks[i];

        if (m->bits != bmp->bits || m->red != mask[0] || m->green != mask[1] ||
            m->blue != mask[2] || (m->bits == 32 && m->alpha != mask[3]))
            continue;
        bmp->layout = m->layout;
        memcpy(bmp->place, m->place, sizeof(bmp->place));
        return ORIEL_OK;
    }
    return oriel_fail(job->err, ORIEL_ERR_INPUT,
                      "BMP: masks %08x, %08x, %08x, %08x of %d bits, expected "
                      "a common layout",
                      mask[0], mask[1], mask[2], mask[3], bmp->bits);
}

/* ---- The palette --------------------------------------------------------- */

/* Whether the colours are 0, 0, 0 to 255, 255, 255 in order, or the two of a
   black and white picture. */
static bool
is_grey(const uint8_t *colors, uint32_t n_colors, uint32_t n_there,
        uint32_t color_bytes)
{
    if (n_there < n_colors)
        return false;
    for (uint32_t i = 0; i < n_colors; i++) {
        uint8_t grey = (uint8_t)(n_colors == 2 && i == 1 ? 255 : i);
        const uint8_t *color = colors + (size_t)i * color_bytes;

        if (color[0] != grey || color[1] != grey || color[2] != grey)
            return false;
    }
    return true;
}

static oriel_status
read_palette(oriel_bmp *bmp, const header *h, const oriel_image_job *job)
{
    uint32_t color_bytes = h->bytes == CORE_HEADER ? 3 : 4;
    const uint8_t *colors = job->bytes + h->end;
    uint32_t n_there = (uint32_t)((job->n_bytes - h->end) / color_bytes);

    if (bmp->n_colors > COLORS_MAX)
        return oriel_fail(job->err, ORIEL_ERR_INPUT,
                          "BMP: %u colours, expected at most %d", bmp->n_colors,
                          COLORS_MAX);
    if (is_grey(colors, bmp->n_colors, n_there, color_bytes)) {
        bmp->grey = true;
        if (bmp->layout == ORIEL_BMP_INDEX)
            bmp->layout = bmp->n_colors <= 2 ? ORIEL_BMP_BITS : ORIEL_BMP_GREY;
        return ORIEL_OK;
    }
    if (n_there > bmp->n_colors)
        n_there = bmp->n_colors;
    if (n_there > 256)
        return oriel_fail(job->err, ORIEL_ERR_INPUT,
                          "BMP: a palette of %u colours, expected at most 256",
                          n_there);
    for (uint32_t i = 0; i < n_there; i++)
        for (uint32_t k = 0; k < 3; k++)
            bmp->palette[3 * i + k] = colors[i * color_bytes + 2 - k];
    return ORIEL_OK;
}

/* ---- All of it ----------------------------------------------------------- */

static oriel_status
choose_layout(oriel_bmp *bmp, header *h, const oriel_image_job *job)
{
    int32_t bits = bmp->bits;

    if (bits != 1 && bits != 4 && bits != 8 && bits != 16 && bits != 24 &&
        bits != 32)
        return oriel_fail(job->err, ORIEL_ERR_INPUT,
                          "BMP: %d bits a pixel, expected 1, 4, 8, 16, 24 or "
                          "32",
                          bits);
    memcpy(bmp->place, (const int8_t[]){2, 1, 0, -1}, sizeof(bmp->place));
    bmp->layout = bits <= 8    ? ORIEL_BMP_INDEX
                  : bits == 16 ? ORIEL_BMP_555
                               : ORIEL_BMP_BYTES;
    switch (h->compression) {
    case COMPRESSION_NONE:
        return ORIEL_OK;
    case COMPRESSION_BITFIELDS:
        return read_masks(bmp, h, job);
    case COMPRESSION_RLE8:
    case COMPRESSION_RLE4:
        if (bits > 8)
            break;
        bmp->layout = h->compression == COMPRESSION_RLE4 ? ORIEL_BMP_RLE4
                                                         : ORIEL_BMP_RLE8;
        return ORIEL_OK;
    default:
        break;
    }
    return oriel_fail(
        job->err, ORIEL_ERR_INPUT,
        "BMP: compression %u (%s) of %d bits a pixel, expected "
        "none, BITFIELDS, or RLE of 8 bits and less",
        h->compression,
        h->compression < 6 ? compressions[h->compression] : "unknown", bits);
}

static void
measure_rows(oriel_bmp *bmp)
{
    uint64_t stored_bits = bmp->layout == ORIEL_BMP_BITS ? 1
                           : bmp->layout == ORIEL_BMP_GREY
                               ? 8
                               : (uint64_t)bmp->bits;

    /* The row that is read follows from the layout, the next one's place from
       the header: a grey palette of 4 bits makes them differ. */
    bmp->row_bytes = (size_t)((bmp->width * stored_bits + 7) / 8);
    bmp->stride =
        (size_t)(((uint64_t)bmp->width * (uint64_t)bmp->bits + 31) / 32 * 4);
}

oriel_status
oriel_bmp_read_header(oriel_bmp *bmp, const oriel_image_job *job)
{
    header h = {0};
    oriel_status status;

    memset(bmp, 0, sizeof(*bmp));
    status = read_sizes(bmp, &h, job);
    if (!status)
        status = oriel_image_check_size(job, "BMP", bmp->width, bmp->height);
    if (!status)
        status = choose_layout(bmp, &h, job);
    if (status)
        return status;
    if (bmp->n_colors == 0)
        bmp->n_colors = bmp->bits < 32 ? 1u << bmp->bits : 0;
    bmp->data = h.offset;
    if (bmp->bits <= 8) {
        size_t colors_bytes =
            (size_t)(h.bytes == CORE_HEADER ? 3 : 4) * bmp->n_colors;

        status = read_palette(bmp, &h, job);
        if (h.offset == FILE_HEADER + h.bytes)
            bmp->data += colors_bytes; /* the palette was forgotten */
        h.end += colors_bytes;
        if (h.end > job->n_bytes)
            h.end = job->n_bytes;
    }
    if (bmp->data == 0)
        bmp->data = h.end;
    measure_rows(bmp);
    if (!status && bmp->layout < ORIEL_BMP_RLE4 && bmp->row_bytes > bmp->stride)
        status = oriel_fail(job->err, ORIEL_ERR_INPUT,
                            "BMP: a grey palette of %d bits a pixel, which the "
                            "reference does not read either",
                            bmp->bits);
    return status;
}
