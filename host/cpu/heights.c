/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heights.c - which tiles keep a row's bits
 *
 * A row must have the same bits in a tile of any height, or an item's result
 * would depend on its batch.  oneDNN promises no such thing: how it cuts a
 * product may depend on the rows, and on the processor.  So it is measured
 * where it matters, once a context: random rows in each height against the same
 * rows in the full one, bit by bit.  A height that differs in any product, or that
 * a product does not have, is not used; the full one always is.
 */
#include "cpu/context.h"

#include "base/checked.h"
#include "base/fail.h"
#include "base/half.h"
#include "base/memory.h"

#include <string.h>

enum { ALL_HEIGHTS = (1 << ORIEL_ROW_HEIGHTS) - 1 };

typedef struct examination {
    oriel_backend_context *context;
    char *memory; /* [threads][each] */
    size_t each;
    size_t src_bytes, dst_bytes; /* of its three parts: src, 2 dst */
    uint32_t heights[ORIEL_N_LINEAR_LAYERS]; /* that passed */
} examination;

static int32_t
height_of(int32_t index)
{
    return (index + 1) * ORIEL_ROW_STEP;
}

/* Numbers of both signs whose sums round. */
static void
fill_operand(void *operand, int64_t n, oriel_cpu_storage storage)
{
    uint64_t x = 1;

    for (int64_t i = 0; i < n; i++) {
        float value;

        x = x * 6364136223846793005u + 1442695040888963407u;
        value = (float)((int64_t)(x >> 33) - (1 << 30)) * 0x1p-30f;
        if (storage == ORIEL_STORAGE_BF16)
            ((uint16_t *)operand)[i] = oriel_f32_to_bf16(value);
        else
            ((float *)operand)[i] = value;
    }
}

static void
examine_task(void *context, int64_t task, int32_t thread)
{
    examination *e = context;
    oriel_backend_context *c = e->context;
    const oriel_cpu_gemm_shape *shape = &c->weights->shapes.product[task];
    char *src = e->memory + (size_t)thread * e->each;
    float *want = (float *)(void *)(src + e->src_bytes);
    float *got = (float *)(void *)(src + e->src_bytes + e->dst_bytes);
    size_t row = (size_t)shape->n * sizeof(float);

    fill_operand(src, (int64_t)ORIEL_ROW_TILE * shape->k, c->weights->storage);
    memset(want, 0, ORIEL_ROW_TILE * row);
    oriel_cpu_multiply(c, (oriel_layer)task, 0, thread, src, want,
                       ORIEL_ROW_TILE);
    e->heights[task] = ALL_HEIGHTS;
    for (int32_t i = 0; i < ORIEL_ROW_HEIGHTS - 1; i++) {
        int32_t rows = height_of(i);
        bool same = oriel_cpu_gemm_has(c->products[task], rows);

        if (same) {
            memset(got, 0, (size_t)rows * row);
            oriel_cpu_multiply(c, (oriel_layer)task, 0, thread, src, got, rows);
            same = memcmp(got, want, (size_t)rows * row) == 0;
        }
        if (!same)
            e->heights[task] &= ~(1u << i);
    }
}

static bool
measure(examination *e, size_t *bytes)
{
    const oriel_cpu_shapes *s = &e->context->weights->shapes;
    size_t unit = oriel_cpu_storage_bytes(e->context->weights->storage);

    for (int32_t p = 0; p < ORIEL_N_LINEAR_LAYERS; p++) {
        size_t src = ORIEL_ROW_TILE * (size_t)s->product[p].k * unit;
        size_t dst = ORIEL_ROW_TILE * (size_t)s->product[p].n * sizeof(float);

        if (src > e->src_bytes)
            e->src_bytes = src; /* a multiple of the alignment, as 128 rows */
        if (dst > e->dst_bytes)
            e->dst_bytes = dst;
    }
    e->each = e->src_bytes + 2 * e->dst_bytes;
    return oriel_mul_size(bytes, e->each, (size_t)e->context->n_threads);
}

oriel_status
oriel_cpu_check_heights(oriel_backend_context *c, oriel_error *err)
{
    examination e = {.context = c};
    size_t bytes = 0;
    oriel_status status;

    if (measure(&e, &bytes))
        e.memory = oriel_alloc(&c->hooks, bytes);
    if (!e.memory)
        return oriel_fail_memory(err, bytes, "examining matrix products");
    c->block = 0;
    status = oriel_cpu_run_on(c, examine_task, &e, ORIEL_N_LINEAR_LAYERS, err);
    c->heights = ALL_HEIGHTS;
    for (int32_t p = 0; p < ORIEL_N_LINEAR_LAYERS; p++)
        c->heights &= e.heights[p];
    oriel_free(&c->hooks, e.memory);
    return status;
}

int32_t
oriel_cpu_height_for(const oriel_backend_context *c, int64_t rows)
{
    for (int32_t i = 0; i < ORIEL_ROW_HEIGHTS - 1; i++)
        if ((c->heights >> i & 1u) && rows <= height_of(i))
            return height_of(i);
    return ORIEL_ROW_TILE;
}
