/* SPDX-License-Identifier: Apache-2.0 */
/* png_row.c - unfiltered rows of every PNG colour type and depth to RGB8 */
#include "image/png.h"

#include "base/fail.h"
#include "image/convert.h"

#include <string.h>

/* Below 8 bits grey is spread over 0..255: 255, 85, 17. */
static void
fill_grey_table(oriel_png_row *row)
{
    int32_t depth = row->bit_depth < 8 ? row->bit_depth : 8;
    uint32_t n = 1u << depth;

    for (uint32_t i = 0; i < n; i++)
        memset(row->table + 3 * (size_t)i, (int)(i * 255 / (n - 1)), 3);
    if (row->keyed)
        oriel_convert_key_to_white(row->table, n, row->key);
    row->keyed = false;
}

static oriel_status
fill_palette_table(oriel_png_row *row, const oriel_png *png)
{
    uint32_t n_colours = png->n_palette / 3;
    uint8_t alphas[256];

    if (n_colours > 256)
        return oriel_fail(png->job->err, ORIEL_ERR_INPUT,
                          "PNG: chunk PLTE: %u colours, expected at most 256",
                          n_colours);
    /* Entries that PLTE lacks are black. */
    if (n_colours > 0)
        memcpy(row->table, png->palette, 3 * (size_t)n_colours);
    if (!row->white || (png->key_kind != ORIEL_PNG_KEY_INDEX &&
                        png->key_kind != ORIEL_PNG_KEY_ALPHAS))
        return ORIEL_OK;
    memset(alphas, 255, sizeof(alphas));
    uint32_t n = png->key_kind == ORIEL_PNG_KEY_INDEX ? png->key_index + 1
                                                      : png->n_alphas;
    if (n > 256)
        return oriel_fail(png->job->err, ORIEL_ERR_INPUT,
                          "PNG: chunk tRNS: %u entries, expected at most 256",
                          n);
    if (n > 0)
        memcpy(alphas, png->alphas, n);
    if (png->key_kind == ORIEL_PNG_KEY_INDEX)
        memset(alphas, 255, png->key_index);
    for (size_t i = 0; i < sizeof(row->table); i++)
        row->table[i] = oriel_on_white(row->table[i], alphas[i / 3]);
    return ORIEL_OK;
}

oriel_status
oriel_png_row_init(oriel_png_row *row, const oriel_png *png)
{
    memset(row, 0, sizeof(*row));
    row->colour = png->colour;
    row->bit_depth = png->bit_depth;
    row->white =
        png->colour == ORIEL_PNG_RGBA ? png->job->rgba_white : png->job->white;
    row->keyed = row->white && png->key_kind == ORIEL_PNG_KEY_COLOUR;
    memcpy(row->key, png->key, sizeof(row->key));
    if (row->colour == ORIEL_PNG_GREY)
        fill_grey_table(row);
    else if (row->colour == ORIEL_PNG_PALETTE)
        return fill_palette_table(row, png);
    return ORIEL_OK;
}

int32_t
oriel_png_row_bits(const oriel_png_row *row)
{
    static const int32_t samples[] = {0, 1, 3, 1, 2, 4};

    return samples[row->colour] * row->bit_depth;
}

/* One byte a pixel out of 1, 2 or 4 bits, the first highest; grey of 16 bits
   does not scale but saturates. */
static const uint8_t *
one_byte_each(const oriel_png_row *row, const uint8_t *bytes, size_t n,
              uint8_t *scratch)
{
    uint32_t depth = (uint32_t)row->bit_depth;
    uint32_t mask = (1u << depth) - 1;

    if (depth == 8)
        return bytes;
    if (depth == 16) {
        for (size_t i = 0; i < n; i++)
            scratch[i] = bytes[2 * i] ? 255 : bytes[2 * i + 1];
        return scratch;
    }
    for (size_t i = 0; i < n; i++) {
        size_t bit = i * depth;
        scratch[i] = (uint8_t)(bytes[bit / 8] >> (8 - depth - bit % 8) & mask);
    }
    return scratch;
}

void
oriel_png_row_convert(const oriel_png_row *row, uint8_t *rgb,
                      const uint8_t *bytes, size_t n, uint8_t *scratch)
{
    size_t stride = row->bit_depth == 16 ? 2 : 1;

    switch (row->colour) {
    case ORIEL_PNG_GREY_ALPHA:
        oriel_convert_grey_alpha(rgb, bytes, n, stride, row->white);
        break;
    case ORIEL_PNG_RGB:
        oriel_convert_rgb(rgb, bytes, n, stride);
        if (row->keyed)
            oriel_convert_key_to_white(rgb, n, row->key);
        break;
    case ORIEL_PNG_RGBA:
        oriel_convert_rgba(rgb, bytes, n, stride, row->white);
        break;
    default:
        oriel_convert_table(rgb, one_byte_each(row, bytes, n, scratch), n,
                            row->table);
        break;
    }
}
