/* SPDX-License-Identifier: Apache-2.0 */
/* convert.c - grey, palette, alpha and CMYK rows to RGB8 */
#include "image/convert.h"

#include <string.h>

void
oriel_convert_grey(uint8_t *rgb, const uint8_t *grey, size_t n)
{
    for (size_t i = 0; i < n; i++)
        rgb[3 * i] = rgb[3 * i + 1] = rgb[3 * i + 2] = grey[i];
}

void
oriel_convert_grey16(uint8_t *rgb, const uint8_t *grey, size_t n)
{
    for (size_t i = 0; i < n; i++)
        rgb[3 * i] = rgb[3 * i + 1] = rgb[3 * i + 2] =
            grey[2 * i] ? 255 : grey[2 * i + 1];
}

void
oriel_convert_grey_alpha(uint8_t *rgb, const uint8_t *pixels, size_t n,
                         bool white)
{
    for (size_t i = 0; i < n; i++, pixels += 2) {
        uint8_t grey = pixels[0];

        if (white)
            grey = oriel_on_white(grey, pixels[1]);
        rgb[3 * i] = rgb[3 * i + 1] = rgb[3 * i + 2] = grey;
    }
}

void
oriel_convert_rgb(uint8_t *rgb, const uint8_t *pixels, size_t n)
{
    memcpy(rgb, pixels, 3 * n);
}

void
oriel_convert_rgba(uint8_t *rgb, const uint8_t *pixels, size_t n, bool white)
{
    for (size_t i = 0; i < n; i++, rgb += 3, pixels += 4)
        for (size_t c = 0; c < 3; c++)
            rgb[c] = white ? oriel_on_white(pixels[c], pixels[3]) : pixels[c];
}

void
oriel_convert_inverted_cmyk(uint8_t *rgb, const uint8_t *cmyk, size_t n)
{
    for (size_t i = 0; i < n; i++, cmyk += 4)
        for (size_t c = 0; c < 3; c++) {
            /* Black is inverted twice, once by the file and once by the rule;
               ink and paper then never leave 0..255. */
            uint32_t light = cmyk[3];
            uint32_t t = (255u - cmyk[c]) * light + 128u;

            rgb[3 * i + c] = (uint8_t)(light - (((t >> 8) + t) >> 8));
        }
}

void
oriel_convert_key_to_white(uint8_t *rgb, size_t n, const uint8_t key[3])
{
    for (size_t i = 0; i < n; i++, rgb += 3)
        if (memcmp(rgb, key, 3) == 0)
            memset(rgb, 255, 3);
}
