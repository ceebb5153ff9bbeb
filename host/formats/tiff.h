/* SPDX-License-Identifier: Apache-2.0 */
/* tiff.h - a TIFF that libtiff has opened, and what its pixels are */
#ifndef ORIEL_FORMATS_TIFF_H
#define ORIEL_FORMATS_TIFF_H

#include "formats/formats.h"

#include <tiffio.h>

enum { ORIEL_TIFF_SAMPLES = 8 }; /* tiff_layout.c takes no more a pixel */

typedef enum oriel_tiff_color {
    ORIEL_TIFF_GREY,
    ORIEL_TIFF_PALETTE,
    ORIEL_TIFF_RGB,
    ORIEL_TIFF_CMYK,
    ORIEL_TIFF_YCBCR,  /* 8 bits, not subsampled, not compressed */
    ORIEL_TIFF_BY_RGBA /* libtiff converts it to RGBA */
} oriel_tiff_color;

typedef enum oriel_tiff_alpha {
    ORIEL_TIFF_OPAQUE,
    ORIEL_TIFF_STRAIGHT,
    ORIEL_TIFF_PREMULTIPLIED
} oriel_tiff_alpha;

typedef struct oriel_tiff {
    const oriel_image_job *job;
    TIFF *file;
    uint64_t at;       /* libtiff's position in the file */
    char message[256]; /* libtiff's first error; empty: none yet */

    uint32_t width, height; /* as stored */
    int32_t orientation;
    uint16_t photometric, compression, planar, bits, samples, sample_format;
    oriel_tiff_color color;
    oriel_tiff_alpha alpha;
    bool inverted; /* grey: 0 is white */
    uint8_t palette[3 * 256];
} oriel_tiff;

/* tiff_open.c: size and layout are known and allowed when it succeeds; close
   in any case. */
oriel_status oriel_tiff_open(oriel_tiff *t, const oriel_image_job *job);
void oriel_tiff_close(oriel_tiff *t);
/* What libtiff said, or 'otherwise'. */
oriel_status oriel_tiff_fail(const oriel_tiff *t, const char *otherwise);

/* tiff_layout.c */
oriel_status oriel_tiff_read_layout(oriel_tiff *t);

/* tiff_row.c: 'row' holds pixels as libtiff gives them, samples of one pixel
   together; 'samples' is scratch for n * t->samples bytes.  'row' and 'samples'
   may not overlap. */
void oriel_tiff_convert_row(const oriel_tiff *t, uint8_t *rgb,
                            const uint8_t *row, uint8_t *samples, size_t n);

/* tiff_read.c: the most memory that reading takes. */
uint64_t oriel_tiff_decode_bytes(const oriel_tiff *t);
/* All pixels.  'canvas' has the size and orientation of 't'. */
oriel_status oriel_tiff_read(oriel_tiff *t, oriel_canvas *canvas);

#endif /* ORIEL_FORMATS_TIFF_H */
