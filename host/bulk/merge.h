/* SPDX-License-Identifier: Apache-2.0 */
/* merge.h - the folders of several jobs to one */
#ifndef ORIEL_BULK_MERGE_H
#define ORIEL_BULK_MERGE_H

#include "bulk/manifest.h"

typedef struct bulk_merged {
    bulk_totals totals;
    int64_t parts, copied; /* of the parts, those that could not be linked */
    int64_t missing;       /* indices below the largest that no job has */
} bulk_merged;

/*
 * Join the complete runs folders[0 .. n - 1] into 'out', which is absent or
 * empty: lines by index, parts as hard links, or copies where there can be none.
 * With 'repack' the parts are written anew, as one run would have written them.
 * ORIEL_ERR_INPUT (not complete, not of one model and options, an index twice),
 * _BUSY, _IO, _MEMORY, _MODEL (damaged), _CANCELLED
 */
oriel_status bulk_merge(bulk_merged *merged, const char *out, char **folders,
                        size_t n, bool repack, oriel_error *err);

#endif /* ORIEL_BULK_MERGE_H */
