/* SPDX-License-Identifier: Apache-2.0 */
/* dataset_state.h - what the files of a dataset share */
#ifndef ORIEL_BULK_DATASET_STATE_H
#define ORIEL_BULK_DATASET_STATE_H

#include "bulk/dataset.h"

#include <stdio.h>

/* A line that takes the place of a failed one. */
typedef struct new_line {
    int64_t ordinal;
    char *text;
} new_line;

struct bulk_dataset {
    bulk_layout layout;
    bulk_mode mode;
    json_t *run;
    int lock;
    bool complete;
    bulk_totals totals; /* of all lines */
    int64_t done;       /* lines that were there when it was opened */
    bool *failed;       /* [done] of a complete run */

    FILE *manifest;
    int64_t parts; /* that are closed */
    bulk_part *part;

    bulk_manifest_reader *old; /* what bulk_dataset_expect reads */
    int64_t expected;          /* lines of it that were met or passed over */
    new_line *lines;           /* of BULK_RETRY, by ordinal */
    size_t n_lines, lines_room;
};

/* "PATH: WHAT: <strerror>" by errno. */
oriel_status bulk_dataset_fail(oriel_error *err, const char *path,
                               const char *what);

/* run.json, which is complete with totals (taken over) and incomplete without. */
oriel_status bulk_dataset_write_run(const bulk_dataset *dataset, json_t *totals,
                                    oriel_error *err);

#endif /* ORIEL_BULK_DATASET_STATE_H */
