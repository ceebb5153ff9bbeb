/* SPDX-License-Identifier: Apache-2.0 */
/* attention_table.c - classes of cuDNN's plans */
#include "cuda/attention_table.h"

#include "base/fail.h"

#include "layout.h"

/* Tight enough: idle tiles of a plan that is too large cost launches of blocks. */
static const int32_t sequences[ORIEL_CUDNN_SEQUENCE_CLASSES] = {
    1, 4, 16, 64, ORIEL_CUDA_SEQUENCES};
static const int32_t rows[ORIEL_CUDNN_ROW_CLASSES] = {
    1024, 2048, 4096, 6144, 8192, 12288, 16384, 24576};

int32_t
oriel_cudnn_sequences_of(oriel_cudnn_class c)
{
    return sequences[c.sequences];
}

int32_t
oriel_cudnn_rows_of(oriel_cudnn_class c)
{
    return rows[c.rows];
}

/* The first of 'n' ascending values that holds 'least', or n. */
static int32_t
place(const int32_t *values, int32_t n, int32_t least)
{
    int32_t i = 0;

    while (i < n && values[i] < least)
        i++;
    return i;
}

oriel_status
oriel_cudnn_find_class(oriel_cudnn_class *out, int32_t frames, int32_t longest,
                       oriel_error *err)
{
    out->sequences = place(sequences, ORIEL_CUDNN_SEQUENCE_CLASSES, frames);
    out->rows = place(rows, ORIEL_CUDNN_ROW_CLASSES, longest);
    if (out->sequences < ORIEL_CUDNN_SEQUENCE_CLASSES &&
        out->rows < ORIEL_CUDNN_ROW_CLASSES)
        return ORIEL_OK;
    return oriel_fail(
        err, ORIEL_ERR_CAPACITY,
        "cuDNN's attention takes at most %d frames of at most %d "
        "patches each in one call: the plan has %d, the longest of %d; "
        "expected fewer, or attention own",
        sequences[ORIEL_CUDNN_SEQUENCE_CLASSES - 1],
        rows[ORIEL_CUDNN_ROW_CLASSES - 1], frames, longest);
}
