/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tiff_row.c - samples of 1 to 32 bits to RGB8, as Pillow's modes convert
 *
 * First every sample becomes a byte, then pixels of bytes become colours.  A
 * grey of more than 8 bits saturates, as in mode I;16; colours of 16 bits keep
 * their high byte.
 */
#include "formats/tiff.h"

#include "image/convert.h"

#include <string.h>

/* ---- Samples to bytes ---------------------------------------------------- */

static uint8_t
saturate(int64_t value)
{
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static void
unpack_bits(const oriel_tiff *t, uint8_t *out, const uint8_t *row, size_t n)
{
    size_t bits = t->bits, in_byte = 8 / bits;
    uint32_t mask = (1u << bits) - 1;
    uint32_t scale = t->color == ORIEL_TIFF_GREY ? 255 / mask : 1;

    for (size_t i = 0; i < n; i++) {
        size_t shift = 8 - bits * (i % in_byte + 1);

        out[i] =
            (uint8_t)(((uint32_t)row[i / in_byte] >> shift & mask) * scale);
    }
}

static void
unpack_12(uint8_t *out, const uint8_t *row, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint8_t *at = row + i / 2 * 3;
        int64_t value =
            i % 2 ? (at[1] & 15) << 8 | at[2] : at[0] << 4 | at[1] >> 4;

        out[i] = saturate(value);
    }
}

/* libtiff gives 16 bits and more in the machine's order. */
static void
unpack_16(const oriel_tiff *t, uint8_t *out, const uint8_t *row, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t value;

        memcpy(&value, row + 2 * i, sizeof(value));
        if (t->color != ORIEL_TIFF_GREY)
            out[i] = (uint8_t)(value >> 8);
        else if (t->sample_format == SAMPLEFORMAT_INT)
            out[i] = saturate((int16_t)value);
        else
            out[i] = saturate(value);
    }
}

/* The reference holds 32 bits as signed whatever the file says. */
static void
unpack_32(const oriel_tiff *t, uint8_t *out, const uint8_t *row, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int32_t value;
        float real;

        memcpy(&value, row + 4 * i, sizeof(value));
        memcpy(&real, row + 4 * i, sizeof(real));
        if (t->sample_format != SAMPLEFORMAT_IEEEFP)
            out[i] = saturate(value);
        else if (real >= 255.0f)
            out[i] = 255;
        else /* NaN is black */
            out[i] = real > 0.0f ? (uint8_t)real : 0;
    }
}

static void
unpack(const oriel_tiff *t, uint8_t *out, const uint8_t *row, size_t n)
{
    switch (t->bits) {
    case 8:
        memcpy(out, row, n);
        break;
    case 12:
        unpack_12(out, row, n);
        break;
    case 16:
        unpack_16(t, out, row, n);
        break;
    case 32:
        unpack_32(t, out, row, n);
        break;
    default:
        unpack_bits(t, out, row, n);
    }
    for (size_t i = 0; i < n && t->inverted; i++)
        out[i] = (uint8_t)~out[i];
}

/* ---- Bytes to colours ---------------------------------------------------- */

static uint8_t
divide_by_alpha(uint8_t value, uint8_t alpha)
{
    uint32_t whole;

    if (alpha == 0)
        return 0;
    whole = value * 255u / alpha;
    return (uint8_t)(whole > 255 ? 255 : whole);
}

/* The rule of the reference's CMYK; ink as stored. */
static uint8_t
from_ink(uint8_t ink, uint8_t black)
{
    uint32_t light = 255u - black;
    uint32_t t = ink * light + 128u;

    return (uint8_t)(light - (((t >> 8) + t) >> 8));
}

static uint8_t
alpha_of(const oriel_tiff *t, const uint8_t *pixel, size_t n_colors)
{
    return t->alpha == ORIEL_TIFF_OPAQUE ? 255 : pixel[n_colors];
}

static void
convert_rgb(const oriel_tiff *t, uint8_t *rgb, const uint8_t *pixel, bool white)
{
    uint8_t alpha = alpha_of(t, pixel, 3);

    for (size_t c = 0; c < 3; c++) {
        uint8_t value = pixel[c];

        if (t->alpha == ORIEL_TIFF_PREMULTIPLIED)
            value = divide_by_alpha(value, alpha);
        rgb[c] = white ? oriel_on_white(value, alpha) : value;
    }
}

static void
convert_single(const oriel_tiff *t, uint8_t *rgb, const uint8_t *pixel,
               bool white)
{
    uint8_t alpha = alpha_of(t, pixel, 1);

    for (size_t c = 0; c < 3; c++) {
        uint8_t value = t->color == ORIEL_TIFF_PALETTE
                            ? t->palette[3 * (size_t)pixel[0] + c]
                            : pixel[0];

        rgb[c] = white ? oriel_on_white(value, alpha) : value;
    }
}

/* An entry of the reference's tables: 64 * factor * x + 0.5, cut towards zero;
   'factor' in 100,000ths. */
static int32_t
ycbcr_term(int32_t factor, int32_t x)
{
    return (64 * factor * x + 50000) / 100000;
}

/* The reference's own YCbCr, which is not libjpeg's. */
static void
convert_ycbcr(uint8_t *rgb, const uint8_t *pixel)
{
    int32_t y = pixel[0], cb = pixel[1] - 128, cr = pixel[2] - 128;

    rgb[0] = saturate(y + (ycbcr_term(140200, cr) >> 6));
    rgb[1] =
        saturate(y + ((ycbcr_term(-34414, cb) + ycbcr_term(-71414, cr)) >> 6));
    rgb[2] = saturate(y + (ycbcr_term(177200, cb) >> 6));
}

void
oriel_tiff_convert_row(const oriel_tiff *t, uint8_t *rgb, const uint8_t *row,
                       uint8_t *samples, size_t n)
{
    const uint8_t *pixel = samples;
    bool wanted =
        t->color == ORIEL_TIFF_RGB ? t->job->rgba_white : t->job->white;
    bool white = wanted && t->alpha != ORIEL_TIFF_OPAQUE;

    unpack(t, samples, row, n * t->samples);
    for (size_t i = 0; i < n; i++, rgb += 3, pixel += t->samples)
        switch (t->color) {
        case ORIEL_TIFF_GREY:
        case ORIEL_TIFF_PALETTE:
            convert_single(t, rgb, pixel, white);
            break;
        case ORIEL_TIFF_CMYK:
            for (size_t c = 0; c < 3; c++)
                rgb[c] = from_ink(pixel[c], pixel[3]);
            break;
        case ORIEL_TIFF_YCBCR:
            convert_ycbcr(rgb, pixel);
            break;
        case ORIEL_TIFF_RGB:
        case ORIEL_TIFF_BY_RGBA:
            convert_rgb(t, rgb, pixel, white);
            break;
        }
}
