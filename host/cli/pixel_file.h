/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pixel_file.h - pixel_values and image_grid_thw from a safetensors file
 *
 * What oriel preprocess writes and what a Hugging Face processor's result looks
 * like when it is saved: pixel_values [patches, columns] in F32, BF16 or F16,
 * image_grid_thw [n, 3] in I64 or I32.
 */
#ifndef ORIEL_CLI_PIXEL_FILE_H
#define ORIEL_CLI_PIXEL_FILE_H

#include "model/safetensors.h"
#include "oriel.h"

#include <stdbool.h>

typedef struct cli_pixel_file {
    oriel_safetensors *file;
    const oriel_stored_tensor *values;
    int64_t *grids; /* [n, 3] */
    size_t n;
    int64_t *first_row; /* [n + 1] */
    int32_t dtype;      /* ORIEL_DTYPE_* */
    size_t row_bytes;
    /* As oriel preprocess wrote them into the metadata, or NULL. */
    const char *sources, *failed, *padded, *preprocessing;
} cli_pixel_file;

/* Whether the file begins as safetensors do: a pipe is not looked at. */
bool cli_pixel_file_is(const char *path);

/* Messages name the file.  ORIEL_ERR_INPUT (no such tensors, wrong shapes),
   _NOT_FOUND, _IO, _MODEL (no safetensors file), _MEMORY */
oriel_status cli_pixel_file_open(cli_pixel_file *out, const char *path,
                                 const oriel_model *model, oriel_error *err);

/* Rows of items first .. first + n - 1 into 'rows'. */
oriel_status cli_pixel_file_read(const cli_pixel_file *file, size_t first,
                                 size_t n, void *rows, oriel_error *err);

void cli_pixel_file_close(cli_pixel_file *file);

#endif /* ORIEL_CLI_PIXEL_FILE_H */
