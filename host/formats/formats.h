/* SPDX-License-Identifier: Apache-2.0 */
/*
 * formats.h - the decoders of liboriel-formats.so
 *
 * Each asks the caller's cancel hook before and after it decodes a picture; the
 * libraries beneath cannot be stopped within one.  Their own allocations come
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

/* ORIEL_ERR_CANCELLED when the caller's hook says so. */
oriel_status oriel_formats_check_cancel(const oriel_image_job *job);

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
