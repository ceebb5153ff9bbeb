/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/decode.h"

#include <stdlib.h>
#include <string.h>

/* Guarded: nothing may be written after the picture. */
enum { GUARD_BYTES = 64, GUARD = 0xa5 };

static void
check_guard(const uint8_t *guard)
{
    for (int i = 0; i < GUARD_BYTES; i++)
        if (guard[i] != GUARD)
            abort();
}

uint8_t *
decode_picture(const void *bytes, size_t n_bytes,
               const oriel_image_options *options, oriel_image_info *info,
               oriel_error *err)
{
    *info = (oriel_image_info)ORIEL_IMAGE_INFO_INIT;
    if (oriel_image_probe(bytes, n_bytes, options, info, err))
        return NULL;
    size_t rgb_bytes = 3 * (size_t)info->width * (size_t)info->height;
    uint8_t *rgb = malloc(rgb_bytes + GUARD_BYTES);
    if (!rgb)
        abort();
    memset(rgb + rgb_bytes, GUARD, GUARD_BYTES);
    oriel_status status =
        oriel_image_decode(bytes, n_bytes, options, rgb, rgb_bytes, 0, err);
    check_guard(rgb + rgb_bytes);
    if (!status)
        return rgb;
    free(rgb);
    return NULL;
}
