/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bmff.h - the boxes of an AVIF or HEIC, before a library decodes them
 *
 * The libraries bound neither how often a tile is decoded nor how large a coded
 * picture is.
 */
#ifndef ORIEL_FORMATS_BMFF_H
#define ORIEL_FORMATS_BMFF_H

#include "formats/formats.h"

typedef struct oriel_bmff {
    uint64_t n_derived;    /* pictures that grids and overlays are made of */
    uint64_t n_overlaid;   /* of them, in overlays */
    uint64_t coded_pixels; /* of the largest coded picture, AV1 or HEVC */
} oriel_bmff;

/* ORIEL_ERR_INPUT when boxes are damaged. */
oriel_status oriel_bmff_read(oriel_bmff *bmff, const oriel_image_job *job,
                             const char *format);
/* ORIEL_ERR_INPUT when that is too much for a picture of these sides. */
oriel_status oriel_bmff_check(const oriel_bmff *bmff,
                              const oriel_image_job *job, const char *format,
                              uint32_t width, uint32_t height);

/* hevc.c: width times height of the largest sequence parameter set among NAL
   units, each after its length of 'length_bytes'.  0: there is none;
   UINT64_MAX: one of them breaks the rules. */
uint64_t oriel_hevc_pixels(const uint8_t *bytes, size_t n_bytes,
                           size_t length_bytes);

/* av1.c: width times height of the largest sequence header. */
uint64_t oriel_av1_pixels(const uint8_t *bytes, size_t n_bytes);

#endif /* ORIEL_FORMATS_BMFF_H */
