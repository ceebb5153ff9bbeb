/* SPDX-License-Identifier: Apache-2.0 */
/*
 * png.h - PNG as the reference reads it: chunks here, pixels there
 *
 * libpng decides otherwise about damage than Pillow does: it checks IDAT's
 * CRC, goes on behind a broken ancillary chunk, refuses what ends too early.
 * Which files are accepted is part of the contract, so the chunks are read
 * here, and zlib does the rest.
 */
#ifndef ORIEL_IMAGE_PNG_H
#define ORIEL_IMAGE_PNG_H

#include "image/format.h"
#include "image/metadata.h"

/* How samples lie in a row; bit_depth tells the rest. */
typedef enum oriel_png_colour {
    ORIEL_PNG_UNKNOWN = 0,
    ORIEL_PNG_GREY,
    ORIEL_PNG_RGB,
    ORIEL_PNG_PALETTE,
    ORIEL_PNG_GREY_ALPHA,
    ORIEL_PNG_RGBA
} oriel_png_colour;

typedef enum oriel_png_key {
    ORIEL_PNG_KEY_NONE = 0,
    ORIEL_PNG_KEY_COLOUR, /* one grey or RGB value is transparent */
    ORIEL_PNG_KEY_INDEX,  /* one palette entry is */
    ORIEL_PNG_KEY_ALPHAS  /* an alpha for each palette entry */
} oriel_png_key;

typedef struct oriel_png_chunk {
    size_t start; /* of the length that leads it */
    size_t data;
    uint32_t n_data; /* as it claims */
    char id[5];
} oriel_png_chunk;

typedef struct oriel_png {
    const oriel_image_job *job;
    uint32_t width, height;
    oriel_png_colour colour;
    int32_t bit_depth;
    bool interlaced;

    const uint8_t *palette;
    uint32_t n_palette; /* bytes */
    oriel_png_key key_kind;
    uint8_t key[3];     /* low bytes: what the reference compares */
    uint32_t key_index; /* may lie beyond the palette */
    const uint8_t *alphas;
    uint32_t n_alphas;

    /* APNG: the frame that IDAT is, and the numbering that must not break. */
    bool has_box;
    uint32_t box[4]; /* left, top, right, bottom */
    bool has_frame_count;
    uint32_t frame_count;
    int64_t sequence; /* of the last fcTL or fdAT; -1 before the first */

    /* The first chunk of pixels, and the sequence number behind it. */
    oriel_png_chunk first;
    int64_t first_sequence;
    bool data_seen;
    /* A chunk of pixels that the file ends in: fine if it is still needed. */
    size_t cut_data_start;

    oriel_metadata metadata;
    uint64_t text_size; /* characters of all texts so far */
    uint8_t *inflated;  /* the last compressed text */
} oriel_png;

/* Read the chunks on both sides of the pixels. */
oriel_status oriel_png_open(oriel_png *png, const oriel_image_job *job);
void oriel_png_close(oriel_png *png);

/* False: the file ends, or this is no chunk. */
bool oriel_png_next_chunk(const oriel_image_job *job, size_t at,
                          oriel_png_chunk *chunk);
/* An fdAT's number continues 'sequence', which is then moved on; and the file
   holds those 4 bytes. */
bool oriel_png_frame_follows(const oriel_image_job *job,
                             const oriel_png_chunk *chunk, int64_t *sequence);
static inline uint32_t
oriel_png_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
           (uint32_t)at[2] << 8 | at[3];
}

/* png_text.c: tEXt, zTXt, iTXt, iCCP; 'data' is the chunk's body. */
oriel_status oriel_png_read_text(oriel_png *png, const oriel_png_chunk *chunk,
                                 const uint8_t *data);

/* png_pixels.c */
oriel_status oriel_png_read_pixels(oriel_png *png, oriel_canvas *canvas);

/* png_row.c: one unfiltered row to RGB8. */
typedef struct oriel_png_row {
    oriel_png_colour colour;
    int32_t bit_depth;
    bool white;
    bool keyed; /* RGB with a transparent colour, to be shown white */
    uint8_t key[3];
    uint8_t table[3 * 256]; /* of grey and palette pixels */
} oriel_png_row;
/* ORIEL_ERR_INPUT: transparency that does not fit the palette. */
oriel_status oriel_png_row_init(oriel_png_row *row, const oriel_png *png);
int32_t oriel_png_row_bits(const oriel_png_row *row); /* of a pixel */
/* 'scratch' holds 'n' bytes. */
void oriel_png_row_convert(const oriel_png_row *row, uint8_t *rgb,
                           const uint8_t *bytes, size_t n, uint8_t *scratch);

#endif /* ORIEL_IMAGE_PNG_H */
