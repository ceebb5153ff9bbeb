/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jpeg.h - JPEG: the markers up to the first scan, read by our own rules
 *
 * libjpeg is more patient than the reference, which first walks the markers
 * itself and refuses there; and only that walk gathers EXIF and XMP.
 */
#ifndef ORIEL_IMAGE_JPEG_H
#define ORIEL_IMAGE_JPEG_H

#include "image/format.h"
#include "image/metadata.h"

typedef struct oriel_jpeg {
    const oriel_image_job *job;
    uint32_t width, height;
    int32_t components; /* 1, 3 or 4 */
    int32_t highest;    /* vertical sampling factor, 1..4 */
    uint64_t n_blocks;  /* of 8x8 coefficients, over all components */
    bool many_scans;    /* all coefficients are held until the last scan */
    oriel_metadata metadata;
} oriel_jpeg;

/* Ends with oriel_metadata_end(&jpeg->metadata), also after an error. */
oriel_status oriel_jpeg_read_markers(oriel_jpeg *jpeg,
                                     const oriel_image_job *job);

#endif /* ORIEL_IMAGE_JPEG_H */
