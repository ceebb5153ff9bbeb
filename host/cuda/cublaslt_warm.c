/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cublaslt_warm.c - each product once, on nothing
 *
 * The library may load the kernels of an algorithm when it first runs, which a
 * capture forbids; and a capture may be what an encoder does first.
 */
#include "cuda/cublaslt.h"

#include "cuda/device.h"
#include "cuda/errors.h"

/* A token's patches, and enough to fill a tile. */
static const int64_t few_and_many[] = {4, 128};
enum { MOST_ROWS = 128, ALIGNMENT = 256 };

/* Zeros that stand for a product's operands. */
typedef struct scratch {
    char *memory;
    size_t weight, x, bias, out; /* where each begins */
    size_t bytes;
    cudaStream_t stream;
} scratch;

static size_t
take(scratch *s, int64_t values)
{
    size_t at = s->bytes;

    s->bytes += ((size_t)values * sizeof(uint16_t) + ALIGNMENT - 1) /
                ALIGNMENT * ALIGNMENT;
    return at;
}

static oriel_status
make_scratch(scratch *s, const oriel_lt *lt, const oriel_lt_product *p,
             oriel_error *err)
{
    const int64_t columns = p->columns, depth = p->depth;
    void *memory = NULL;
    oriel_status status;

    *s = (scratch){0};
    s->weight = take(s, columns * depth);
    s->x = take(s, MOST_ROWS * depth);
    s->bias = take(s, columns);
    s->out = take(s, MOST_ROWS * columns);
    status = oriel_cuda_alloc(&memory, s->bytes, lt->hooks, lt->device_index,
                              "cuBLASLt's first products", err);
    s->memory = memory;
    if (!status)
        status = oriel_cuda_check(
            cudaStreamCreateWithFlags(&s->stream, cudaStreamNonBlocking),
            "cudaStreamCreateWithFlags", err);
    if (!status)
        status =
            oriel_cuda_check(cudaMemsetAsync(memory, 0, s->bytes, s->stream),
                             "cudaMemsetAsync", err);
    return status;
}

/* Waits for what was enqueued; a status is a failure's from before. */
static oriel_status
free_scratch(scratch *s, const oriel_lt *lt, oriel_status status,
             oriel_error *err)
{
    if (s->stream) {
        cudaError_t error = cudaStreamSynchronize(s->stream);

        if (!status)
            status = oriel_cuda_check(error, "cuBLASLt's first products", err);
        (void)cudaStreamDestroy(s->stream);
    }
    oriel_cuda_free(s->memory, lt->hooks, lt->device_index);
    return status;
}

oriel_status
oriel_lt_warm(const oriel_lt *lt, const oriel_lt_product *p, oriel_error *err)
{
    scratch s;
    oriel_status status = make_scratch(&s, lt, p, err);

    for (size_t i = 0;
         i < sizeof(few_and_many) / sizeof(few_and_many[0]) && !status; i++) {
        const oriel_linear_args args = {(const uint16_t *)(s.memory + s.x),
                                        (const uint16_t *)(s.memory + s.weight),
                                        (const uint16_t *)(s.memory + s.bias),
                                        (uint16_t *)(s.memory + s.out),
                                        few_and_many[i],
                                        p->columns,
                                        p->depth,
                                        NULL,
                                        {0}};

        status = oriel_lt_run(lt, p, &args, s.stream, err);
    }
    return free_scratch(&s, lt, status, err);
}
