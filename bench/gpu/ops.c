/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops.c - every kernel alone: checked, then timed
 *
 * With the widths of a model and random operands: three rows against double
 * precision, then the time by events, hot and cold.  Rates of the same card in
 * the same run stand beside it: a copy's, and a large matrix product's.  Where
 * cuBLASLt runs a product, it does so twice: with the algorithm that an encoder
 * has, and with the best that a batch might get; their ratio is the price of
 * bytes that do not depend on the batch.  Attention over frames is also cuDNN's, by
 * the engine that an encoder has.  The kernels of sm_90a run as an encoder runs them,
 * and in every other way that they have: tiles, pairs, skew.  On the simulated GPU
 * the check is all there is.
 */
#include "bench_hopper.h"
#include "bench_library.h"
#include "clocks.h"
#include "op_bench.h"
#include "op_report.h"
#include "peak.h"
#include "ranges.h"
#include "stopwatch.h"

#include "ops/library.h"

#include <stdlib.h>
#include <string.h>

#define BUDGET 0.12 /* seconds a measurement */

typedef struct bench {
    const op_flags *flags;
    bool own, cublaslt, cudnn, hopper; /* whose kernels */
    op_geometry geometry;
    op_report report;
    const op_size *size;
    oriel_plan_info info;
} bench;

static int32_t
times_a_call(const bench *b, const bench_op *which)
{
    const int32_t depth = b->flags->info.depth,
                  full = b->flags->info.n_full_attention_blocks;

    switch (which->a_call) {
    case OP_A_CALL_ONCE:
        return 1;
    case OP_A_CALL_BLOCK:
        return depth;
    case OP_A_CALL_WINDOWS:
        return depth - full;
    case OP_A_CALL_FRAMES:
        return full;
    case OP_A_CALL_NORMS:
        return 2 * depth + 1;
    default:
        return 0;
    }
}

static bool
is_product(const bench_op *which)
{
    return which >= bench_products && which < bench_products + n_bench_products;
}

static op_row
describe(const bench *b, const bench_case *c)
{
    const op_case *o = &c->operands;
    op_row row = {.step = c->which->step,
                  .op = c->which->name,
                  .by = "oriel",
                  .a_call = times_a_call(b, c->which),
                  .rows = o->rows,
                  .columns = o->columns,
                  .bytes = o->op->bytes(o),
                  .flops = o->op->flops(o)};

    if (is_product(c->which)) {
        row.depth = o->depth;
        row.columns = (int64_t)(o->weight.device.bytes / 2 / (size_t)o->depth);
    }
    if (c->which->op == &op_window_attention) {
        row.cu = b->info.cu_window_seqlens;
        row.n_segments = b->info.n_windows;
    } else if (c->which->op == &op_full_attention) {
        row.cu = b->info.cu_seqlens;
        row.n_segments = b->info.n_frames;
    }
    row.heads = b->geometry.heads;
    row.head_dim = b->geometry.head_dim;
    return row;
}

/* ---- Time ------------------------------------------------------------------- */

static cudaError_t
run_whole(void *context)
{
    return bench_case_enqueue(context);
}

/* The clocks while it runs, for some milliseconds. */
static void
watch_clocks(bench_case *c, double seconds, clocks *out)
{
    const int n = seconds > 3e-3 ? 1 : (int)(3e-3 / seconds) + 1;
    cudaError_t error = cudaSuccess;

    for (int i = 0; i < n && !error; i++)
        error = bench_case_enqueue(c);
    clocks_read(out);
    (void)op_must(error ? error : cudaDeviceSynchronize(), c->name);
}

static int
time_row(bench *b, bench_case *c, op_row *row)
{
    for (int cache = OP_HOT; cache <= OP_COLD; cache <<= 1) {
        bench_times times;
        clocks now = {0};

        if (!(b->flags->caches & cache))
            continue;
        if (stopwatch_measure(&times, run_whole, c, cache == OP_COLD, BUDGET,
                              b->flags->repeats))
            return -1;
        watch_clocks(c, times.median, &now);
        row->times = &times;
        row->cache = cache == OP_HOT ? "hot" : "cold";
        row->sm_mhz = now.sm_mhz;
        row->throttled = now.throttled;
        op_report_row(&b->report, b->size, row);
    }
    return 0;
}

/* Checked; then timed, where there is something that has time. */
static int
judge(bench *b, bench_case *c, op_row *row)
{
    int result;

    if (b->flags->once) {
        printf("%-12s %-9s %s by %s: once\n", b->size->name, row->step, row->op,
               row->by);
        return bench_case_run(c, 0, c->operands.rows, c->out);
    }
    result = bench_case_check(c);
    if (result)
        return result;
    if (stopwatch_is_real())
        return time_row(b, c, row);
    op_report_row(&b->report, b->size, row);
    return 0;
}

/* For the choice among cuBLASLt's algorithms; without hardware it is the first
   that is right. */
static double
seconds_of(bench_case *c)
{
    bench_times times;

    if (!stopwatch_is_real())
        return bench_case_check(c) ? -1 : 1;
    return stopwatch_measure(&times, run_whole, c, false, BUDGET / 16, 0)
               ? -1
               : times.median;
}

static int
time_library(bench *b, bench_case *c)
{
    op_row row = describe(b, c);
    int result = bench_library_attach(c);

    if (result)
        return result;
    row.by = "cublaslt";
    row.algorithm = bench_library_algorithm(c);
    result = judge(b, c, &row);
    if (!result && !b->flags->once) {
        result = bench_library_best(c, seconds_of);
        row.by = "cublaslt best";
        row.algorithm = bench_library_algorithm(c);
        row.times = NULL;
        if (!result)
            result = judge(b, c, &row);
    }
    bench_library_detach(c);
    return result;
}

