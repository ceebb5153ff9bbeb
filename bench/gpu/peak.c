/* SPDX-License-Identifier: Apache-2.0 */
/* peak.c - see peak.h */
#include "peak.h"

#include "bench_library.h"
#include "op_bench.h"
#include "stopwatch.h"

enum { SIDE = 8192 };
#define FLOPS (2.0 * SIDE * SIDE * SIDE)

static op_shape
square(const op_geometry *g, const oriel_plan_info *info, int64_t rows)
{
    (void)g, (void)info;
    return (op_shape){.rows = rows, .columns = SIDE, .depth = SIDE};
}

static const bench_op large = {"peak", "peak square", &op_linear,
                               OP_A_CALL_ONCE, square};

static cudaError_t
run_whole(void *context)
{
    return bench_case_enqueue(context);
}

static double
seconds_of(bench_case *c)
{
    bench_times times;

    return stopwatch_measure(&times, run_whole, c, false, 0.02, 0)
               ? -1
               : times.median;
}

int
peak_rate(double *flops_per_s, const char **by)
{
    bench_case c;
    bench_times times;
    int result = bench_case_make(&c, &large, NULL, NULL, SIDE);

    if (result)
        return result;
    *by = "cuBLASLt 8192x8192x8192 in bf16";
    if (bench_library_attach(&c) || bench_library_best(&c, seconds_of)) {
        bench_library_detach(&c);
        *by = "Oriel's own 8192x8192x8192 in bf16";
    }
    result = bench_case_check(&c) ||
             stopwatch_measure(&times, run_whole, &c, false, 0.3, 0);
    if (!result)
        *flops_per_s = FLOPS / times.median;
    bench_library_detach(&c);
    bench_case_free(&c);
    return result ? -1 : 0;
}
