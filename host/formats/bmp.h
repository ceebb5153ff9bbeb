/* SPDX-License-Identifier: Apache-2.0 */
/* bmp.h - what the header of a BMP says, and its pixels */
#ifndef ORIEL_FORMATS_BMP_H
#define ORIEL_FORMATS_BMP_H

#include "formats/formats.h"

/* How a pixel is stored. */
typedef enum oriel_bmp_layout {
    ORIEL_BMP_BITS,  /* 1 bit, black and white */
    ORIEL_BMP_GREY,  /* a byte */
    ORIEL_BMP_INDEX, /* 'bits' of them, into the palette */
    ORIEL_BMP_555,
    ORIEL_BMP_565,
    ORIEL_BMP_BYTES, /* 'bits' / 8 bytes; 'place' says which is which */
    ORIEL_BMP_RLE4,
    ORIEL_BMP_RLE8
} oriel_bmp_layout;

typedef struct oriel_bmp {
    uint32_t width, height;
    int32_t bits;
    bool top_down;
    oriel_bmp_layout layout;
    bool grey; /* RLE: indexes are greys; of two colours, 0 is black alone */
    int8_t place[4]; /* red, green, blue, alpha; -1: no alpha */
    uint32_t n_colors;
    uint8_t palette[3 * 256]; /* black beyond n_colors */
    size_t row_bytes;         /* that a row needs */
    size_t stride;            /* from one row to the next */
    size_t data;              /* where the pixels begin */
} oriel_bmp;

/* bmp_header.c */
oriel_status oriel_bmp_read_header(oriel_bmp *bmp, const oriel_image_job *job);

/* bmp_rle.c: indexes [height, width], as stored, row 0 first. */
oriel_status oriel_bmp_read_rle(const oriel_image_job *job,
                                const oriel_bmp *bmp, uint8_t *index);

#endif /* ORIEL_FORMATS_BMP_H */
