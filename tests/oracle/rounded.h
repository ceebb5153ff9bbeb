/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rounded.h - the network in double precision, rounded to bf16 where one says
 *
 * An implementation in bf16 is described by the places where it rounds: a set of
 * sites (docs/numerics.md).  Everything else is exact here, so what a set leaves
 * as error is the doing of its roundings alone.  Sums in fp32 and approximate
 * instructions, a thousandth of that, are left out.
 *
 * Rows are in image order, as in oracle.h, whose parts serve here too; only the
 * products are made for speed, since a study wants full width and depth.
 */
#ifndef TESTS_ORACLE_ROUNDED_H
#define TESTS_ORACLE_ROUNDED_H

#include "oracle/oracle.h"

/* What may be rounded: id, and words for a table. */
#define ROUNDED_SITES(X) \
    X(PIXELS, "pixels") \
    X(EMBED, "patch embedding, into the residual") \
    X(NORM_INNER, "norm, before its weight") \
    X(NORM, "norm") \
    X(QK, "q, k before rope") \
    X(V, "v") \
    X(ROPE, "q, k after rope") \
    X(P, "softmax numerators P") \
    X(EXACT_SUM, "denominator of P not rounded") \
    X(ATTENTION, "attention's result") \
    X(PROJ, "proj, before the addition") \
    X(ATTENTION_RESIDUAL, "residual after attention") \
    X(GATE_UP, "gate, up") \
    X(SILU, "silu(gate)") \
    X(INNER, "silu(gate) up") \
    X(DOWN, "down, before the addition") \
    X(MLP_RESIDUAL, "residual after the MLP") \
    X(FC1, "merger's fc1, before GELU") \
    X(GELU, "GELU") \
    X(OUT, "embeddings") \
    X(WIDE, "residual, to two bf16: hi + lo") \
    X(HI_NORM, "norm of hi alone")

typedef enum rounded_site {
#define X(id, words) ROUNDED_AT_##id,
    ROUNDED_SITES(X)
#undef X
        N_ROUNDED_SITES
} rounded_site;

/* The same as bits of a set. */
enum {
#define X(id, words) ROUNDED_##id = 1 << ROUNDED_AT_##id,
    ROUNDED_SITES(X)
#undef X
    /* A residual in two parts is nobody's but cuda's. */
    ROUNDED_ALL = ROUNDED_WIDE - 1
};

/* The implementations that docs/numerics.md tells apart. */
enum {
    ROUNDED_CPU_BF16 = ROUNDED_PIXELS | ROUNDED_NORM | ROUNDED_V |
                       ROUNDED_ROPE | ROUNDED_P | ROUNDED_ATTENTION |
                       ROUNDED_INNER | ROUNDED_GELU,
    /* cuda as it would be with its residual in fp32 */
    ROUNDED_CUDA_F32_RESIDUAL = ROUNDED_CPU_BF16 | ROUNDED_QK,
    ROUNDED_CUDA = ROUNDED_CUDA_F32_RESIDUAL | ROUNDED_EMBED |
                   ROUNDED_ATTENTION_RESIDUAL | ROUNDED_MLP_RESIDUAL,
    /* with ORIEL_RESIDUAL_WIDE */
    ROUNDED_CUDA_WIDE = ROUNDED_CUDA_F32_RESIDUAL | ROUNDED_WIDE,
    /* its gate and up by cuBLASLt; the other products round alike */
    ROUNDED_CUDA_CUBLASLT = ROUNDED_CUDA | ROUNDED_GATE_UP,
    /* transformers in bf16, with sdpa */
    ROUNDED_REFERENCE = ROUNDED_ALL
};

/* Words for a site; static. */
const char *rounded_site_words(int site);

typedef struct rounded_job {
    const oriel_network *network;
    /* A tensor in double; 'block' counts for tensors of blocks alone. */
    void (*fill)(void *user, oriel_tensor tensor, int32_t block, double *out);
    /* A state of one run, 0 .. depth, then the embeddings: [rows, width].
       Runs come in their order, on the calling thread. */
    void (*state)(void *user, int32_t state, int32_t run, const double *values);
    void *user;
    const double *pixel_values; /* [patches, patch_columns] */
    const int64_t (*grids)[3];
    int64_t n_grids;
    const int *sites; /* of each run */
    int32_t n_runs;
    int32_t threads;
} rounded_job;

/* All runs side by side, so that each tensor is made once. */
void rounded_encode(const rounded_job *job);

/* ---- The pieces ---------------------------------------------------------- */

double rounded_to_bf16(double x);
/* x rounded when 'sites' has 'site'. */
void rounded_maybe(double *x, int64_t n, int sites, int site);
/* The residual as it is stored: in bf16 when 'sites' has 'site', in two bf16 when
   it has ROUNDED_WIDE. */
void rounded_residual(double *x, int64_t n, int sites, int site);

/* As oracle_linear, but fast; sums in another order. */
void rounded_linear(double *y, const double *x, const double *w,
                    const double *b, int64_t rows, int64_t out, int64_t in);

/* One segment of one head: q, k, v, out [n, head_dim], tight. */
void rounded_attention(double *out, const double *q, const double *k,
                       const double *v, int64_t n, int32_t head_dim, int sites);

#endif /* TESTS_ORACLE_ROUNDED_H */
