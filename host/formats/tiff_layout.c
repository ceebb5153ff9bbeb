/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tiff_layout.c - which kinds of pixels are read, and as what
 *
 * The kinds are from the reference's table; the byte order does not matter
 * here, where the reference lacks a few kinds in one of the two.
 */
#include "formats/tiff.h"

#include "base/fail.h"

#include <string.h>

static oriel_status
refuse(const oriel_tiff *t)
{
    return oriel_fail(t->job->err, ORIEL_ERR_INPUT,
                      "TIFF: %u samples of %u bits, format %u, photometric "
                      "interpretation %u: pixels of an unknown kind",
                      t->samples, t->bits, t->sample_format, t->photometric);
}

/* What samples beyond the colours are.  The first of them alone may be alpha;
   0 is none, 1 premultiplied, 2 straight, 999 Corel's straight one. */
static bool
read_extra(oriel_tiff *t, uint16_t n_colors)
{
    enum { UNSPECIFIED = 0, ASSOCIATED = 1, UNASSOCIATED = 2, COREL = 999 };
    uint16_t n = 0, *kinds = NULL;

    if (!TIFFGetField(t->file, TIFFTAG_EXTRASAMPLES, &n, &kinds))
        n = 0;
    t->alpha = ORIEL_TIFF_OPAQUE;
    if (t->samples == n_colors)
        return n == 0;
    if (n == 0) { /* RGBA of programs that forget to say so */
        t->alpha = ORIEL_TIFF_STRAIGHT;
        return t->color == ORIEL_TIFF_RGB && t->samples == 4;
    }
    if (n != t->samples - n_colors || n > 3)
        return false;
    for (uint16_t i = 1; i < n; i++)
        if (kinds[i] != UNSPECIFIED)
            return false;
    switch (kinds[0]) {
    case UNSPECIFIED:
        return true;
    case ASSOCIATED:
        t->alpha = ORIEL_TIFF_PREMULTIPLIED;
        return t->color == ORIEL_TIFF_RGB;
    case UNASSOCIATED:
    case COREL:
        t->alpha = ORIEL_TIFF_STRAIGHT;
        return t->color != ORIEL_TIFF_CMYK;
    default:
        return false;
    }
}

/* Grey of 1 to 32 bits, signed or not, and float. */
static bool
is_grey_read(const oriel_tiff *t)
{
    uint16_t format = t->sample_format;

    switch (t->bits) {
    case 1:
    case 2:
    case 4:
    case 12:
        return t->samples == 1 && format == SAMPLEFORMAT_UINT;
    case 8:
        return format == SAMPLEFORMAT_UINT ||
               (t->samples == 1 && format == SAMPLEFORMAT_INT);
    case 16:
        return t->samples == 1 && format != SAMPLEFORMAT_IEEEFP;
    case 32:
        return t->samples == 1;
    default:
        return false;
    }
}

static oriel_status
read_grey(oriel_tiff *t)
{
    t->color = ORIEL_TIFF_GREY;
    /* Beyond 8 bits the reference does not invert. */
    t->inverted = t->photometric == PHOTOMETRIC_MINISWHITE && t->bits <= 8;
    if (t->sample_format > SAMPLEFORMAT_IEEEFP || t->sample_format == 0 ||
        !is_grey_read(t) || !read_extra(t, 1) || t->samples > 2)
        return refuse(t);
    return ORIEL_OK;
}

static oriel_status
read_palette(oriel_tiff *t)
{
    uint16_t *red, *green, *blue;

    t->color = ORIEL_TIFF_PALETTE;
    if ((t->bits != 1 && t->bits != 2 && t->bits != 4 && t->bits != 8) ||
        (t->samples > 1 && t->bits != 8) || t->samples > 2 ||
        t->sample_format != SAMPLEFORMAT_UINT || !read_extra(t, 1))
        return refuse(t);
    if (!TIFFGetField(t->file, TIFFTAG_COLORMAP, &red, &green, &blue))
        return oriel_fail(t->job->err, ORIEL_ERR_INPUT,
                          "TIFF: indexes without a palette");
    for (size_t i = 0; i < (size_t)1 << t->bits; i++) {
        t->palette[3 * i] = (uint8_t)(red[i] >> 8);
        t->palette[3 * i + 1] = (uint8_t)(green[i] >> 8);
        t->palette[3 * i + 2] = (uint8_t)(blue[i] >> 8);
    }
    return ORIEL_OK;
}

