/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops.c - every kernel alone: checked, then timed
 *
 *     oriel_gpu_ops [--tiny] [--json FILE]
 *
 * At one picture of 448 x 448, one of 1036 x 1036 and 64 of 448 x 448, with the
 * widths of the 7B model and random operands: three rows against double
 * precision, then the time by events, hot and cold.  The rate of a copy on the
 * same card, in the same run, stands beside it.  On the simulated GPU the check
 * is all there is.
 */
#include "op.h"
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
    bool tiny;
    FILE *json;
    int rows; /* of the JSON so far */
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
    if (oriel_plan_create(plan, NULL, items, s->n, NULL, &err) ||
        oriel_plan_get_info(*plan, info, &err))
        return op_complain(s->name, err.message);
    return 0;
}

static cudaError_t
run_whole(void *context)
{
    const op_case *c = context;

    return c->op->run(c, 0, c->rows, c->out);
}

static void
show(bench *b, const size *s, const op_case *c, const bench_times *hot,
     const bench_times *cold)
{
    const double bytes = c->op->bytes(c), flops = c->op->flops(c);

    printf("%-14s %-24s %7lld rows  %8.1f us hot %8.1f cold  %7.0f GB/s "
           "%6.1f TFLOP/s\n",
           s->name, c->op->name, (long long)c->rows, hot->median * 1e6,
           cold->median * 1e6, bytes / cold->median * 1e-9,
           flops / hot->median * 1e-12);
    fflush(stdout);
    if (!b->json)
        return;
    fprintf(b->json,
            "%s\n  {\"size\": \"%s\", \"op\": \"%s\", \"product\": %s, "
            "\"rows\": %lld, \"columns\": %zu, \"depth\": %d, \"bytes\": %.0f, "
            "\"flops\": %.0f,\n   \"hot_s\": {\"median\": %.4g, \"p10\": %.4g, "
            "\"p90\": %.4g, \"n\": %d},\n   \"cold_s\": {\"median\": %.4g, "
            "\"p10\": %.4g, \"p90\": %.4g, \"n\": %d}}",
            b->rows++ ? "," : "", s->name, c->op->name,
            c->op->is_product ? "true" : "false", (long long)c->rows,
            c->op->is_product ? c->weight.bytes / 2 / (size_t)c->depth
                              : (size_t)c->columns,
            c->op->is_product ? c->depth : 0, bytes, flops, hot->median,
            hot->p10, hot->p90, hot->n, cold->median, cold->p10, cold->p90,
            cold->n);
    fflush(b->json);
}

static int
bench_op(bench *b, const size *s, const op *which, const oriel_plan_info *info)
{
    const op_geometry *geometry = b->tiny ? &op_geometry_tiny : &op_geometry_7b;
    bench_times hot, cold;
    op_case c;
    int result = op_case_make(&c, which, geometry, info, 0);

    if (result)
        return result;
    result = op_case_check(&c);
    if (!result && !stopwatch_is_real())
        printf("%-14s %-24s %7lld rows  right; no hardware, nothing is timed\n",
               s->name, which->name, (long long)c.rows);
    else if (!result) {
        result = stopwatch_measure(&hot, run_whole, &c, false, BUDGET) ||
                 stopwatch_measure(&cold, run_whole, &c, true, BUDGET);
        if (!result)
            show(b, s, &c, &hot, &cold);
    }
    op_case_free(&c);
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
    for (int i = 0; i < n_ops_linear; i++)
        b->wrong += bench_op(b, s, &ops_linear[i], &info) != 0;
    for (int i = 0; i < n_ops_other; i++)
        b->wrong += bench_op(b, s, &ops_other[i], &info) != 0;
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
    bench b = {false, NULL, 0, 0};
    const size *all = sizes;
    size_t n = sizeof(sizes) / sizeof(sizes[0]);

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--tiny") == 0) {
            b.tiny = true;
            all = tiny_sizes;
            n = sizeof(tiny_sizes) / sizeof(tiny_sizes[0]);
        } else if (strcmp(argv[i], "--json") == 0 && i + 1 < argc &&
                   (b.json = fopen(argv[i + 1], "w")) != NULL) {
            i++;
        } else {
            fprintf(stderr, "usage: oriel_gpu_ops [--tiny] [--json FILE]\n");
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
