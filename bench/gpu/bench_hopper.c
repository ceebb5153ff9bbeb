/* SPDX-License-Identifier: Apache-2.0 */
/* bench_hopper.c - a case by the kernels of sm_90a in the place of our portable one */
#include "bench_hopper.h"

#include "cuda/hopper.h"

bool
bench_hopper_has(const bench_op *which)
{
    return op_hopper_has(which->op);
}

bool
bench_hopper_runs(const bench_case *b)
{
    return op_hopper_takes(&b->operands);
}

const struct bench_hopper_way bench_hopper_ways[] = {
    {"hopper small", {.small = true}},
    {"hopper large", {0}},
    {"hopper pairs", {.pairs = true}},
    {"hopper skew", {.skew = true}},
    {"hopper pairs, skew", {.pairs = true, .skew = true}},
};
const int bench_hopper_n_ways =
    sizeof(bench_hopper_ways) / sizeof(bench_hopper_ways[0]);

bool
bench_hopper_has_way(const bench_case *b, bench_hopper how)
{
    return !how.small || (b->which->op != &op_full_attention &&
                          b->which->op != &op_linear_swiglu);
}

static int
find_blocks(int *blocks)
{
    int device = 0;
    cudaError_t error = cudaGetDevice(&device);

    if (!error)
        error = cudaDeviceGetAttribute(blocks, cudaDevAttrMultiProcessorCount,
                                       device);
    return op_must(error, "multiprocessors");
}

int
bench_hopper_attach(bench_case *b, bench_hopper how)
{
    int blocks;

    if (find_blocks(&blocks))
        return -1;
    b->hopper = op_hopper_make(b->which->op, how.small, blocks);
    b->hopper.pairs = how.pairs;
    b->hopper.skew = how.skew;
    b->operands.op = &b->hopper.op;
    b->name = b->hopper.op.name;
    if (!op_must(b->hopper.op.prepare(&b->operands), b->name))
        return 0;
    bench_hopper_detach(b);
    return -1;
}

int
bench_hopper_attach_best(bench_case *b)
{
    bench_hopper how = {0};
    const int32_t columns = (int32_t)(b->operands.bias.device.bytes / 2);
    int blocks;

    if (find_blocks(&blocks))
        return -1;
    if (bench_hopper_has_way(b, (bench_hopper){.small = true}))
        how.small = oriel_cuda_hopper_small(
            op_hopper_make(b->which->op, 0, blocks).which, b->operands.rows,
            columns, blocks);
    return bench_hopper_attach(b, how);
}

void
bench_hopper_detach(bench_case *b)
{
    b->operands.op = b->which->op;
    b->name = b->which->name;
}
