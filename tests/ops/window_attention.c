/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/attention.h"

static int
make(op_case *c, random_stream *random)
{
    return op_make_attention(c, random, oriel_cuda_pack_windows,
                             ORIEL_PACK_COLUMNS);
}

static cudaError_t
prepare(const op_case *c)
{
    return oriel_cuda_window_attention_prepare(c->shape.head_dim, NULL);
}

static cudaError_t
run(const op_case *c, int64_t first, int64_t rows, void *out)
{
    const oriel_window_attention_args args = {
        c->x.device.data,
        out,
        c->index[OP_SEGMENTS].device.data,
        c->index[OP_WORK].device.data,
        c->index[OP_ROPE].device.data,
        c->index[OP_POSITIONS].device.data,
        (int32_t)op_told(c, c->n_work),
        c->shape.heads,
        c->shape.head_dim,
        op_scale_log2(c),
        op_counted(c)};

    (void)first;
    (void)rows;
    return oriel_cuda_window_attention(&args, NULL);
}

/* The kernel turns q and k itself. */
static void
exact(const op_case *c, int64_t first, int64_t rows, double *exact,
      double *bound)
{
    op_attention_exact(c, first, rows, exact, bound, true);
}

const op op_window_attention = {
    "window_attention", false, make, prepare, run, exact, op_attention_bytes,
    op_attention_flops};
