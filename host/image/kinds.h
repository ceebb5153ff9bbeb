/* SPDX-License-Identifier: Apache-2.0 */
/* kinds.h - what a file is that no decoder of this library takes */
#ifndef ORIEL_IMAGE_KINDS_H
#define ORIEL_IMAGE_KINDS_H

#include <stddef.h>
#include <stdint.h>

typedef struct oriel_file_kind {
    const char *what;   /* "a PDF" */
    const char *advice; /* what to do about it; NULL: a format of the module */
    int32_t code;       /* ORIEL_IMAGE_* of the module's format, else 0 */
} oriel_file_kind;

/* By content alone; NULL: nothing that is known.  The result is static. */
const oriel_file_kind *oriel_file_kind_of(const uint8_t *bytes, size_t n_bytes);

#endif /* ORIEL_IMAGE_KINDS_H */
