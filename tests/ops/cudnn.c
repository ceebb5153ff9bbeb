/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cudnn.h"

#include <math.h>
#include <stdlib.h>

bool
op_cudnn_is_there(oriel_error *why)
{
    const oriel_cudnn_shape least = {1, 80, 1, 1024};
    oriel_cudnn cudnn = {0};
    oriel_cudnn_plan plan = {0};
    int device = 0;
    bool there;

    (void)cudaGetDevice(&device);
    there = !oriel_cudnn_open(&cudnn, device, why) &&
            !oriel_cudnn_make(&cudnn, &plan, &least, why);
    oriel_cudnn_plan_destroy(&plan);
    oriel_cudnn_close(&cudnn);
    return there;
}

bool
op_cudnn_has(const op *which)
{
    return which == &op_full_attention;
}

/* Segments as sequences; those that none fills are empty, at the end. */
static int
make_sequences(const op_case *c, op_cudnn *by)
{
    const int32_t *cu = c->index[OP_SEGMENTS].host;
    const int32_t n = by->plan.shape.sequences, used = c->shape.n_segments;
    int32_t *lengths;
    int64_t *qkv, *out;

    if (op_array_make(&by->lengths, (size_t)n * sizeof(*lengths)) ||
        op_array_make(&by->qkv_offsets, ((size_t)n + 1) * sizeof(*qkv)) ||
        op_array_make(&by->out_offsets, ((size_t)n + 1) * sizeof(*out)))
        return -1;
    lengths = by->lengths.host;
    qkv = by->qkv_offsets.host;
    out = by->out_offsets.host;
    for (int32_t i = 0; i <= n; i++) {
        const int64_t row = cu[i < used ? i : used];

        out[i] = row * c->columns;
        qkv[i] = row * 3 * c->columns;
        if (i < used)
            lengths[i] = cu[i + 1] - cu[i];
    }
    return op_array_send(&by->lengths) || op_array_send(&by->qkv_offsets) ||
           op_array_send(&by->out_offsets);
}

static int32_t
longest(const op_case *c)
{
    const int32_t *cu = c->index[OP_SEGMENTS].host;
    int32_t most = 0;

    for (int32_t i = 0; i < c->shape.n_segments; i++)
        most = cu[i + 1] - cu[i] > most ? cu[i + 1] - cu[i] : most;
    return most;
}

int
op_cudnn_open(const op_case *c, op_cudnn *by, int32_t sequences, int32_t rows)
{
    const oriel_cudnn_shape shape = {
        .heads = c->shape.heads,
        .head_dim = c->shape.head_dim,
        .sequences = sequences ? sequences : c->shape.n_segments,
        .rows = rows ? rows : longest(c)};
    int device = 0;
    oriel_error err;

    *by = (op_cudnn){0};
    if (op_must(cudaGetDevice(&device), "cudaGetDevice"))
        return -1;
    if (oriel_cudnn_open(&by->cudnn, device, &err) ||
        oriel_cudnn_make(&by->cudnn, &by->plan, &shape, &err))
        return op_complain(c->op->name, err.message);
    return op_array_make(&by->workspace,
                         (size_t)by->plan.workspace_bytes + 1) ||
           make_sequences(c, by);
}

static void
free_array(op_array *a)
{
    free(a->host);
    if (a->device.data)
        (void)cudaFree(a->device.data);
}

void
op_cudnn_close(op_cudnn *by)
{
    free_array(&by->lengths);
    free_array(&by->qkv_offsets);
    free_array(&by->out_offsets);
    free_array(&by->workspace);
    oriel_cudnn_plan_destroy(&by->plan);
    oriel_cudnn_close(&by->cudnn);
    *by = (op_cudnn){0};
}

oriel_cudnn_args
op_cudnn_args(const op_case *c, const op_cudnn *by, void *out)
{
    return (oriel_cudnn_args){
        .qkv = c->x.device.data,
        .out = out,
        .lengths = by->lengths.device.data,
        .qkv_offsets = by->qkv_offsets.device.data,
        .out_offsets = by->out_offsets.device.data,
        .workspace = by->workspace.device.data,
        .scale = (float)(1 / sqrt(c->shape.head_dim)),
    };
}

cudaError_t
op_cudnn_run(const op_case *c, const op_cudnn *by, void *out)
{
    const oriel_cudnn_args args = op_cudnn_args(c, by, out);

    return oriel_cudnn_run(&by->cudnn, &by->plan, &args, NULL, NULL)
               ? cudaErrorInvalidConfiguration
               : cudaSuccess;
}

void
op_cudnn_loosen(const op_case *c, const double *exact, double *bound)
{
    (void)exact;
    for (int32_t i = 0; i < c->columns; i++)
        bound[i] *= 2;
}
