/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oracle.h - the network in plain double precision: the specification in code
 *
 * Obvious rather than fast, one op a file.  Tests and benchmarks compare with
 * it; nothing in the product calls it.  It works in image order throughout and
 * attends over lists of rows, so it shares no permutation, no plan and no
 * sequence table with what it judges.  Matrices are row-major and tight, a
 * linear layer's weight is [out, in].
 */
#ifndef TESTS_ORACLE_ORACLE_H
#define TESTS_ORACLE_ORACLE_H

#include "base/network.h"
#include "model/reader.h"

#include <stddef.h>
#include <stdint.h>

/* y[rows, out] = x[rows, in] . w^T + b; b may be NULL. */
void oracle_linear(double *y, const double *x, const double *w, const double *b,
                   int64_t rows, int64_t out, int64_t in);

/* y[rows, out] = x[rows, columns] . w^T: the patches' stride is their size. */
void oracle_patch_embed(double *y, const double *x, const double *w,
                        int64_t rows, int64_t out, int64_t columns);

/* y = x / sqrt(mean(x^2) + eps) * weight, a row at a time; y may be x. */
void oracle_rms_norm(double *y, const double *x, const double *weight,
                     int64_t rows, int64_t width, double eps);

/*
 * Turn the (d, d + head_dim / 2) pairs of each head of x[heads, head_dim] by
 * the angles of one patch at (row, column).  The reference makes an angle as an
 * fp32 product of position and fp32 frequency; 'exact' leaves both in double.
 */
void oracle_rope(double *x, int32_t heads, int32_t head_dim, double theta,
                 int32_t row, int32_t column, int exact);

/*
 * Softmax attention of one head within one segment: out[r] for each row r of
 * the list 'rows', over the keys of the same list.  Rows of q, k, v and out are
 * 'stride' apart; scale is head_dim^-1/2.
 */
void oracle_attention(double *out, const double *q, const double *k,
                      const double *v, int64_t stride, int32_t head_dim,
                      const int64_t *rows, int64_t n_rows);
/* One row of it, out [head_dim]; 'weights' [n_rows] gets its softmax. */
void oracle_attention_row(double *out, const double *query, const double *k,
                          const double *v, int64_t stride, int32_t head_dim,
                          const int64_t *rows, int64_t n_rows, double *weights);

/* y = silu(gate) * up, element by element. */
void oracle_swiglu(double *y, const double *gate, const double *up, int64_t n);

/* y = x . Phi(x), the erf form. */
void oracle_gelu(double *y, const double *x, int64_t n);

/* ---- The whole ---------------------------------------------------------- */

/* Every tensor in double.  Index: oracle_weights_get. */
typedef struct oracle_weights {
    const oriel_network *network;
    double **tensors;
} oracle_weights;

/* Zeroed tensors, to be filled. */
oracle_weights *oracle_weights_create(const oriel_network *network);
/* The same, filled from a model; NULL when a read fails. */
oracle_weights *oracle_weights_read(const oriel_network *network,
                                    const oriel_weight_reader *reader);
double *oracle_weights_get(const oracle_weights *weights, oriel_tensor tensor,
                           int32_t block);
void oracle_weights_free(oracle_weights *weights);

/* out[rows / merge^2, out_hidden] from x[rows, hidden]. */
void oracle_merger(double *out, const double *x, int64_t rows,
                   const oracle_weights *weights);

/* One block, in place on x[rows, hidden]. */
typedef struct oracle_segments oracle_segments;
void oracle_block(double *x, int64_t rows, const int32_t *positions,
                  const oracle_segments *segments, int32_t block,
                  const oracle_weights *weights, int exact_angles);

/* ---- segments.c: who attends to whom ------------------------------------ */

struct oracle_segments {
    int64_t n;
    int64_t *first; /* [n + 1] into rows */
    int64_t *rows;  /* a permutation of all rows, segment after segment */
};

/* Patches of the grids: h x w x t each. */
int64_t oracle_count_patches(const int64_t (*grids)[3], int64_t n_grids);
/* [patches, 2]: row and column of each, image order. */
int32_t *oracle_positions(const int64_t (*grids)[3], int64_t n_grids,
                          int32_t merge);
/* Windows of 'side' x 'side' tokens; side 0: whole frames. */
oracle_segments *oracle_segments_create(const int64_t (*grids)[3],
                                        int64_t n_grids, int32_t merge,
                                        int32_t side);
void oracle_segments_free(oracle_segments *segments);

/* ---- encoder.c ---------------------------------------------------------- */

typedef struct oracle_result {
    int64_t patches, tokens;
    int32_t n_hidden;   /* depth + 1 */
    double **hidden;    /* [n_hidden], each [patches, hidden] in image order;
                         0 is the patch embedding */
    double *embeddings; /* [tokens, out_hidden] in image order */
} oracle_result;

/* 'pixel_values' is [patches, patch_columns] in image order. */
oracle_result *oracle_encode(const oracle_weights *weights,
                             const double *pixel_values,
                             const int64_t (*grids)[3], int64_t n_grids,
                             int exact_angles);
void oracle_result_free(oracle_result *result);

/* ---- compare.c ---------------------------------------------------------- */

/* |x - truth| / |truth| in the Euclidean norm; NaN anywhere gives NaN. */
double oracle_relative_error(const float *x, const double *truth, int64_t n);
/* The least cosine between rows of the two. */
double oracle_least_cosine(const float *x, const double *truth, int64_t rows,
                           int64_t width);

/* calloc that ends the test program when memory is out. */
void *oracle_alloc(size_t count, size_t bytes);

#endif /* TESTS_ORACLE_ORACLE_H */
