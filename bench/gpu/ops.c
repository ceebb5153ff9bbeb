/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops.c - every kernel alone: checked, then timed
 *
 *     oriel_gpu_ops [--tiny] [--kernels own|both] [--json FILE]
 *
 * At one picture of 448 x 448, one of 1036 x 1036 and 64 of 448 x 448, with the
 * widths of the 7B model and random operands: three rows against double
 * precision, then the time by events, hot and cold.  The rate of a copy on the
 * same card, in the same run, stands beside it.  On the simulated GPU the check
 * is all there is.
 */
#include "op_bench.h"
#include "op_library.h"
#include "stopwatch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUDGET 0.12 /* seconds a measurement */

typedef struct size {
    const char *name;
    int32_t width, height;
    size_t n;
} size;
static const size sizes[] = {{"448x448", 448, 448, 1},
                             {"1036x1036", 1036, 1036, 1},
                             {"64x448x448", 448, 448, 64}};
static const size tiny_sizes[] = {{"56x84", 56, 84, 1}, {"3x56x28", 56, 28, 3}};
enum { MAX_ITEMS = 64 };

typedef struct bench {
    bool tiny, both; /* cuBLASLt too */
    FILE *json;
    int rows;  /* of the JSON so far */
    bool open; /* the last of them */
    int wrong;
} bench;

static int
make_plan(const bench *b, const size *s, oriel_plan **plan,
          oriel_plan_info *info)
{
    oriel_item items[MAX_ITEMS];
    oriel_error err;

    for (size_t i = 0; i < s->n; i++)
        items[i] = (oriel_item){s->width, s->height, 1, s->width, s->height, 0};
    *info = (oriel_plan_info)ORIEL_PLAN_INFO_INIT;
    (void)b;
    if (oriel_plan_create(plan, oriel_model_preset("qwen2.5-vl-7b"), items,
                          s->n, NULL, &err) ||
        oriel_plan_get_info(*plan, info, &err))
        return op_complain(s->name, err.message);
    return 0;
}

static cudaError_t
run_whole(void *context)
{
    return bench_case_enqueue(context);
}

typedef struct timing {
    bench_times hot, cold;
} timing;

static int
time_case(bench_case *c, timing *t)
{
    return stopwatch_measure(&t->hot, run_whole, c, false, BUDGET) ||
           stopwatch_measure(&t->cold, run_whole, c, true, BUDGET);
}

static void
write_times(const bench *b, const timing *t)
{
    fprintf(b->json,
            ",\n   \"hot_s\": {\"median\": %.4g, \"p10\": %.4g, \"p90\": %.4g, "
            "\"n\": %d},\n   \"cold_s\": {\"median\": %.4g, \"p10\": %.4g, "
            "\"p90\": %.4g, \"n\": %d}",
            t->hot.median, t->hot.p10, t->hot.p90, t->hot.n, t->cold.median,
            t->cold.p10, t->cold.p90, t->cold.n);
}

/* The row of JSON stays open: cuBLASLt's may follow.  't' NULL: no hardware. */
static void
write_row(bench *b, const size *s, const bench_case *c, const timing *t)
{
    const bool is_product = c->which >= bench_products &&
                            c->which < bench_products + n_bench_products;

    if (!b->json)
        return;
    fprintf(b->json,
            "%s\n  {\"size\": \"%s\", \"op\": \"%s\", \"product\": %s, "
            "\"rows\": %lld, \"columns\": %zu, \"depth\": %d, \"bytes\": %.0f, "
            "\"flops\": %.0f",
            b->rows++ ? "," : "", s->name, c->name,
            is_product ? "true" : "false", (long long)c->operands.rows,
            is_product ? c->operands.weight.device.bytes / 2 /
                             (size_t)c->operands.depth
                       : (size_t)c->operands.columns,
            is_product ? c->operands.depth : 0,
            c->operands.op->bytes(&c->operands),
            c->operands.op->flops(&c->operands));
    if (t)
        write_times(b, t);
    b->open = true;
}

static void
show(bench *b, const size *s, const bench_case *c, const timing *t)
{
    const bench_times *hot = &t->hot, *cold = &t->cold;

    printf("%-14s %-24s %7lld rows  %8.1f us hot %8.1f cold  %7.0f GB/s "
           "%6.1f TFLOP/s\n",
           s->name, c->name, (long long)c->operands.rows, hot->median * 1e6,
           cold->median * 1e6,
           c->operands.op->bytes(&c->operands) / cold->median * 1e-9,
           c->operands.op->flops(&c->operands) / hot->median * 1e-12);
    fflush(stdout);
    write_row(b, s, c, t);
}

static void
write_library(const bench *b, const bench_case *c, const char *key,
              const timing *t)
{
    if (!b->json)
        return;
    fprintf(b->json, ",\n   \"%s\": {\"algorithm\": \"%s\"", key,
            op_library_algorithm(c));
    if (t)
        write_times(b, t);
    fprintf(b->json, "}");
}

