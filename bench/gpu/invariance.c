/* SPDX-License-Identifier: Apache-2.0 */
/*
 * invariance.c - a row's bytes do not depend on its neighbours
 *
 * For every matrix product of the tower, our own and (both) cuBLASLt's with the
 * algorithm that an encoder has, or (hopper) those of sm_90a, in every part with
 * large tiles and with small ones, with blocks in pairs and with skew: the rows of
 * one long run against the same rows run as M alone, from the first, from the middle
 * of a tile, and up to the last; and against a run whose other rows are NaN, infinite
 * and huge.  All bytes must be equal.
 */
#include "bench_hopper.h"
#include "bench_library.h"
#include "measure.h"
#include "op_bench.h"

#include "ops/library.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: oriel_gpu_invariance [--tiny] [--kernels own|both|hopper]\n"
    "Whether a row's bytes depend on its neighbours, for every matrix "
    "product.\n";

static const int64_t counts[] = {4, 16, 64, 100, 1024, 5476, 21316, 65536};
static const int64_t tiny_counts[] = {4, 16, 64, 100, 140};
enum { MID_TILE = 52, EACH = 50, KEPT = 3 }; /* rows KEPT + EACH i stay clean */

typedef enum kind { OWN, CUBLASLT, HOPPER } kind;

typedef struct judge {
    const op_geometry *geometry;
    const int64_t *counts;
    size_t n_counts;
    char *whole, *part; /* on the host */
    bool kinds[HOPPER + 1];
    kind now;
} judge;

static size_t
row_bytes_of(const bench_case *c)
{
    return (size_t)c->operands.row_bytes;
}

static int
fetch(void *to, const void *from, size_t bytes)
{
    return op_must(cudaMemcpy(to, from, bytes, cudaMemcpyDeviceToHost),
                   "cudaMemcpy");
}

static int
differ(const bench_case *c, int64_t first, int64_t rows, const char *how)
{
    char why[160];

    snprintf(why, sizeof(why), "rows %lld .. %lld, %s: the bytes differ",
             (long long)first, (long long)(first + rows - 1), how);
    return op_complain(c->name, why);
}

/* The rows alone against the same ones of the long run. */
static int
judge_part(const judge *j, bench_case *c, int64_t first, int64_t rows)
{
    const size_t bytes = (size_t)rows * row_bytes_of(c);

    if (bench_case_run(c, first, rows, c->out) || fetch(j->part, c->out, bytes))
        return -1;
    if (memcmp(j->part, j->whole + (size_t)first * row_bytes_of(c), bytes))
        return differ(c, first, rows, "alone");
    return 0;
}

/* Wherever the operand is of bf16; of pixels any byte is a picture. */
static void
soil(bench_case *c)
{
    static const uint16_t dirt[] = {0x7fc0, 0x7f80, 0xff80, 0x7f7f, 0xff7f};
    const size_t n = sizeof(dirt) / sizeof(dirt[0]);
    const size_t row_bytes =
        c->operands.x.device.bytes / (size_t)c->operands.rows;

    for (int64_t r = 0; r < c->operands.rows; r++) {
        uint16_t *row =
            (uint16_t *)((char *)c->operands.x.host + (size_t)r * row_bytes);

        if (r % EACH != KEPT)
            for (size_t i = 0; i < row_bytes / 2; i++)
                row[i] = dirt[((size_t)r + i / 7) % n];
    }
}

/* All rows, some of which are clean, against the same ones among clean rows. */
static int
judge_dirty(const judge *j, bench_case *c, int64_t first, int64_t rows)
{
    if (bench_case_run(c, first, rows, c->out) ||
        fetch(j->part, c->out, (size_t)rows * row_bytes_of(c)))
        return -1;
    for (int64_t r = KEPT; r < rows; r += EACH)
        if (memcmp(j->part + (size_t)r * row_bytes_of(c),
                   j->whole + (size_t)r * row_bytes_of(c), row_bytes_of(c)))
            return differ(c, r, 1, "beside NaN and infinity");
    return 0;
}

