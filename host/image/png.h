/* SPDX-License-Identifier: Apache-2.0 */
/*
 * png.h - PNG: our pass over the chunks, then pixels through libpng
 *
 * The pass decides what the reference, Pillow, decides otherwise than libpng:
 * files that are cut, CRCs, limits on texts, and where orientation may stand.
 * libpng then gets a stream of IHDR, PLTE, tRNS and IDAT only.
 */
#ifndef ORIEL_IMAGE_PNG_H
#define ORIEL_IMAGE_PNG_H

#include "image/format.h"
#include "image/metadata.h"

#define ZLIB_CONST /* next_in points to const */
#include <zlib.h>

typedef struct oriel_png_chunk {
    size_t start;        /* of the length that leads it, in the file */
    const uint8_t *data; /* NULL: no such chunk */
    uint32_t n_data;     /* as it claims */
    char id[5];
} oriel_png_chunk;

typedef struct oriel_png {
    const oriel_image_job *job;
    uint32_t width, height;
    int32_t bit_depth;
    int32_t colour; /* PNG_COLOR_TYPE_* */

    oriel_png_chunk header, palette, transparency;
    oriel_png_chunk pixels; /* the first IDAT */
    /* The IDAT that the file ends in: fine if the last row needs it. */
    size_t cut_pixels_start;

    /* APNG */
    bool has_actl, has_first_frame; /* the default image is a frame, too */
    uint32_t n_frames;              /* of acTL; 0: none, or not valid */
    uint32_t n_sequence; /* fcTL and fdAT so far: they are numbered */

    oriel_metadata metadata;
    z_stream zip; /* for texts; zalloc is NULL before the first one */
    uint8_t *inflated;
    size_t text_bytes; /* of all texts and profiles so far, inflated */
} oriel_png;

/* False: the file ends, or this is no chunk; in a damaged file that is padded,
   any ASCII names one. */
bool oriel_png_next_chunk(const oriel_image_job *job, size_t at,
                          oriel_png_chunk *chunk);
static inline uint32_t
oriel_png_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
           (uint32_t)at[2] << 8 | at[3];
}

/* Store an error of a chunk: "PNG: chunk <id>: <message>". */
__attribute__((format(printf, 3, 4))) oriel_status oriel_png_bad_chunk(
    const oriel_png *png, const oriel_png_chunk *chunk, const char *format,
    ...);

/* png_text.c: tEXt, zTXt, iTXt, iCCP; the file holds all of the chunk. */
oriel_status oriel_png_read_text(oriel_png *png, const oriel_png_chunk *chunk);
void oriel_png_end_texts(oriel_png *png);

/* Memory for texts, from now on. */
uint64_t oriel_png_text_room(const oriel_png *png);

/* png_decode.c */
uint64_t oriel_png_decode_room(const oriel_png *png);
oriel_status oriel_png_decode(const oriel_png *png, oriel_canvas *canvas);

#endif /* ORIEL_IMAGE_PNG_H */