/* With a plan of the very frames. */
static int
time_cudnn(bench *b, bench_case *c)
{
    const char *const own = c->name;
    op_row row = describe(b, c);
    op_cudnn by;
    int result = op_cudnn_open(&c->operands, &by, 0, 0);

    row.by = c->name = "cudnn";
    c->cudnn = &by;
    if (!result)
        result = judge(b, c, &row);
    c->cudnn = NULL;
    c->name = own;
    op_cudnn_close(&by);
    return result;
}

/* As an encoder runs it; then in every other way that there is. */
static int
time_hopper(bench *b, bench_case *c)
{
    op_row row = describe(b, c);
    int result = bench_hopper_attach_best(c);

    row.by = "hopper";
    if (!result)
        result = judge(b, c, &row);
    for (int i = 0; is_product(c->which) && !b->flags->once && !result &&
                    i < bench_hopper_n_ways;
         i++) {
        if (!bench_hopper_has_way(c, bench_hopper_ways[i].how))
            continue;
        row.by = bench_hopper_ways[i].name;
        row.times = NULL;
        result = bench_hopper_attach(c, bench_hopper_ways[i].how);
        if (!result)
            result = judge(b, c, &row);
    }
    bench_hopper_detach(c);
    return result;
}

/* ---- Ops and sizes ------------------------------------------------------------- */

static void
bench_one(bench *b, const bench_op *which)
{
    const bool by_library = b->cublaslt && op_library_has(which->op);
    bench_case c;
    int result;

    if (!op_flags_want(b->flags, which->step, which->name))
        return;
    range_begin(which->step, which->name);
    result = bench_case_make(&c, which, &b->geometry, &b->info, 0);
    if (!result) {
        op_row row = describe(b, &c);

        if (b->own || !by_library)
            result = judge(b, &c, &row);
        if (!result && by_library)
            result = time_library(b, &c);
        if (!result && b->cudnn && op_cudnn_has(which->op))
            result = time_cudnn(b, &c);
        if (!result && b->hopper && bench_hopper_runs(&c))
            result = time_hopper(b, &c);
        bench_case_free(&c);
    }
    range_end();
    b->report.wrong += result != 0; /* the rest goes on */
}

static void
bench_size(bench *b)
{
    oriel_plan *plan = op_flags_plan(b->flags, b->size, &b->info);

    if (!plan) {
        b->report.wrong++;
        return;
    }
    for (int i = 0; i < n_bench_products; i++)
        bench_one(b, &bench_products[i]);
    for (int i = 0; i < n_bench_others; i++)
        bench_one(b, &bench_others[i]);
    oriel_plan_destroy(plan);
}

static void
list_ops(const bench *b, const bench_op *ops, int n)
{
    for (int i = 0; i < n; i++)
        if (op_flags_want(b->flags, ops[i].step, ops[i].name))
            printf("%-9s %-22s %3d times an encode%s%s\n", ops[i].step,
                   ops[i].name, (int)times_a_call(b, &ops[i]),
                   bench_hopper_has(&ops[i]) ? ", or that of sm_90a" : "",
                   op_library_has(ops[i].op) ? ", or cuBLASLt"
                   : op_cudnn_has(ops[i].op) ? ", or cuDNN"
                                             : "");
}

static int
choose_kernels(bench *b)
{
    oriel_error why;

    b->own =
        (b->flags->kernels & OP_CUBLASLT) == 0 || (b->flags->kernels & OP_OWN);
    b->cublaslt = (b->flags->kernels & OP_CUBLASLT) != 0;
    b->hopper = op_hopper_runs_here();
    if (b->flags->kernels & OP_HOPPER && !b->hopper)
        return op_complain("--kernels hopper", BENCH_NO_HOPPER);
    if (b->flags->kernels != OP_AUTO) {
        b->hopper = (b->flags->kernels & OP_HOPPER) != 0;
        return 0;
    }
    if (!b->hopper)
        printf("hopper is absent: %s\n", BENCH_NO_HOPPER);
    b->cublaslt = bench_library_is_there(&why);
    if (!b->cublaslt)
        printf("cublaslt is absent: %s\n", why.message);
    b->cudnn = op_cudnn_is_there(&why);
    if (!b->cudnn)
        printf("cudnn is absent: %s\n", why.message);
    return 0;
}

static int
begin(bench *b)
{
    op_roofline roofline = {.bytes_by = "", .flops_by = ""};
    char device[512];

    if (op_must(cudaSetDevice(b->flags->device), "--device") ||
        stopwatch_device_json(device, sizeof(device)) || choose_kernels(b))
        return -1;
    if (stopwatch_is_real() && !b->flags->once) {
        roofline.bytes_by = "a copy of 1 GiB";
        if (stopwatch_copy_rate(&roofline.bytes_per_s) ||
            peak_rate(&roofline.flops_per_s, &roofline.flops_by))
            return -1;
    }
    op_report_begin(&b->report, b->flags, device, &roofline);
    return 0;
}

int
main(int argc, char **argv)
{
    op_flags flags;
    bench b = {.flags = &flags};
    int result;

    op_flags_parse(&flags, OP_GPU, argc, argv);
    b.geometry = op_geometry_of(&flags.info);
    if (flags.list) {
        list_ops(&b, bench_products, n_bench_products);
        list_ops(&b, bench_others, n_bench_others);
        op_flags_free(&flags);
        return EXIT_SUCCESS;
    }
    if (begin(&b))
        return EXIT_FAILURE;
    for (int i = 0; i < flags.n_sizes; i++) {
        b.size = &flags.sizes[i];
        bench_size(&b);
    }
    result = op_report_end(&b.report);
    op_flags_free(&flags);
    return result ? EXIT_FAILURE : EXIT_SUCCESS;
}
