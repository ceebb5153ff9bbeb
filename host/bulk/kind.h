/* SPDX-License-Identifier: Apache-2.0 */
/* kind.h - what a file of a folder is to a run: a picture, an archive, neither */
#ifndef ORIEL_BULK_KIND_H
#define ORIEL_BULK_KIND_H

#include <stdbool.h>
#include <stddef.h>

typedef enum bulk_kind {
    BULK_OTHER,
    BULK_PICTURE,
    BULK_TAR,
    BULK_JSON_LINES
} bulk_kind;

/* By the name's ending; BULK_OTHER: the name tells nothing. */
bulk_kind bulk_kind_of_name(const char *name);

/* By the first bytes, which are BULK_HEAD_BYTES where there are so many; never
   BULK_JSON_LINES. */
enum { BULK_HEAD_BYTES = 512 };
bulk_kind bulk_kind_of_head(const char *head, size_t n_bytes);

/* By the name, else by the content of the file 'path'; a pipe is not opened. */
bulk_kind bulk_kind_of_file(const char *path);

#endif /* ORIEL_BULK_KIND_H */
