/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source.h - from operands to entries, one after the other
 *
 * An operand is a file, a folder, a tar archive, a list (@FILE, - or a file of
 * JSON lines); a line of a list is a file, a folder, a tar archive, or one JSON
 * object.  A folder is walked in the order of its whole paths, byte by byte; a
 * link that leads back into a folder which is being walked is not followed.
 * Nothing is read ahead: the first entry is there before a list ends.
 */
#ifndef ORIEL_BULK_SOURCE_H
#define ORIEL_BULK_SOURCE_H

#include "bulk/entry.h"

typedef struct bulk_source bulk_source;

typedef struct bulk_source_options {
    char **operands; /* [n_operands] */
    int n_operands;
    bool null_names, frames;
    int64_t shard, of; /* entries shard, shard + of, ..; of at least 1 */
    /* Whether the entry of this ordinal is to be read; NULL: every one. */
    bool (*is_wanted)(void *context, int64_t ordinal);
    void *context;
} bulk_source_options;

/* 'options' is copied, its arrays must outlive the source.  ORIEL_ERR_MEMORY */
oriel_status bulk_source_open(bulk_source **out,
                              const bulk_source_options *options,
                              oriel_error *err);

/*
 * The next entry, or NULL at the end.  What cannot be read fails as an entry.
 * ORIEL_ERR_IO (the machine's fault), _MEMORY, _CANCELLED
 */
oriel_status bulk_source_next(bulk_source *source, bulk_entry **out,
                              oriel_error *err);

/* Entries of this job that were handed out. */
int64_t bulk_source_given(const bulk_source *source);

/* Files of folders and archives that are no pictures, so far. */
int64_t bulk_source_others(const bulk_source *source);

void bulk_source_close(bulk_source *source); /* NULL is fine */

#endif /* ORIEL_BULK_SOURCE_H */
