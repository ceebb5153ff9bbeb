/* SPDX-License-Identifier: Apache-2.0 */
/* pnm.h - PBM, PGM and PPM, plain (P1..P3) and binary (P4..P6) */
#ifndef ORIEL_IMAGE_PNM_H
#define ORIEL_IMAGE_PNM_H

#include "image/format.h"

typedef struct oriel_pnm {
    const oriel_image_job *job;
    int32_t kind; /* the digit: 1..6 */
    int32_t channels;
    uint32_t width, height;
    int32_t max_value; /* 1 for bitmaps */
    size_t data;       /* where pixels begin */
} oriel_pnm;

/* Values above 255 of grey pictures are kept on 0..65535 and then saturate;
   elsewhere 'value' of 'max_value' is scaled to 0..255, to nearest even. */
uint8_t oriel_pnm_scale(const oriel_pnm *pnm, int64_t value);

/* A number as Python's int() reads it: a sign, digits, single underscores
   between them.  At most 10 characters. */
bool oriel_pnm_parse_number(const uint8_t *token, size_t n, int64_t *value);
bool oriel_pnm_is_space(uint8_t c);

/* pnm_plain.c: what it takes of memory. */
uint64_t oriel_pnm_plain_bytes(const oriel_pnm *pnm);
/* pnm_plain.c: the decimal pixels of P1, P2, P3. */
oriel_status oriel_pnm_read_plain(const oriel_pnm *pnm, oriel_canvas *canvas);

#endif /* ORIEL_IMAGE_PNM_H */
