/* SPDX-License-Identifier: Apache-2.0 */
/* weights.c - one allocation for all tensors, and who owns it */
#include "cuda/weights.h"

#include "base/fail.h"
#include "base/memory.h"
#include "cuda/cursor.h"
#include "cuda/device.h"
#include "cuda/tables.h"

#include <string.h>

static const uint16_t *
take(oriel_cuda_cursor *c, int64_t rows, int64_t columns)
{
    return oriel_cuda_take(c, rows, columns * (int64_t)sizeof(uint16_t));
}

/* The order in which load.c writes. */
static bool
lay_out(oriel_backend_weights *w)
{
    const oriel_cuda_shapes *s = &w->shapes;
    oriel_cuda_cursor c = {w->memory, 0, false};

    w->patch_weight = take(&c, s->hidden, s->patch_depth);
    for (int32_t i = 0; i < w->network.depth; i++) {
        oriel_cuda_block *b = &w->blocks[i];

        b->norm1 = take(&c, s->hidden, 1);
        b->qkv_weight = take(&c, 3 * (int64_t)s->hidden, s->hidden);
        b->qkv_bias = take(&c, 3 * (int64_t)s->hidden, 1);
        b->proj_weight = take(&c, s->hidden, s->hidden);
        b->proj_bias = take(&c, s->hidden, 1);
        b->norm2 = take(&c, s->hidden, 1);
        b->gate_up_weight = take(&c, 2 * (int64_t)s->intermediate, s->hidden);
        b->gate_up_bias = take(&c, 2 * (int64_t)s->intermediate, 1);
        b->down_weight = take(&c, s->hidden, s->intermediate);
        b->down_bias = take(&c, s->hidden, 1);
    }
    w->merger_norm = take(&c, s->hidden, 1);
    w->fc1_weight = take(&c, s->merged, s->merged);
    w->fc1_bias = take(&c, s->merged, 1);
    w->fc2_weight = take(&c, s->out_hidden, s->merged);
    w->fc2_bias = take(&c, s->out_hidden, 1);
    w->rope = oriel_cuda_take(&c, ORIEL_CUDA_ROPE_POSITIONS,
                              oriel_cuda_rope_row(s->head_dim));
    w->levels =
        oriel_cuda_take(&c, ORIEL_CUDA_FLAVOURS, ORIEL_CUDA_LEVEL_BYTES);
    w->bytes = c.at;
    return !c.overflowed;
}

static oriel_status
copy_network(oriel_backend_weights *w, const oriel_network *network,
             oriel_error *err)
{
    size_t n = (size_t)network->n_full_attention_blocks;
    size_t depth = (size_t)network->depth;

    w->network = *network;
    w->full_attention_blocks =
        oriel_calloc(&w->hooks, n + 1, sizeof(w->full_attention_blocks[0]));
    w->blocks = oriel_calloc(&w->hooks, depth + 1, sizeof(w->blocks[0]));
    if (!w->full_attention_blocks || !w->blocks)
        return oriel_fail_memory(err, (depth + 1) * sizeof(w->blocks[0]),
                                 "the table of blocks");
    if (n)
        memcpy(w->full_attention_blocks, network->full_attention_blocks,
               n * sizeof(w->full_attention_blocks[0]));
    w->network.full_attention_blocks = w->full_attention_blocks;
    return ORIEL_OK;
}

static oriel_status
fill(oriel_backend_weights *w, const oriel_weight_reader *reader,
     const oriel_backend_config *config, oriel_error *err)
{
    oriel_cuda_scope scope;
    oriel_status status;

    if (!lay_out(w))
        return oriel_fail(err, ORIEL_ERR_MEMORY,
                          "the weights exceed the address space");
    status = oriel_cuda_enter(&scope, w->device_index, err);
    if (!status)
        status = oriel_cuda_alloc(&w->memory, w->bytes, &w->hooks,
                                  w->device_index, "the weights", err);
    if (!status) {
        lay_out(w);
        status = oriel_cuda_read_weights(w, reader, config, err);
    }
    oriel_cuda_leave(&scope);
    return status;
}

oriel_status
oriel_cuda_load_weights(oriel_backend_weights **out,
                        const oriel_network *network,
                        const oriel_weight_reader *reader,
                        const oriel_backend_config *config, oriel_error *err)
{
    oriel_backend_weights *w;
    oriel_status status =
        oriel_cuda_check_network(network, config->precision, err);

    *out = NULL;
    if (status)
        return status;
    w = oriel_calloc(config->hooks, 1, sizeof(*w));
    if (!w)
        return oriel_fail_memory(err, sizeof(*w), "weights");
    w->hooks = *config->hooks;
    w->device_index = config->device_index;
    oriel_cuda_shapes_init(&w->shapes, network);
    status = copy_network(w, network, err);
    if (!status)
        status = fill(w, reader, config, err);
    if (status) {
        oriel_cuda_free_weights(w);
        return status;
    }
    *out = w;
    return ORIEL_OK;
}

uint64_t
oriel_cuda_weight_bytes(const oriel_backend_weights *weights)
{
    return weights->bytes;
}

void
oriel_cuda_free_weights(oriel_backend_weights *w)
{
    if (!w)
        return;
    oriel_hooks hooks = w->hooks;
    oriel_cuda_scope scope = {0};
    oriel_error ignored;

    if (w->memory && !oriel_cuda_was_forked()) {
        (void)oriel_cuda_enter(&scope, w->device_index, &ignored);
        oriel_cuda_free(w->memory, &hooks, w->device_index);
        oriel_cuda_leave(&scope);
    }
    oriel_free(&hooks, w->full_attention_blocks);
    oriel_free(&hooks, w->blocks);
    oriel_free(&hooks, w);
}
