/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metadata.h - the places where a file may say which way is up
 *
 * EXIF comes first, then PNG's old hexadecimal text form of it, and where
 * neither holds an Orientation, XMP.  Whatever is broken, or outside 2..8, is
 * as good as absent: no picture is refused for its metadata.
 */
#ifndef ORIEL_IMAGE_METADATA_H
#define ORIEL_IMAGE_METADATA_H

#include "oriel.h"

#include <stdbool.h>

/* Bytes in the file, or a copy that is ours when 'owned' is set. */
typedef struct oriel_blob {
    const uint8_t *bytes; /* NULL: absent */
    size_t n_bytes;
    void *owned;
} oriel_blob;

typedef struct oriel_metadata {
    oriel_blob exif; /* a TIFF directory, perhaps after "Exif\0\0" */
    oriel_blob raw_profile;
    oriel_blob xmp;
    const oriel_hooks *hooks;
} oriel_metadata;

/* Replace a blob; takes 'owned' (NULL: the bytes are the file's). */
void oriel_metadata_set(oriel_metadata *metadata, oriel_blob *blob,
                        const void *bytes, size_t n_bytes, void *owned);
void oriel_metadata_end(oriel_metadata *metadata);

/* 1..8 into 'orientation'.  ORIEL_ERR_MEMORY */
oriel_status oriel_metadata_orientation(const oriel_metadata *metadata,
                                        int32_t *orientation, oriel_error *err);

/* exif.c: what a TIFF directory says of tag 274, Orientation. */
typedef enum oriel_exif_result {
    ORIEL_EXIF_FOUND,  /* *orientation is its value if that is 2..8, else 1 */
    ORIEL_EXIF_ABSENT, /* a directory without the tag */
    ORIEL_EXIF_BROKEN  /* no directory */
} oriel_exif_result;
oriel_exif_result oriel_exif_orientation(const uint8_t *bytes, size_t n_bytes,
                                         int32_t *orientation);

/* xmp.c: the first tiff:Orientation, as attribute or element; 1 if none. */
int32_t oriel_xmp_orientation(const uint8_t *bytes, size_t n_bytes);

#endif /* ORIEL_IMAGE_METADATA_H */
