/* SPDX-License-Identifier: Apache-2.0 */
/* joined.h - complete runs of one model and options, read as one */
#ifndef ORIEL_BULK_JOINED_H
#define ORIEL_BULK_JOINED_H

#include "bulk/manifest.h"

typedef struct bulk_joined bulk_joined;

/* As bulk_merge.  The folders' names must outlive it. */
oriel_status bulk_joined_open(bulk_joined **out, char **folders, size_t n,
                              oriel_error *err);

/* What run.json of all of them begins with; the job's number is not in it. */
const json_t *bulk_joined_run(const bulk_joined *joined);
/* Of their parts; 'folder' is NULL. */
const bulk_layout *bulk_joined_layout(const bulk_joined *joined);
/* Files that were no inputs: jobs of one list have counted the same ones. */
int64_t bulk_joined_others(const bulk_joined *joined);
/* Parts and folder of run 'i'. */
int64_t bulk_joined_parts(const bulk_joined *joined, size_t i);
const char *bulk_joined_folder(const bulk_joined *joined, size_t i);

/* The next line by index, and which run it is of; json is NULL at the end. */
oriel_status bulk_joined_next(bulk_joined *joined, bulk_line *line,
                              size_t *which, oriel_error *err);

/* The rows of that line, for the caller to free(). */
oriel_status bulk_joined_read(bulk_joined *joined, size_t which,
                              const bulk_line *line, void **rows,
                              oriel_error *err);

void bulk_joined_close(bulk_joined *joined); /* NULL is fine */

#endif /* ORIEL_BULK_JOINED_H */