static void
show_library(const bench *b, const bench_case *c, const char *key,
             const timing *t)
{
    printf("%14s %-24s %s: %8.1f us hot %8.1f cold\n", "", c->name, key,
           t->hot.median * 1e6, t->cold.median * 1e6);
    write_library(b, c, key, t);
}

/* For the choice among cuBLASLt's algorithms; without hardware it is the first
   that is right. */
static double
seconds_of(bench_case *c)
{
    bench_times times;

    if (!stopwatch_is_real())
        return bench_case_check(c) ? -1 : 1;
    return stopwatch_measure(&times, run_whole, c, false, BUDGET / 16)
               ? -1
               : times.median;
}

static int
bench_algorithm(const bench *b, bench_case *c, const char *key)
{
    timing t;

    if (bench_case_check(c))
        return -1;
    if (!stopwatch_is_real()) {
        printf("%14s %-24s %s: right, %s\n", "", c->name, key,
               op_library_algorithm(c));
        write_library(b, c, key, NULL);
        return 0;
    }
    if (time_case(c, &t))
        return -1;
    show_library(b, c, key, &t);
    return 0;
}

/* The algorithm that an encoder has, and the best that a batch might get: their
   ratio is the price of bytes that do not depend on the batch. */
static int
bench_library(const bench *b, bench_case *c)
{
    int result = op_library_attach(c) || bench_algorithm(b, c, "cublaslt") ||
                 op_library_best(c, seconds_of) ||
                 bench_algorithm(b, c, "cublaslt_best");

    op_library_detach(c);
    return result ? -1 : 0;
}

static int
bench_one(bench *b, const size *s, const bench_op *which,
          const oriel_plan_info *info)
{
    const op_geometry *geometry = b->tiny ? &op_geometry_tiny : &op_geometry_7b;
    timing own;
    bench_case c;
    int result = bench_case_make(&c, which, geometry, info, 0);

    if (result)
        return result;
    result = bench_case_check(&c);
    if (!result && !stopwatch_is_real()) {
        printf("%-14s %-24s %7lld rows  right; no hardware, nothing is timed\n",
               s->name, which->name, (long long)c.operands.rows);
        write_row(b, s, &c, NULL);
    } else if (!result) {
        result = time_case(&c, &own);
        if (!result)
            show(b, s, &c, &own);
    }
    if (!result && b->both && op_library_has(which))
        result = bench_library(b, &c);
    if (b->json && b->open)
        fprintf(b->json, "}");
    b->open = false;
    bench_case_free(&c);
    return result;
}

/* What fails is counted, and the rest goes on. */
static void
bench_size(bench *b, const size *s)
{
    oriel_plan_info info;
    oriel_plan *plan = NULL;

    if (make_plan(b, s, &plan, &info)) {
        b->wrong++;
        return;
    }
    for (int i = 0; i < n_bench_products; i++)
        b->wrong += bench_one(b, s, &bench_products[i], &info) != 0;
    for (int i = 0; i < n_bench_others; i++)
        b->wrong += bench_one(b, s, &bench_others[i], &info) != 0;
    oriel_plan_destroy(plan);
}

static int
begin(bench *b)
{
    char device[512];
    double rate = 0;

    if (stopwatch_device_json(device, sizeof(device)) ||
        (stopwatch_is_real() && stopwatch_copy_rate(&rate)))
        return -1;
    if (rate > 0)
        printf("copy: %.0f GB/s, read and written\n", rate * 1e-9);
    if (b->json)
        fprintf(b->json,
                "{\"device\": {%s},\n \"copy_bytes_per_s\": %.4g,\n \"ops\": [",
                device, rate);
    return 0;
}

int
main(int argc, char **argv)
{
    bench b = {0};
    const size *all = sizes;
    size_t n = sizeof(sizes) / sizeof(sizes[0]);

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--tiny") == 0) {
            b.tiny = true;
            all = tiny_sizes;
            n = sizeof(tiny_sizes) / sizeof(tiny_sizes[0]);
        } else if (strcmp(argv[i], "--kernels") == 0 && i + 1 < argc &&
                   (strcmp(argv[i + 1], "own") == 0 ||
                    strcmp(argv[i + 1], "both") == 0)) {
            b.both = strcmp(argv[++i], "both") == 0;
        } else if (strcmp(argv[i], "--json") == 0 && i + 1 < argc &&
                   (b.json = fopen(argv[i + 1], "w")) != NULL) {
            i++;
        } else {
            fprintf(stderr, "usage: oriel_gpu_ops [--tiny] [--kernels "
                            "own|both] [--json FILE]\n");
            return 2;
        }
    }
    if (begin(&b))
        return EXIT_FAILURE;
    for (size_t i = 0; i < n; i++)
        bench_size(&b, &all[i]);
    if (b.json && (fprintf(b.json, "\n ],\n \"wrong\": %d}\n", b.wrong) < 0 ||
                   fclose(b.json)))
        return EXIT_FAILURE;
    return b.wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
