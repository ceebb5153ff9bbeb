/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tiff.c - the first picture of a TIFF
 *
 * Its orientation is part of the format: the reference turns it as it loads,
 * whether or not it is asked to obey EXIF, and so does this.
 */
#include "formats/tiff.h"

#include <string.h>

static oriel_status
probe(const oriel_image_job *job, oriel_image_header *header)
{
    oriel_tiff t;
    oriel_status status = oriel_tiff_open(&t, job);

    if (!status) {
        header->width = t.width;
        header->height = t.height;
        header->orientation = t.orientation;
        header->channels = t.samples;
        header->bit_depth = t.bits;
        header->has_alpha = t.alpha != ORIEL_TIFF_OPAQUE;
    }
    oriel_tiff_close(&t);
    return status;
}

static oriel_status
decode(const oriel_image_job *job, oriel_canvas *canvas)
{
    oriel_tiff t;
    oriel_status status = oriel_tiff_open(&t, job);

    if (!status)
        status = oriel_formats_check_cancel(job);
    if (!status)
        status = oriel_tiff_read(&t, canvas);
    oriel_canvas_flush(canvas);
    oriel_tiff_close(&t);
    return status ? status : oriel_formats_check_cancel(job);
}

static bool
accepts(const uint8_t *bytes, size_t n_bytes)
{
    static const char *const heads[] = {"II*\0", "MM\0*", "II+\0", "MM\0+"};

    for (size_t i = 0; i < 4 && n_bytes >= 4; i++)
        if (memcmp(bytes, heads[i], 4) == 0)
            return true;
    return false;
}

const oriel_image_format oriel_format_tiff = {
    .name = "TIFF",
    .code = ORIEL_IMAGE_TIFF,
    .accepts = accepts,
    .probe = probe,
    .decode = decode,
};
