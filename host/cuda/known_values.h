/* SPDX-License-Identifier: Apache-2.0 */
/*
 * known_values.h - operands of the known-answer test, and what must come out
 *
 * All values are small multiples of a power of two, made by hashing integers, so
 * that each sum of products is exact in fp32 in any order.  What is known exactly
 * is compared exactly; behind an approximation, within the bound of the kernel's
 * head.  Nothing here was computed by a kernel.
 */
#ifndef ORIEL_CUDA_KNOWN_VALUES_H
#define ORIEL_CUDA_KNOWN_VALUES_H

#include <stddef.h>
#include <stdint.h>

/* Every warp of our products' tile has something to do, no edge is a tile's. */
enum {
    ORIEL_KNOWN_ROWS = 66,
    ORIEL_KNOWN_COLUMNS = 80,
    ORIEL_KNOWN_DEPTH = 72,
    ORIEL_KNOWN_FEW = 3, /* rows of what works row by row */
    ORIEL_KNOWN_HEADS = 2,
    ORIEL_KNOWN_N_WINDOWS = 3,
    ORIEL_KNOWN_N_PACKS = 2,
    ORIEL_KNOWN_TURNS = 5,
    ORIEL_KNOWN_SEQUENCES = 4 /* of which two are empty */
};

/* The arrays of the test; those from LINEAR on are results.  Rows, columns and
   bytes a value; heads are as wide as 'd'.  SUMS are the host's: what a product
   sums, bias and all. */
#define ORIEL_KNOWN_ARRAYS(X, d) \
    X(INPUT, ORIEL_KNOWN_ROWS, ORIEL_KNOWN_DEPTH, 2) \
    X(WEIGHT, ORIEL_KNOWN_COLUMNS, ORIEL_KNOWN_DEPTH, 2) \
    X(BIAS, 1, ORIEL_KNOWN_COLUMNS, 2) \
    X(SUMS, ORIEL_KNOWN_ROWS, ORIEL_KNOWN_COLUMNS, 4) \
    X(PLACES, 1, ORIEL_KNOWN_ROWS, 4) \
    X(QKV, ORIEL_KNOWN_ROWS, 3 * ORIEL_KNOWN_HEADS * (d), 2) \
    X(ANGLES, ORIEL_KNOWN_TURNS, (d) / 2, 4) \
    X(POSITIONS, ORIEL_KNOWN_ROWS, 2, 4) \
    X(CU_WINDOW, 1, ORIEL_KNOWN_N_WINDOWS + 1, 4) \
    X(PACKS, ORIEL_KNOWN_N_PACKS, 4, 4) \
    X(TILES, 1, 3, 4) \
    X(LENGTHS, 1, ORIEL_KNOWN_SEQUENCES, 4) \
    X(QKV_OFFSETS, 1, ORIEL_KNOWN_SEQUENCES + 1, 8) \
    X(OUT_OFFSETS, 1, ORIEL_KNOWN_SEQUENCES + 1, 8) \
    X(LINEAR, ORIEL_KNOWN_ROWS, ORIEL_KNOWN_COLUMNS, 2) \
    X(RESIDUAL, ORIEL_KNOWN_ROWS, ORIEL_KNOWN_COLUMNS, 2) \
    X(SWIGLU, ORIEL_KNOWN_ROWS, ORIEL_KNOWN_COLUMNS / 2, 2) \
    X(APART, ORIEL_KNOWN_ROWS, ORIEL_KNOWN_COLUMNS / 2, 2) \
    X(GELU, ORIEL_KNOWN_ROWS, ORIEL_KNOWN_COLUMNS, 2) \
    X(STORED, ORIEL_KNOWN_ROWS, ORIEL_KNOWN_COLUMNS, 4) \
    X(NORM, ORIEL_KNOWN_FEW, ORIEL_KNOWN_DEPTH, 2) \
    X(TURNED, ORIEL_KNOWN_FEW, 3 * ORIEL_KNOWN_HEADS * (d), 2) \
    X(OF_WINDOWS, ORIEL_KNOWN_ROWS, ORIEL_KNOWN_HEADS *(d), 2) \
    X(OF_FRAME, ORIEL_KNOWN_ROWS, ORIEL_KNOWN_HEADS *(d), 2) \
    X(OF_SEQUENCES, ORIEL_KNOWN_ROWS, ORIEL_KNOWN_HEADS *(d), 2) \
    X(HI, ORIEL_KNOWN_ROWS, ORIEL_KNOWN_COLUMNS, 2) \
    X(LO, ORIEL_KNOWN_ROWS, ORIEL_KNOWN_COLUMNS, 2) \
    X(WIDE_NORM, ORIEL_KNOWN_FEW, ORIEL_KNOWN_DEPTH, 2)

typedef enum oriel_known_array {
#define ARRAY(name, rows, columns, bytes) ORIEL_KNOWN_##name,
    ORIEL_KNOWN_ARRAYS(ARRAY, 0)
#undef ARRAY
        ORIEL_KNOWN_N_ARRAYS
} oriel_known_array;

typedef struct oriel_known_values {
    int32_t head_dim;
    struct {
        int32_t rows, columns, value_bytes;
        size_t at; /* aligned to 256 */
    } array[ORIEL_KNOWN_N_ARRAYS];
    size_t bytes; /* of all */
    char *memory; /* the caller's; then the device's results */
} oriel_known_values;

/* The arrays' places; then the operands, and what results hold beforehand, into
   values->memory of values->bytes. */
void oriel_known_lay_out(oriel_known_values *values, int32_t head_dim);
void oriel_known_fill(oriel_known_values *values);

/* Row 'row' of a result, [columns], and how far each value may be from it. */
typedef void oriel_known_row(const oriel_known_values *values, int32_t row,
                             double *exact, double *bound);
oriel_known_row oriel_known_linear, oriel_known_residual, oriel_known_swiglu,
    oriel_known_apart, oriel_known_gelu, oriel_known_stored, oriel_known_norm,
    oriel_known_turned, oriel_known_windows, oriel_known_frame, oriel_known_hi,
    oriel_known_lo, oriel_known_wide_norm, oriel_known_sequences;

/* What 'memory' holds of an array. */
double oriel_known_value(const oriel_known_values *values,
                         oriel_known_array array, int32_t row, int32_t column);

#endif /* ORIEL_CUDA_KNOWN_VALUES_H */
