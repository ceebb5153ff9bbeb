/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/attention.h"

static int
make(op_case *c, random_stream *random)
{
    return op_make_attention(c, random, oriel_cuda_tile_segments,
                             ORIEL_TILE_COLUMNS);
}

static cudaError_t
prepare(const op_case *c)
{
    return oriel_cuda_full_attention_prepare(c->shape.head_dim, NULL);
}

oriel_full_attention_args
op_full_attention_args(const op_case *c, void *out)
{
    return (oriel_full_attention_args){c->x.device.data,
                                       out,
                                       c->index[OP_WORK].device.data,
                                       (int32_t)op_told(c, c->n_work),
                                       c->shape.heads,
                                       c->shape.head_dim,
                                       op_scale_log2(c),
                                       op_counted(c)};
}

static cudaError_t
run(const op_case *c, int64_t first, int64_t rows, void *out)
{
    const oriel_full_attention_args args = op_full_attention_args(c, out);

    (void)first;
    (void)rows;
    return oriel_cuda_full_attention(&args, NULL);
}

/* q and k are turned already. */
static void
exact(const op_case *c, int64_t first, int64_t rows, double *exact,
      double *bound)
{
    op_attention_exact(c, first, rows, exact, bound, false);
}

const op op_full_attention = {
    "full_attention",  false, make, prepare, run, exact, op_attention_bytes,
    op_attention_flops};
