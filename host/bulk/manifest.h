/* SPDX-License-Identifier: Apache-2.0 */
/* manifest.h - manifest.jsonl, one line an input, in the order of the inputs */
#ifndef ORIEL_BULK_MANIFEST_H
#define ORIEL_BULK_MANIFEST_H

#include "bulk/part.h"

#include <stdint.h>

#define BULK_MANIFEST "manifest.jsonl"
#define BULK_FAILED "failed.jsonl"

/* Sums over the lines. */
typedef struct bulk_totals {
    int64_t inputs, failed, tokens, rows, flops;
} bulk_totals;

/* What is taken from a line; 'json' is borrowed by the strings. */
typedef struct bulk_line {
    json_t *json;
    int64_t index;
    bool ok;
    const char *source, *reason, *shard;
    int64_t tokens, row_begin, row_end, flops;
    int64_t grid[3];
} bulk_line;

/* Lines of FOLDER/manifest.jsonl. */
typedef struct bulk_manifest_reader bulk_manifest_reader;

oriel_status bulk_manifest_open(bulk_manifest_reader **out, const char *folder,
                                oriel_error *err);

/*
 * The next line into '*line', whose json is for the caller to json_decref();
 * NULL at the end.  A line without its end, or that is none of ours, is
 * ORIEL_ERR_MODEL.  _IO, _MEMORY
 */
oriel_status bulk_manifest_next(bulk_manifest_reader *reader, bulk_line *line,
                                oriel_error *err);

/* The place after the last line that was read. */
int64_t bulk_manifest_place(const bulk_manifest_reader *reader);

void bulk_manifest_close(bulk_manifest_reader *reader); /* NULL is fine */

void bulk_totals_add(bulk_totals *totals, const bulk_line *line);

/* One line with its line feed, for the caller to free(); NULL without memory. */
char *bulk_line_text(const json_t *line);

/* What becomes of a line: '*text', which is given away, is written; NULL: nothing
   is. */
typedef oriel_status bulk_manifest_edit(void *context, const bulk_line *line,
                                        char **text, oriel_error *err);

/* Write FOLDER/NAME, which may be the manifest itself, from its lines, in one step.
   ORIEL_ERR_IO, _MEMORY, _MODEL, and what 'edit' fails with */
oriel_status bulk_manifest_rewrite(const char *folder, const char *name,
                                   bulk_manifest_edit *edit, void *context,
                                   oriel_error *err);

/* Write FOLDER/failed.jsonl: the lines of its manifest that failed. */
oriel_status bulk_manifest_list_failed(const char *folder, oriel_error *err);

#endif /* ORIEL_BULK_MANIFEST_H */
