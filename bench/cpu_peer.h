/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpu_peer.h - oneDNN's own matrix products, and what this machine can do
 *
 * A product over all rows at once as a user of the library would run it: weights
 * in the form that it asks for, its own threads.  All of it ends the program
 * when oneDNN has no such product or memory is out.
 */
#ifndef BENCH_CPU_PEER_H
#define BENCH_CPU_PEER_H

#include "op_report.h"

#include <dnnl.h>

typedef struct cpu_peer {
    double flops;
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t arguments[3];
} cpu_peer;

void cpu_peer_open(int32_t threads);
void cpu_peer_close(void);

/* Whether oneDNN multiplies bf16 on this processor; without AVX-512 it does not. */
bool cpu_peer_has_bf16(void);

/* [rows, depth] x [depth, columns]. */
cpu_peer cpu_peer_make(int64_t rows, int64_t columns, int64_t depth, bool bf16);
void cpu_peer_run(const cpu_peer *p);
void cpu_peer_free(cpu_peer *p);

/* Memory by a triad of three arrays, products by a large one of oneDNN's. */
op_roofline cpu_roofline(const op_flags *f);

/* "2.6.3" */
void cpu_peer_version(char *out, size_t out_bytes);

/* Memory aligned to 256; ends the program when there is none. */
void *cpu_alloc(size_t bytes);
/* In [-1, 1), exact in bf16. */
float cpu_random_value(uint64_t i);

#endif /* BENCH_CPU_PEER_H */
