/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encode_report.h - what oriel_bench_encode found: a table, and JSON
 */
#ifndef BENCH_ENCODE_REPORT_H
#define BENCH_ENCODE_REPORT_H

#include "measure.h"
#include "oriel.h"

/* One size in one precision. */
typedef struct encode_row {
    int32_t precision, width, height;
    const oriel_plan_info *plan;
    bench_times ours, yardstick; /* yardstick.n == 0: it could not run */
    double yardstick_flops;      /* of its linear layers */
    uint64_t peak_bytes;         /* resident while encoding; 0: unknown */
    uint64_t workspace_bytes, weight_bytes;
    char why[128]; /* no yardstick: the reason */
} encode_row;

typedef struct encode_report encode_report;

/* NULL: out of memory. */
encode_report *encode_report_create(const char *commit,
                                    const oriel_model_info *model);
/* A new precision: its encoder took 'seconds' to create.  The rest return -1
   when memory is out or writing failed. */
int encode_report_begin(encode_report *report, const oriel_encoder_info *info,
                        double seconds);
/* Prints the row as well. */
int encode_report_add(encode_report *report, const encode_row *row);
int encode_report_write(const encode_report *report, const char *path);
void encode_report_destroy(encode_report *report); /* NULL is fine */

#endif /* BENCH_ENCODE_REPORT_H */