/* In every way that there is; of those of sm_90a there are several. */
static int
judge_ways(const judge *j, bench_case *c, int64_t first, int64_t rows,
           int (*judge_rows)(const judge *, bench_case *, int64_t, int64_t))
{
    int result = 0;

    if (j->now != HOPPER)
        return judge_rows(j, c, first, rows);
    for (int i = 0; i < bench_hopper_n_ways && !result; i++) {
        if (!bench_hopper_has_way(c, bench_hopper_ways[i].how))
            continue;
        result = bench_hopper_attach(c, bench_hopper_ways[i].how) ||
                 judge_rows(j, c, first, rows);
        if (result)
            op_complain(c->name, bench_hopper_ways[i].name);
    }
    return result;
}

static int
judge_case(judge *j, bench_case *c)
{
    const size_t bytes = (size_t)c->operands.rows * row_bytes_of(c);
    int result = 0, runs = 0;

    j->whole = malloc(bytes);
    j->part = malloc(bytes);
    if (!j->whole || !j->part)
        result = op_complain(c->name, "out of memory");
    if (!result)
        result = bench_case_run(c, 0, c->operands.rows, c->out) ||
                 fetch(j->whole, c->out, bytes);
    for (size_t i = 0; i < j->n_counts && !result; i++) {
        const int64_t m = j->counts[i];
        const int64_t firsts[] = {0, MID_TILE, c->operands.rows - m};

        for (size_t k = 0; k < 3 && !result; k++)
            if (firsts[k] + m <= c->operands.rows && ++runs)
                result = judge_ways(j, c, firsts[k], m, judge_part);
    }
    if (!result) {
        soil(c);
        result = op_array_send(&c->operands.x) ||
                 judge_ways(j, c, 0, c->operands.rows, judge_dirty);
    }
    if (!result)
        printf("%-24s %d runs of up to %lld rows: the same bytes\n", c->name,
               runs + 2, (long long)c->operands.rows);
    fflush(stdout);
    free(j->whole);
    free(j->part);
    return result;
}

static bool
is_of(kind which, const bench_op *product)
{
    return which == OWN        ? true
           : which == CUBLASLT ? op_library_has(product->op)
                               : bench_hopper_has(product);
}

static int
judge_op(judge *j, const bench_op *which)
{
    bench_case c;
    int result = bench_case_make(&c, which, j->geometry, NULL,
                                 j->counts[j->n_counts - 1]);

    if (result)
        return result;
    if (j->now == CUBLASLT)
        result = bench_library_attach(&c);
    if (j->now == HOPPER)
        result = bench_hopper_attach(&c, (bench_hopper){0});
    if (!result)
        result = judge_case(j, &c);
    bench_library_detach(&c);
    bench_case_free(&c);
    return result;
}

/* -1 for what is no argument of ours. */
static int
parse(judge *j, int argc, char **argv)
{
    const char *kernels = "own";

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--tiny") == 0) {
            j->geometry = &op_geometry_tiny;
            j->counts = tiny_counts;
            j->n_counts = sizeof(tiny_counts) / sizeof(tiny_counts[0]);
        } else if (strcmp(argv[i], "--kernels") == 0 && i + 1 < argc) {
            kernels = argv[++i];
        } else {
            return -1;
        }
    }
    j->kinds[CUBLASLT] = strcmp(kernels, "both") == 0;
    j->kinds[HOPPER] = strcmp(kernels, "hopper") == 0;
    j->kinds[OWN] = j->kinds[CUBLASLT] || strcmp(kernels, "own") == 0;
    return j->kinds[OWN] || j->kinds[HOPPER] ? 0 : -1;
}

int
main(int argc, char **argv)
{
    judge j = {.geometry = &op_geometry_7b,
               .counts = counts,
               .n_counts = sizeof(counts) / sizeof(counts[0])};
    int wrong = 0;

    if (bench_help(argc, argv, usage))
        return EXIT_SUCCESS;
    if (parse(&j, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    if (j.kinds[HOPPER] && !op_hopper_runs_here()) {
        puts("skipped: " BENCH_NO_HOPPER);
        return BENCH_SKIPPED;
    }
    for (int i = 0; i < n_bench_products; i++)
        for (j.now = OWN; j.now <= HOPPER; j.now++)
            if (j.kinds[j.now] && is_of(j.now, &bench_products[i]))
                wrong += judge_op(&j, &bench_products[i]) != 0;
    return wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
