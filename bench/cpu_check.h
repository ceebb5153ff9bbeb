/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpu_check.h - a step of the CPU backend against double precision
 *
 * Of three rows.  What a step reads is copied before it runs; afterwards the same
 * rows are computed from that copy by the definition of the step (tests/oracle),
 * with nothing of the backend's but its numbers.
 */
#ifndef BENCH_CPU_CHECK_H
#define BENCH_CPU_CHECK_H

#include "cpu/context.h"

typedef enum cpu_step {
    CPU_PATCHIFY,
    CPU_EMBED,
    CPU_ATTN_IN,
    CPU_WINDOWS,
    CPU_FRAMES,
    CPU_ATTN_OUT,
    CPU_MLP_IN,
    CPU_MLP_OUT,
    CPU_MERGE,
    CPU_STEPS
} cpu_step;

enum { CPU_CHECKED = 3, CPU_MERGED = 4 }; /* rows; patches of a token */

typedef struct cpu_check {
    const oriel_backend_context *context;
    const oriel_network *net;
    const oriel_weight_reader *reader;
    const oriel_plan_info *info;
    const uint8_t *pixels; /* of every item, [height, width, 3] */
    int32_t width, height;
    const uint16_t
        *embeddings;           /* bf16 [tokens, out_hidden]: what MERGE gives */
    int64_t rows[CPU_CHECKED]; /* of the window order; of MERGE: tokens */
    double *before;            /* [CPU_CHECKED][columns of what is kept] */
} cpu_check;

/* Keep what the step overwrites. */
void cpu_check_before(cpu_check *c, cpu_step step);
/* 0; or -1 and a line that says how far which row is off. */
int cpu_check_after(cpu_check *c, cpu_step step, int32_t block);

#endif /* BENCH_CPU_CHECK_H */
