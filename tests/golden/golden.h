/* SPDX-License-Identifier: Apache-2.0 */
/*
 * golden.h - what Hugging Face's own tower computed, and how to compare
 *
 * A golden file (make_golden.py, README.md) holds for each case and each hidden
 * state, in image order, some whole rows and the dot product of every row with
 * a few fixed vectors of +1, 0 and -1.  The sum of squared dot products of an
 * error, over the number of vectors, estimates its squared norm without bias.
 */
#ifndef TESTS_GOLDEN_GOLDEN_H
#define TESTS_GOLDEN_GOLDEN_H

#include "oriel.h"

#include <stddef.h>
#include <stdint.h>

enum {
    GOLDEN_MAX_DEPTH = 8,
    GOLDEN_MAX_STATES = GOLDEN_MAX_DEPTH + 2, /* and the embeddings */
    GOLDEN_MAX_CASES = 16,
    GOLDEN_MAX_VECTORS = 16,
    GOLDEN_SEED = 1
};

/* An error, of three kinds.  Of embeddings all channels are calm. */
typedef struct golden_error {
    double calm;  /* relative, without the outlier channels */
    double every; /* relative, all channels */
    double row;   /* relative, of the worst of the whole rows */
} golden_error;

typedef struct golden_state {
    int64_t rows, width;
    int32_t n_vectors;
    const float *dots;      /* [rows, n_vectors] */
    int32_t n_whole;        /* whole rows: */
    const int32_t *at;      /* [n_whole] */
    const float *whole;     /* [n_whole, width] */
    double norms[2];        /* squared: calm channels, all channels */
    golden_error reference; /* of the reference's own bf16; of all its rows */
    double exact[4]; /* the reference against float64: fp32, bf16 of the calm
                        channels, then of all */
} golden_state;

typedef struct golden_case {
    char name[32];
    char source[16]; /* "counter", "image", "video" */
    int64_t n_items;
    const int64_t *items;    /* [n_items, 3]: width, height, frames */
    const int64_t *grid_thw; /* [n_items, 3] */
    int32_t n_states;        /* depth + 2, the last the embeddings */
    golden_state states[GOLDEN_MAX_STATES];
    const float *token_norms; /* [tokens] squared */
    double cosine;            /* least, of the reference's bf16 */
} golden_case;

/* Whether its input is pictures; else pixel_values. */
int golden_has_pictures(const golden_case *c);

typedef struct golden_file {
    char config[16];
    char versions[128]; /* "torch ..., transformers ..." */
    int32_t depth;
    int32_t n_full_blocks;
    const int32_t *full_blocks;
    int32_t n_outliers;
    const int32_t *outliers; /* channels of hidden states */
    int32_t n_cases;
    golden_case cases[GOLDEN_MAX_CASES];
    void *memory; /* all the arrays */
} golden_file;

/* Whatever is wrong with the file ends the test. */
golden_file *golden_load(const char *config);
void golden_free(golden_file *file);

/* ---- inputs.c ----------------------------------------------------------- */

/* fp32 [patches, columns], for the caller to free. */
float *golden_pixels(const golden_case *c, int64_t columns);
/* RGB8 [height, width, 3], for the caller to free. */
unsigned char *golden_picture(int64_t width, int64_t height, int64_t frame);

/* ---- measure.c ---------------------------------------------------------- */

/* A state's [rows, width] against the golden one; NaN when any value is. */
golden_error golden_measure(const golden_file *file, const golden_case *c,
                            int32_t state, const float *values);

/* The least cosine of a token that the embeddings' dots allow to be seen, and
   of the whole rows. */
double golden_least_cosine(const golden_file *file, const golden_case *c,
                           const float *embeddings);

#endif /* TESTS_GOLDEN_GOLDEN_H */
