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
open_file(oriel_image_file *file, const oriel_image_job *job,
          oriel_image_header *header)
{
    oriel_tiff t;
    oriel_status status = oriel_tiff_open(&t, job);

    oriel_formats_keep_job(file, job);
    if (!status) {
        header->decode_bytes = oriel_tiff_decode_bytes(&t);
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
decode(oriel_image_file *file, oriel_canvas *canvas)
{
    const oriel_image_job *job = oriel_formats_job(file);
    oriel_tiff t;
    oriel_status status = oriel_tiff_open(&t, job);

    if (!status)
        status = oriel_tiff_read(&t, canvas);
    oriel_canvas_flush(canvas);
    oriel_tiff_close(&t);
    return oriel_formats_end(job, status);
}

const oriel_image_format oriel_format_tiff = {
    .name = "TIFF",
    .code = ORIEL_IMAGE_TIFF,
    .open = open_file,
    .decode = decode,
    .close = oriel_formats_close,
};
