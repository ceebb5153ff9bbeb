/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op_report.h - what one op took, as a line and as a row of JSON
 *
 * The form of the JSON is that of "oriel bench --json" (bench/README.md).  Rows
 * are written one by one, so that a run that is cut leaves those before.
 */
#ifndef BENCH_OP_REPORT_H
#define BENCH_OP_REPORT_H

#include "measure.h"
#include "op_flags.h"

typedef struct op_row {
    const char *step, *op;        /* "ATTN_IN", "linear qkv" */
    const char *by;               /* "oriel", "cublaslt", "onednn" */
    const char *cache;            /* "hot", "cold"; NULL: checked, not timed */
    const char *algorithm;        /* or NULL */
    int32_t a_call;               /* how often one encode runs it */
    int64_t rows, columns, depth; /* of a product; else columns alone, or 0 */
    int32_t heads, head_dim;      /* of attention, with its segments */
    const int32_t *cu;
    int32_t n_segments;
    double bytes, flops;      /* the least that must move; computed */
    const bench_times *times; /* NULL: as cache */
    unsigned sm_mhz;          /* while it ran; 0: not known */
    const char *throttled;    /* what held the clock back; "": nothing */
} op_row;

typedef struct op_report {
    const op_flags *flags;
    int n, wrong;
} op_report;

/* Rates of this machine, measured in this run; 0: not measured. */
typedef struct op_roofline {
    double bytes_per_s, flops_per_s;
    const char *bytes_by, *flops_by; /* "triad", "oneDNN 2048x2048x2048" */
} op_roofline;

/* 'device' are members of a JSON object. */
void op_report_begin(op_report *r, const op_flags *f, const char *device,
                     const op_roofline *roofline);
void op_report_row(op_report *r, const op_size *size, const op_row *row);
/* 0, or -1 when something was wrong or could not be written. */
int op_report_end(op_report *r);

#endif /* BENCH_OP_REPORT_H */
