/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packed.h - the packed safetensors file that encode and preprocess write
 *
 *   rows             [n_rows, columns], item after item, no padding
 *   offsets          I64 [n + 1]: item i is rows offsets[i] .. offsets[i+1] - 1
 *   image_grid_thw   I64 [n, 3]
 *   __metadata__     strings; "sources" and "failed" are JSON lists;
 *                    "infinite_values" and "nan_values" count what is not finite
 *                    in the rows, and are there if it is not 0
 *
 * Rows are streamed as they are made; everything else is small, kept here and
 * written by finish.  The file appears whole or not at all, and the same inputs
 * make the same bytes.
 */
#ifndef ORIEL_CLI_PACKED_H
#define ORIEL_CLI_PACKED_H

#include "cli/inputs.h"
#include "files/safetensors_writer.h"

#include <jansson.h>

/* Of an item's number in a list in the metadata. */
enum { CLI_PACKED_NUMBER_BYTES = 12 };

typedef struct cli_packed {
    oriel_writer *writer;
    const char *path;
    uint64_t n_rows;
    uint64_t written;         /* bytes of rows */
    int64_t *grids, *offsets; /* [n, 3], [n + 1] */
    size_t n, capacity;
    json_t *sources, *failed, *padded;
    size_t n_failed;         /* in this run; 'failed' may list others too */
    int32_t dtype;           /* of the rows, ORIEL_DTYPE_* */
    uint64_t infinite, nan;  /* values of the rows that are not finite */
    size_t failed_text_left; /* room for reasons in the header */
} cli_packed;

/* What finish adds of the caller's. */
typedef struct cli_packed_table {
    const char *rows_name, *dtype; /* "embeddings", "BF16" */
    int64_t columns;
    bool with_offsets;
    const oriel_writer_entry *metadata;
    size_t n_metadata;
} cli_packed_table;

/*
 * Begin 'path' for what these inputs will give; refuses what exists unless
 * 'replace', and ever an input.  'metadata_bytes' is room for the caller's
 * metadata.  CLI_DONE, or reports and returns the exit status.
 */
int cli_packed_create(cli_packed *packed, const char *path, bool replace,
                      const cli_inputs *inputs, size_t metadata_bytes);

/* One item: 'rows' rows from now on are its.  'source' is taken over. */
int cli_packed_add(cli_packed *packed, json_t *source, const int64_t grid[3],
                   int64_t rows);

/* The item that is added next lacks pixels, and 'reason' says why: a warning,
   and its number in the metadata, for which the caller has made room. */
int cli_packed_add_padded(cli_packed *packed, const char *name,
                          const char *reason);

/* One input that failed: reported, and listed in the metadata. */
int cli_packed_add_failed(cli_packed *packed, const char *name,
                          const oriel_error *why);

/* The operands that gave no input, reported and listed as failed. */
int cli_packed_add_bad(cli_packed *packed, const cli_inputs *inputs);

/* The bytes of the next rows, whose dtype is packed->dtype.  CLI_DONE, or
   reports. */
int cli_packed_append(cli_packed *packed, const void *rows, size_t bytes);

/*
 * Write what remains and make the file appear, unless there is no item: then
 * nothing is written.  Returns CLI_DONE, CLI_INPUTS if inputs failed, or
 * reports and returns another exit status.
 */
int cli_packed_finish(cli_packed *packed, const cli_packed_table *table);

/* Forget what was not finished; always the last call. */
void cli_packed_free(cli_packed *packed);

/*
 * The last words of a run that wrote 'output': a line, one before it if values
 * are not finite, and with --json the event "done".  'verb' is what could not be done when no input succeeded ("encoded"),
 * 'rows' what the rows are ("tokens").
 */
void cli_packed_report(const cli_packed *packed, const char *output,
                       const char *verb, const char *rows, int exit_status);

#endif /* ORIEL_CLI_PACKED_H */
