/* SPDX-License-Identifier: Apache-2.0 */
/*
 * convert.h - a row of stored pixels to RGB8, as Pillow's convert does it
 *
 * 'white' composites what has alpha on opaque white; without it the alpha is
 * dropped and the colour under it shows.
 */
#ifndef ORIEL_IMAGE_CONVERT_H
#define ORIEL_IMAGE_CONVERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Colour 'value' of opacity 'alpha' on white, rounded as alpha_composite. */
static inline uint8_t
oriel_on_white(uint8_t value, uint8_t alpha)
{
    uint32_t t = (uint32_t)value * alpha + 255u * (255u - alpha) + 128u;

    return (uint8_t)(((t >> 8) + t) >> 8);
}

void oriel_convert_grey(uint8_t *rgb, const uint8_t *grey, size_t n);
/* Samples of 16 bits, the high byte first: what is over 255 becomes 255. */
void oriel_convert_grey16(uint8_t *rgb, const uint8_t *grey, size_t n);
void oriel_convert_grey_alpha(uint8_t *rgb, const uint8_t *pixels, size_t n,
                              bool white);
void oriel_convert_rgb(uint8_t *rgb, const uint8_t *pixels, size_t n);
void oriel_convert_rgba(uint8_t *rgb, const uint8_t *pixels, size_t n,
                        bool white);
/* What libjpeg calls CMYK: inverted, as Adobe writes it. */
void oriel_convert_inverted_cmyk(uint8_t *rgb, const uint8_t *cmyk, size_t n);
/* Pixels that are exactly 'key' become white. */
void oriel_convert_key_to_white(uint8_t *rgb, size_t n, const uint8_t key[3]);

#endif /* ORIEL_IMAGE_CONVERT_H */
