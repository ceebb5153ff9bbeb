/* SPDX-License-Identifier: Apache-2.0 */
/* layout.c - which tensor of a checkpoint lies where in which shard */
#include "weights/layout.h"

#include "base/fail.h"
#include "base/memory.h"

#include <stdio.h>

#define CHUNK_BYTES (1 << 20)
#define VALUE_BYTES 2 /* bf16 */

static uint64_t
tensor_bytes(oriel_tensor_shape shape)
{
    return (uint64_t)shape.rows * (uint64_t)shape.columns * VALUE_BYTES;
}

int64_t
oriel_layout_chunk_rows(oriel_tensor_shape shape)
{
    int64_t rows = CHUNK_BYTES / VALUE_BYTES / shape.columns;

    if (rows < 1)
        return 1;
    return rows < shape.rows ? rows : shape.rows;
}

static void
describe(oriel_layout *layout, const oriel_network *network)
{
    for (int32_t i = 0; i < layout->n_tensors; i++) {
        oriel_layout_tensor *t = &layout->tensors[i];
        size_t chunk;

        oriel_manifest_at(network->depth, i, &t->tensor, &t->block);
        oriel_tensor_full_name(t->name, sizeof(t->name), ORIEL_LAYOUT_PREFIX,
                               t->tensor, t->block);
        if (!oriel_tensor_in_block(t->tensor) &&
            t->tensor != ORIEL_TENSOR_PATCH_EMBED)
            t->block = network->depth;
        t->shape = oriel_tensor_get_shape(network, t->tensor);
        layout->bytes += tensor_bytes(t->shape);
        chunk = (size_t)(oriel_layout_chunk_rows(t->shape) * t->shape.columns *
                         VALUE_BYTES);
        if (chunk > layout->largest_chunk_bytes)
            layout->largest_chunk_bytes = chunk;
    }
}

/* Fill shard after shard; a tensor that does not fit begins the next. */
static void
cut(oriel_layout *layout, uint64_t limit)
{
    uint64_t used = 0;
    int64_t chunks = 0;

    layout->n_shards = 1;
    for (int32_t i = 0; i < layout->n_tensors; i++) {
        oriel_layout_tensor *t = &layout->tensors[i];
        uint64_t bytes = tensor_bytes(t->shape);
        int64_t rows = oriel_layout_chunk_rows(t->shape);

        if (used > 0 && used + bytes > limit) {
            layout->n_shards++;
            used = 0;
            chunks = 0;
        }
        t->shard = layout->n_shards - 1;
        t->offset = used;
        t->first_chunk = chunks;
        t->n_chunks = (t->shape.rows + rows - 1) / rows;
        used += bytes;
        chunks += t->n_chunks;
    }
}

oriel_status
oriel_layout_create(oriel_layout *layout, const oriel_network *network,
                    uint64_t shard_bytes, const oriel_hooks *hooks,
                    oriel_error *err)
{
    const oriel_layout empty = {.hooks = hooks};
    uint64_t half;

    *layout = empty;
    layout->n_tensors = oriel_manifest_count(network->depth);
    layout->tensors = oriel_calloc(hooks, (size_t)layout->n_tensors,
                                   sizeof(*layout->tensors));
    if (!layout->tensors)
        return oriel_fail_memory(
            err, (size_t)layout->n_tensors * sizeof(*layout->tensors),
            "a table of tensors");
    describe(layout, network);
    half = (layout->bytes + 1) / 2;
    cut(layout, shard_bytes < half ? shard_bytes : half);
    return oriel_ok(err);
}

void
oriel_layout_destroy(oriel_layout *layout)
{
    oriel_free(layout->hooks, layout->tensors);
    layout->tensors = NULL;
}

void
oriel_layout_shard(const oriel_layout *layout, int32_t shard, int32_t *first,
                   int32_t *end)
{
    *first = 0;
    while (layout->tensors[*first].shard < shard)
        ++*first;
    *end = *first;
    while (*end < layout->n_tensors && layout->tensors[*end].shard == shard)
        ++*end;
}

void
oriel_layout_file_name(char out[48], int32_t shard, int32_t n_shards)
{
    snprintf(out, 48, "model-%05d-of-%05d.safetensors", shard + 1, n_shards);
}

oriel_writer_tensor
oriel_layout_entry(const oriel_layout_tensor *tensor,
                   const oriel_network *network)
{
    oriel_writer_tensor entry = {
        .name = tensor->name, .dtype = "BF16", .rank = 1};

    entry.shape[0] = tensor->shape.rows;
    if (tensor->tensor == ORIEL_TENSOR_PATCH_EMBED) {
        entry.rank = 5;
        entry.shape[1] = network->in_channels;
        entry.shape[2] = network->temporal_patch_size;
        entry.shape[3] = network->patch_size;
        entry.shape[4] = network->patch_size;
    } else if (tensor->shape.columns > 1) {
        entry.rank = 2;
        entry.shape[1] = tensor->shape.columns;
    }
    return entry;
}
