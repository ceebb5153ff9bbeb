/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tar.h - the pictures of a tar archive in the WebDataset layout
 *
 * Members that follow each other and have one key are a sample; the key is the
 * member's name up to the first dot of its last component.  Each picture of a
 * sample is an entry; its id is the key, or the whole name where the sample has
 * several pictures.  The other members of the sample become columns, by their
 * ending in lower case: JSON as it is, text as a string; what is neither, or has
 * more than 64 KiB, as null.
 */
#ifndef ORIEL_BULK_TAR_H
#define ORIEL_BULK_TAR_H

#include "bulk/entry.h"

#include <stdbool.h>

/* What becomes of the entry at a position of the whole list. */
typedef enum bulk_want {
    BULK_DROP, /* of another job: not even made */
    BULK_NAME, /* made, but not read: it is in the output already */
    BULK_READ
} bulk_want;

typedef bulk_want bulk_want_function(void *context, int64_t position);

typedef struct bulk_tar bulk_tar;

/*
 * 'name' NULL: standard input, of which the 'n_head' bytes at 'head' were read
 * already.  ORIEL_ERR_INPUT, _MEMORY
 */
oriel_status bulk_tar_open(bulk_tar **out, const char *name, const char *head,
                           size_t n_head, oriel_error *err);

/*
 * The next picture, or NULL at the end.  '*position' is that of the next entry
 * and is moved on, over those that are dropped too; '*others' counts samples
 * without a picture, and members that belong to none.  ORIEL_ERR_INPUT (no
 * archive, or a damaged one: what came before was good), _MEMORY, _CANCELLED
 */
oriel_status bulk_tar_next(bulk_tar *tar, bulk_entry **out, int64_t *position,
                           int64_t *others, bulk_want_function *want,
                           void *context, oriel_error *err);

void bulk_tar_close(bulk_tar *tar); /* NULL is fine */

#endif /* ORIEL_BULK_TAR_H */
