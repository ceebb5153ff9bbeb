/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_work.h - what a step of the CPU backend moves and computes */
#ifndef BENCH_CPU_WORK_H
#define BENCH_CPU_WORK_H

#include "cpu_check.h"
#include "op_report.h"

typedef struct cpu_work {
    const oriel_network *net;
    const oriel_plan_info *info;
    const op_size *size;
    oriel_cpu_storage storage;
} cpu_work;

/* [rows, depth] x [depth, columns]. */
typedef struct cpu_product {
    int64_t rows, columns, depth;
} cpu_product;
enum { CPU_PRODUCTS_MOST = 2 };

/* A step's matrix products; how many there are. */
int cpu_work_products(const cpu_work *w, cpu_step step,
                      cpu_product out[CPU_PRODUCTS_MOST]);

/* Fill rows, columns, depth, segments, bytes and FLOPs: of the first product, and
   the bytes and FLOPs of all. */
void cpu_work_count(const cpu_work *w, cpu_step step, op_row *row);

#endif /* BENCH_CPU_WORK_H */