static oriel_status
read_color(oriel_tiff *t, oriel_tiff_color color, uint16_t n_colors)
{
    t->color = color;
    if ((t->bits != 8 && t->bits != 16) || t->samples < n_colors ||
        t->samples > n_colors + (t->bits == 8 ? 3 : 1) ||
        t->sample_format != SAMPLEFORMAT_UINT || !read_extra(t, n_colors))
        return refuse(t);
    return ORIEL_OK;
}

/*
 * Compressed YCbCr: libjpeg converts what it decompresses; the rest is left to
 * libtiff, which knows about subsampling.
 */
static oriel_status
read_ycbcr(oriel_tiff *t)
{
    uint16_t across = 2, down = 2;

    if (t->bits != 8 || t->sample_format != SAMPLEFORMAT_UINT ||
        (t->samples != 3 && t->samples != 1))
        return refuse(t);
    TIFFGetFieldDefaulted(t->file, TIFFTAG_YCBCRSUBSAMPLING, &across, &down);
    t->alpha = ORIEL_TIFF_OPAQUE;
    if (t->compression == COMPRESSION_JPEG &&
        t->planar == PLANARCONFIG_CONTIG) {
        TIFFSetField(t->file, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
        t->color = t->samples == 1 ? ORIEL_TIFF_GREY : ORIEL_TIFF_RGB;
    } else if (t->compression == COMPRESSION_NONE && across == 1 && down == 1) {
        t->color = t->samples == 1 ? ORIEL_TIFF_GREY : ORIEL_TIFF_YCBCR;
    } else {
        t->color = ORIEL_TIFF_BY_RGBA;
    }
    return ORIEL_OK;
}

oriel_status
oriel_tiff_read_layout(oriel_tiff *t)
{
    TIFFGetFieldDefaulted(t->file, TIFFTAG_COMPRESSION, &t->compression);
    TIFFGetFieldDefaulted(t->file, TIFFTAG_PLANARCONFIG, &t->planar);
    TIFFGetFieldDefaulted(t->file, TIFFTAG_BITSPERSAMPLE, &t->bits);
    TIFFGetFieldDefaulted(t->file, TIFFTAG_SAMPLESPERPIXEL, &t->samples);
    TIFFGetFieldDefaulted(t->file, TIFFTAG_SAMPLEFORMAT, &t->sample_format);
    if (!TIFFGetField(t->file, TIFFTAG_PHOTOMETRIC, &t->photometric))
        t->photometric = PHOTOMETRIC_MINISWHITE;
    if (t->compression == COMPRESSION_OJPEG)
        t->photometric = PHOTOMETRIC_YCBCR;
    if (!TIFFIsCODECConfigured(t->compression))
        return oriel_fail(t->job->err, ORIEL_ERR_UNSUPPORTED,
                          "TIFF: compression %u, which this libtiff does not "
                          "read",
                          t->compression);
    switch (t->photometric) {
    case PHOTOMETRIC_MINISWHITE:
    case PHOTOMETRIC_MINISBLACK:
        return read_grey(t);
    case PHOTOMETRIC_PALETTE:
        return read_palette(t);
    case PHOTOMETRIC_RGB:
        return read_color(t, ORIEL_TIFF_RGB, 3);
    case PHOTOMETRIC_SEPARATED:
        return read_color(t, ORIEL_TIFF_CMYK, 4);
    case PHOTOMETRIC_YCBCR:
        return read_ycbcr(t);
    case PHOTOMETRIC_CIELAB:
        return oriel_fail(t->job->err, ORIEL_ERR_UNSUPPORTED,
                          "TIFF: CIELab colours need colour management, which "
                          "this library has not: convert the file to RGB");
    default:
        return refuse(t);
    }
}
