/* SPDX-License-Identifier: Apache-2.0 */
/* op_bench.c - which ops at which widths; one run, one check */
#include "op_bench.h"
#include "bench_library.h"

#include "ops/library.h"

#include "cuda/shapes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const op_geometry op_geometry_7b = {1280, 16, 80, 3456, 3584, 14, 2, 4};
const op_geometry op_geometry_tiny = {32, 2, 16, 64, 48, 4, 2, 4};

op_geometry
op_geometry_of(const oriel_model_info *info)
{
    const oriel_network network = {
        .hidden_size = info->hidden_size,
        .intermediate_size = info->intermediate_size,
        .num_heads = info->num_heads,
        .head_dim = info->head_dim,
        .out_hidden_size = info->out_hidden_size,
        .in_channels = info->in_channels,
        .patch_size = info->patch_size,
        .temporal_patch_size = info->temporal_patch_size,
        .spatial_merge_size = info->spatial_merge_size};
    oriel_cuda_shapes shapes;

    oriel_cuda_shapes_init(&shapes, &network);
    return (op_geometry){shapes.hidden,         info->num_heads,
                         info->head_dim,        shapes.intermediate,
                         info->out_hidden_size, info->patch_size,
                         shapes.slices,         shapes.merge2};
}

/* A benchmark looks at no guards. */
size_t
device_guard_bytes(void)
{
    return 0;
}

/* ---- Shapes ---------------------------------------------------------------- */

static op_shape
product(const oriel_plan_info *info, int64_t rows, int32_t columns,
        int32_t depth)
{
    return (op_shape){.rows = info ? info->patches : rows,
                      .columns = columns,
                      .depth = depth};
}

static op_shape
patch_embed(const op_geometry *g, const oriel_plan_info *info, int64_t rows)
{
    op_shape s = product(info, rows, g->hidden, 0);

    s.patch_size = g->patch_size;
    s.slices = g->slices;
    s.merge2 = g->merge2;
    return s;
}

static op_shape
qkv(const op_geometry *g, const oriel_plan_info *info, int64_t rows)
{
    return product(info, rows, 3 * g->hidden, g->hidden);
}

static op_shape
proj(const op_geometry *g, const oriel_plan_info *info, int64_t rows)
{
    return product(info, rows, g->hidden, g->hidden);
}

static op_shape
gate_up(const op_geometry *g, const oriel_plan_info *info, int64_t rows)
{
    return product(info, rows, g->intermediate, g->hidden);
}

static op_shape
down(const op_geometry *g, const oriel_plan_info *info, int64_t rows)
{
    return product(info, rows, g->hidden, g->intermediate);
}

/* In the merger a row is a token. */
static op_shape
fc1(const op_geometry *g, const oriel_plan_info *info, int64_t rows)
{
    const int32_t merged = g->hidden * g->merge2;

    return product(NULL, info ? info->tokens : rows, merged, merged);
}

static op_shape
fc2(const op_geometry *g, const oriel_plan_info *info, int64_t rows)
{
    op_shape s = fc1(g, info, rows);

    s.columns = g->out_hidden;
    s.places = info ? info->window_index : NULL;
    return s;
}

static op_shape
norm(const op_geometry *g, const oriel_plan_info *info, int64_t rows)
{
    return product(info, rows, g->hidden, 0);
}

/* Where gate and up are cuBLASLt's. */
static op_shape
multiplied(const op_geometry *g, const oriel_plan_info *info, int64_t rows)
{
    return product(info, rows, g->intermediate, 0);
}

static op_shape
rope(const op_geometry *g, const oriel_plan_info *info, int64_t rows)
{
    op_shape s = product(info, rows, 0, 0);

    s.heads = g->heads;
    s.head_dim = g->head_dim;
    s.positions = info->positions;
    return s;
}

static op_shape
windows(const op_geometry *g, const oriel_plan_info *info, int64_t rows)
{
    op_shape s = rope(g, info, rows);

    s.scale = 3;
    s.cu = info->cu_window_seqlens;
    s.n_segments = info->n_windows;
    return s;
}

static op_shape
frames(const op_geometry *g, const oriel_plan_info *info, int64_t rows)
{
    op_shape s = windows(g, info, rows);

    s.cu = info->cu_seqlens;
    s.n_segments = info->n_frames;
    return s;
}

const bench_op bench_products[] = {
    {"EMBED", "patch_embed", &op_patch_embed, OP_A_CALL_ONCE, patch_embed},
    {"ATTN_IN", "linear qkv", &op_linear, OP_A_CALL_BLOCK, qkv},
    {"ATTN_OUT", "linear_residual proj", &op_linear_residual, OP_A_CALL_BLOCK,
     proj},
    {"MLP_IN", "linear_swiglu gate_up", &op_linear_swiglu, OP_A_CALL_BLOCK,
     gate_up},
    {"MLP_OUT", "linear_residual down", &op_linear_residual, OP_A_CALL_BLOCK,
     down},
    {"MERGE", "linear_gelu fc1", &op_linear_gelu, OP_A_CALL_ONCE, fc1},
    {"MERGE", "linear_rows fc2", &op_linear_rows, OP_A_CALL_ONCE, fc2},
};
const int n_bench_products = sizeof(bench_products) / sizeof(bench_products[0]);

