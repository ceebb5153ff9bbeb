/* SPDX-License-Identifier: Apache-2.0 */
/*
 * part.h - one part of a dataset: part-00000.safetensors or part-00000.npy
 *
 * A safetensors part holds "embeddings" [rows, columns], "offsets" I64 [n + 1],
 * "image_grid_thw" I64 [n, 3], and in its metadata "ids", a JSON list of n
 * strings.  An npy part holds the rows alone.  Where a part ends follows from
 * what is put into it, never from time or batches.
 */
#ifndef ORIEL_BULK_PART_H
#define ORIEL_BULK_PART_H

#include "oriel.h"

#include <jansson.h>
#include <stdbool.h>

/* What all parts of a dataset have in common. */
typedef struct bulk_layout {
    const char *folder;
    int32_t dtype; /* ORIEL_DTYPE_* of the rows */
    int64_t columns;
    bool npy;
    int64_t part_bytes; /* of rows; an item that is larger is a part alone */
    const json_t *metadata; /* strings, for safetensors */
} bulk_layout;

typedef struct bulk_part bulk_part;

/* "part-00000.safetensors" */
typedef struct bulk_part_name {
    char text[40];
} bulk_part_name;
bulk_part_name bulk_part_name_of(const bulk_layout *layout, int64_t number);

/* FOLDER/NAME, for the caller to free(); NULL without memory. */
char *bulk_path(const char *folder, const char *name);

size_t bulk_row_bytes(const bulk_layout *layout);

/* 'layout' must outlive it.  A file of this name is replaced at the commit.
   ORIEL_ERR_IO, _MEMORY */
oriel_status bulk_part_create(bulk_part **out, const bulk_layout *layout,
                              int64_t number, oriel_error *err);

/* Whether an item still goes into this part; an empty one takes any. */
bool bulk_part_fits(const bulk_part *part, const char *id, int64_t rows);

int64_t bulk_part_rows(const bulk_part *part);

/* One item.  'id' stays the caller's.  ORIEL_ERR_IO, _MEMORY */
oriel_status bulk_part_add(bulk_part *part, json_t *id, const int64_t grid[3],
                           const void *rows, int64_t n_rows, oriel_error *err);

/* The same without its rows, which bulk_part_copy wrote or will write. */
oriel_status bulk_part_list(bulk_part *part, json_t *id, const int64_t grid[3],
                            int64_t n_rows, oriel_error *err);

/* The first 'rows' rows from the part of the same name that is there. */
oriel_status bulk_part_copy(bulk_part *part, int64_t rows, oriel_error *err);

/* Make it appear, whole, and destroy it, after a failure too. */
oriel_status bulk_part_commit(bulk_part *part, oriel_error *err);
void bulk_part_abort(bulk_part *part); /* NULL is fine */

/* ---- Reading ------------------------------------------------------------- */

typedef struct bulk_part_reader bulk_part_reader;

/* The part FOLDER/NAME of this layout.  ORIEL_ERR_NOT_FOUND, _MODEL (not such
   a part), _IO, _MEMORY */
oriel_status bulk_part_open(bulk_part_reader **out, const bulk_layout *layout,
                            const char *folder, const char *name,
                            oriel_error *err);
int64_t bulk_part_reader_rows(const bulk_part_reader *reader);
oriel_status bulk_part_read(const bulk_part_reader *reader, int64_t first,
                            void *rows, int64_t n_rows, oriel_error *err);
void bulk_part_close(bulk_part_reader *reader); /* NULL is fine */

#endif /* ORIEL_BULK_PART_H */
