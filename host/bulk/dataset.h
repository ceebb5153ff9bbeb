/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dataset.h - the output folder of oriel extract
 *
 *   part-00000.safetensors ...  rows (bulk/part.h)
 *   manifest.jsonl              one line an input, in order
 *   failed.jsonl                the inputs that failed
 *   run.json                    what made it, and whether it is complete
 *
 * A part appears whole.  Before it does, the lines of its inputs are on the
 * disk; so what a crash leaves is: parts 0 .. k, their lines, and perhaps more
 * lines.  A run that goes on drops those, and takes the last part up again, as
 * only the next input tells whether it is full.  So it ends with the bytes of
 * a run that nothing disturbed.
 */
#ifndef ORIEL_BULK_DATASET_H
#define ORIEL_BULK_DATASET_H

#include "bulk/manifest.h"
#include "bulk/part.h"

typedef enum bulk_mode {
    BULK_NEW,    /* the folder is absent or empty */
    BULK_RESUME, /* or it holds a run of the same model and options */
    BULK_RETRY   /* it holds a complete one, whose failures are tried again */
} bulk_mode;

typedef struct bulk_dataset bulk_dataset;

/*
 * 'run' is what run.json begins with: all of it must be equal to go on.  The
 * layout is copied; what it points to must outlive the dataset.
 * ORIEL_ERR_INPUT (the folder is not what 'mode' says, or another run's),
 * _BUSY (locked), _IO, _MEMORY, _MODEL (what is there is damaged)
 */
oriel_status bulk_dataset_open(bulk_dataset **out, const bulk_layout *layout,
                               const json_t *run, bulk_mode mode,
                               oriel_error *err);

/* It was complete when it was opened, and holds what its manifest says. */
bool bulk_dataset_is_complete(const bulk_dataset *dataset);

/* Whether the input of this ordinal is still to be done. */
bool bulk_dataset_wants(void *dataset, int64_t ordinal);

/* Inputs that are not done again by this run: all but failures of BULK_RETRY. */
int64_t bulk_dataset_named(const bulk_dataset *dataset);

const bulk_totals *bulk_dataset_totals(const bulk_dataset *dataset);
int64_t bulk_dataset_parts(const bulk_dataset *dataset);

/* An input that is done already: ORIEL_ERR_INPUT where the manifest has
   another in its place.  In the order of the inputs. */
oriel_status bulk_dataset_expect(bulk_dataset *dataset, int64_t index,
                                 const json_t *id, const char *source,
                                 oriel_error *err);

/* There were 'inputs' of them: ORIEL_ERR_INPUT where the manifest had more. */
oriel_status bulk_dataset_expect_end(bulk_dataset *dataset, int64_t inputs,
                                     oriel_error *err);

/*
 * The next input.  'line' is its line of the manifest, with null for shard,
 * row_begin and row_end, which are filled in; rows NULL: it failed.
 * ORIEL_ERR_IO, _MEMORY
 */
oriel_status bulk_dataset_add(bulk_dataset *dataset, int64_t ordinal,
                              json_t *line, const void *rows, int64_t n_rows,
                              oriel_error *err);

/* A line whose rows are in a part that is there. */
oriel_status bulk_dataset_add_placed(bulk_dataset *dataset, json_t *line,
                                     oriel_error *err);

/* So many parts were put into the folder by the caller. */
void bulk_dataset_set_parts(bulk_dataset *dataset, int64_t parts);

/* Close the last part, with more to come in another run. */
oriel_status bulk_dataset_suspend(bulk_dataset *dataset, oriel_error *err);

/* All is done: 'others' are the files that were no inputs. */
oriel_status bulk_dataset_finish(bulk_dataset *dataset, int64_t others,
                                 oriel_error *err);

void bulk_dataset_close(bulk_dataset *dataset); /* NULL is fine */

/* run.json of a folder.  ORIEL_ERR_INPUT (none of ours), _IO, _MEMORY */
oriel_status bulk_run_load(json_t **out, const char *folder, oriel_error *err);

/* Where two documents first differ, "options.dtype"; "" if they do not. */
typedef struct bulk_difference {
    char text[200];
} bulk_difference;
bulk_difference bulk_run_compare(const json_t *run, const json_t *other);

#endif /* ORIEL_BULK_DATASET_H */
