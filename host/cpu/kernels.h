/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels.h - our own vectorised code, once for each kind of processor
 *
 * The same sources (kernel_*.c) are compiled for several instruction sets; a
 * table of functions is chosen once, when a context is made.  All of it is pure
 * computation on memory it is given.  For one table, a row's bits do not depend
 * on how many rows come with it, nor on where it lies among them.
 */
#ifndef ORIEL_CPU_KERNELS_H
#define ORIEL_CPU_KERNELS_H

#include "base/processor.h"
#include "cpu/storage.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Softmax attention of 'queries' rows over the 'keys' rows of their segment,
 * one head.  Rows are 'stride' elements apart; 'out' may be 'q' itself.  The
 * key tiles start at the first key, so a row's bits depend on its segment
 * alone.  scratch: oriel_cpu_kernels.attention_scratch bytes.  Once *stop is true
 * it returns within a tile of keys, and what 'out' holds is undefined.
 */
typedef struct oriel_cpu_attention {
    const void *q, *k, *v;
    void *out;
    size_t stride;
    int32_t head_dim; /* multiple of 8 */
    int32_t queries;  /* 1 .. ORIEL_QUERY_TILE */
    int32_t keys;     /* >= 1 */
    int32_t rounded;  /* ORIEL_STORAGE_ROUNDED: P is rounded to bf16 too */
    float scale;      /* of the scores */
    void *scratch;    /* aligned to 64 */
    const atomic_bool *stop; /* NULL: never */
} oriel_cpu_attention;

enum { ORIEL_QUERY_TILE = 256 };

typedef struct oriel_cpu_kernels {
    /* y = x / sqrt(mean(x^2) + eps) * weight for each row, tight. */
    void (*rms_norm)(void *y, const float *x, const float *weight, int64_t rows,
                     int64_t width, float eps, oriel_cpu_storage storage);
    /* y = x, stored. */
    void (*store)(void *y, const float *x, int64_t n,
                  oriel_cpu_storage storage);
    /*
     * Each head of x[heads, head_dim] turned, then stored into y.  cosine and
     * sine are [head_dim / 2].
     */
    void (*rope)(void *y, const float *x, int32_t heads, int32_t head_dim,
                 const float *cosine, const float *sine,
                 oriel_cpu_storage storage);
    /* y = silu(gate) * up, stored. */
    void (*swiglu)(void *y, const float *gate, const float *up, int64_t n,
                   oriel_cpu_storage storage);
    /* y = x . Phi(x), stored. */
    void (*gelu)(void *y, const float *x, int64_t n, oriel_cpu_storage storage);
    /* fp32 operands: STORAGE_F32 and _ROUNDED. */
    void (*attention_f32)(const oriel_cpu_attention *args);
    /* bf16 operands; NULL where the processor does not multiply bf16. */
    void (*attention_bf16)(const oriel_cpu_attention *args);
    size_t (*attention_scratch)(int32_t head_dim);
} oriel_cpu_kernels;

/* The table for 'isa', or for the best lesser one that was compiled in. */
const oriel_cpu_kernels *oriel_cpu_kernels_get(oriel_isa isa);

#endif /* ORIEL_CPU_KERNELS_H */
