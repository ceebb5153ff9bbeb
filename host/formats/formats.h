/* SPDX-License-Identifier: Apache-2.0 */
/*
 * formats.h - the decoders of liboriel-formats.so
 *
 * The caller's cancel hook is asked before and after a picture; the libraries
 * beneath cannot be stopped within one.  Their own allocations come
 * from malloc: the memory hooks serve only what is allocated here.
 */
#ifndef ORIEL_FORMATS_FORMATS_H
#define ORIEL_FORMATS_FORMATS_H

#include "image/format.h"

extern const oriel_image_format oriel_format_gif;
extern const oriel_image_format oriel_format_bmp;
extern const oriel_image_format oriel_format_tiff;
extern const oriel_image_format oriel_format_avif;
extern const oriel_image_format oriel_format_heic;

/* What open of each format begins with, and decode: the job of a file. */
void oriel_formats_keep_job(oriel_image_file *file, const oriel_image_job *job);
const oriel_image_job *oriel_formats_job(const oriel_image_file *file);
/* What decode of each ends with: 'status', or ORIEL_ERR_CANCELLED when the
   caller's hook says so. */
oriel_status oriel_formats_end(const oriel_image_job *job, oriel_status status);
/* close of each: nothing is held. */
void oriel_formats_close(oriel_image_file *file);

/* Indexes into a table of 256 colours to RGB8. */
void oriel_formats_look_up(uint8_t *rgb, const uint8_t *index, size_t n,
                           const uint8_t *table);

/* Little-endian numbers. */
static inline uint32_t
oriel_le16(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static inline uint32_t
oriel_le32(const uint8_t *at)
{
    return oriel_le16(at) | oriel_le16(at + 2) << 16;
}

#endif /* ORIEL_FORMATS_FORMATS_H */