/* A norm is the first thing in three steps; it is timed as ATTN_IN's. */
const bench_op bench_others[] = {
    {"ATTN_IN", "rms_norm", &op_rms_norm, OP_A_CALL_NORMS, norm},
    {"ATTN_IN", "rope", &op_rope, OP_A_CALL_FRAMES, rope},
    {"MLP_IN", "swiglu", &op_swiglu, OP_A_CALL_CUBLASLT, multiplied},
    {"ATTEND", "window_attention", &op_window_attention, OP_A_CALL_WINDOWS,
     windows},
    {"ATTEND", "full_attention", &op_full_attention, OP_A_CALL_FRAMES, frames},
};
const int n_bench_others = sizeof(bench_others) / sizeof(bench_others[0]);

/* ---- Cases ----------------------------------------------------------------- */

int
bench_case_make(bench_case *b, const bench_op *which, const op_geometry *g,
                const oriel_plan_info *info, int64_t rows)
{
    const op_shape shape = which->shape(g, info, rows);

    *b = (bench_case){.which = which, .name = which->name};
    if (op_case_make(&b->operands, which->op, &shape, 1))
        return -1;
    if (op_must(cudaMalloc(&b->out, op_case_out_bytes(&b->operands)),
                "cudaMalloc")) {
        bench_case_free(b);
        return -1;
    }
    return 0;
}

void
bench_case_free(bench_case *b)
{
    op_case_free(&b->operands);
    if (b->out)
        cudaFree(b->out);
    *b = (bench_case){0};
}

static cudaError_t
enqueue(const bench_case *b, int64_t first, int64_t rows, void *out)
{
    if (b->cudnn)
        return op_cudnn_run(&b->operands, b->cudnn, out);
    return b->library ? bench_library_run(b, first, rows, out)
                      : b->operands.op->run(&b->operands, first, rows, out);
}

cudaError_t
bench_case_enqueue(const bench_case *b)
{
    return enqueue(b, 0, b->operands.rows, b->out);
}

/* Enqueued before the op: its old result, or what shows if it is not written. */
static cudaError_t
fill_out(const op_case *c, int64_t first, int64_t rows, void *out)
{
    const size_t row_bytes = (size_t)c->row_bytes;
    const size_t bytes = (size_t)rows * row_bytes;

    if (!c->initial.host)
        return cudaMemsetAsync(out, 0xff, bytes, NULL);
    return cudaMemcpyAsync(
        out, (char *)c->initial.device.data + (size_t)first * row_bytes, bytes,
        cudaMemcpyDeviceToDevice, NULL);
}

int
bench_case_run(const bench_case *b, int64_t first, int64_t rows, void *out)
{
    cudaError_t error = fill_out(&b->operands, first, rows, out);

    if (!error)
        error = enqueue(b, first, rows, out);
    if (!error)
        error = cudaDeviceSynchronize();
    return op_must(error, b->name);
}

/* ---- One check ------------------------------------------------------------- */

static int
check_row(const bench_case *b, int64_t row, const void *got, double *exact,
          double *bound)
{
    const op_case *c = &b->operands;
    char why[160];

    c->op->exact(c, row, 1, exact, bound);
    if (b->library)
        op_library_loosen(c, exact, bound);
    if (b->cudnn)
        op_cudnn_loosen(c, exact, bound);
    for (int32_t i = 0; i < c->columns; i++) {
        const double value = op_case_value(c, got, i);

        if (fabs(value - exact[i]) <= bound[i])
            continue;
        snprintf(why, sizeof(why),
                 "row %lld column %d is %g, expected %g within %g",
                 (long long)row, (int)i, value, exact[i], bound[i]);
        return op_complain(b->name, why);
    }
    return 0;
}

int
bench_case_check(const bench_case *b)
{
    const op_case *c = &b->operands;
    const int64_t rows[] = {0, c->rows / 2, c->rows - 1};
    const size_t bytes = (size_t)c->columns * sizeof(double);
    double *exact = malloc(bytes), *bound = malloc(bytes);
    void *got = malloc((size_t)c->row_bytes);
    int result =
        exact && bound && got ? 0 : op_complain(b->name, "out of memory");

    if (!result)
        result = bench_case_run(b, 0, c->rows, b->out);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && !result; i++) {
        const int64_t at = op_case_place(c, rows[i]) * c->row_bytes;

        result =
            op_must(cudaMemcpy(got, (char *)b->out + at, (size_t)c->row_bytes,
                               cudaMemcpyDeviceToHost),
                    "cudaMemcpy");
        if (!result)
            result = check_row(b, rows[i], got, exact, bound);
    }
    free(exact);
    free(bound);
    free(got);
    return result;
}
