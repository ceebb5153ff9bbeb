/* SPDX-License-Identifier: Apache-2.0 */
/* manifest.c - names, shapes and order of the tensors */
#include "base/manifest.h"

#include <stdbool.h>
#include <stdio.h>

enum { SCOPE_ONCE, SCOPE_BLOCK };

typedef enum width {
    WIDTH_1 = 1,
    WIDTH_H,
    WIDTH_Q,
    WIDTH_I,
    WIDTH_M,
    WIDTH_O,
    WIDTH_P
} width;

static const struct {
    const char *name;
    int32_t in_block;
    width rows, columns;
} manifest[ORIEL_N_TENSORS] = {
#define X(id, tensor_name, scope, r, c) \
    {tensor_name, SCOPE_##scope, WIDTH_##r, WIDTH_##c},
    ORIEL_MANIFEST(X)
#undef X
};

/* The tensors before, in and after the blocks are three runs of the list. */
enum {
    FIRST_IN_BLOCK = ORIEL_TENSOR_NORM1,
    FIRST_AFTER = ORIEL_TENSOR_MERGER_NORM,
    PER_BLOCK = FIRST_AFTER - FIRST_IN_BLOCK
};

const char *
oriel_tensor_name(oriel_tensor tensor)
{
    return manifest[tensor].name;
}

int32_t
oriel_tensor_in_block(oriel_tensor tensor)
{
    return manifest[tensor].in_block;
}

int32_t
oriel_tensor_is_vector(oriel_tensor tensor)
{
    return manifest[tensor].columns == WIDTH_1;
}

static int64_t
measure(const oriel_network *network, width letter)
{
    const int64_t hidden = network->hidden_size;

    switch (letter) {
    case WIDTH_H:
        return hidden;
    case WIDTH_Q:
        return 3 * hidden;
    case WIDTH_I:
        return network->intermediate_size;
    case WIDTH_M:
        return hidden * network->spatial_merge_size *
               network->spatial_merge_size;
    case WIDTH_O:
        return network->out_hidden_size;
    case WIDTH_P:
        return oriel_network_patch_columns(network);
    default:
        return 1;
    }
}

oriel_tensor_shape
oriel_tensor_get_shape(const oriel_network *network, oriel_tensor tensor)
{
    oriel_tensor_shape shape = {measure(network, manifest[tensor].rows),
                                measure(network, manifest[tensor].columns)};

    return shape;
}

int32_t
oriel_manifest_count(int32_t depth)
{
    return ORIEL_N_TENSORS - PER_BLOCK + depth * PER_BLOCK;
}

void
oriel_manifest_at(int32_t depth, int32_t position, oriel_tensor *tensor,
                  int32_t *block)
{
    int32_t within = position - FIRST_IN_BLOCK;

    *block = 0;
    if (within < 0) {
        *tensor = (oriel_tensor)position;
    } else if (within < depth * PER_BLOCK) {
        *block = within / PER_BLOCK;
        *tensor = (oriel_tensor)(FIRST_IN_BLOCK + within % PER_BLOCK);
    } else {
        *tensor = (oriel_tensor)(FIRST_AFTER + within - depth * PER_BLOCK);
    }
}

int32_t
oriel_manifest_position(int32_t depth, oriel_tensor tensor, int32_t block)
{
    if (manifest[tensor].in_block)
        return block * PER_BLOCK + (int32_t)tensor;
    if ((int)tensor < FIRST_IN_BLOCK)
        return (int32_t)tensor;
    return (depth - 1) * PER_BLOCK + (int32_t)tensor;
}

void
oriel_tensor_full_name(char *out, size_t out_bytes, const char *prefix,
                       oriel_tensor tensor, int32_t block)
{
    if (manifest[tensor].in_block)
        snprintf(out, out_bytes, "%sblocks.%d.%s", prefix, block,
                 manifest[tensor].name);
    else
        snprintf(out, out_bytes, "%s%s", prefix, manifest[tensor].name);
}
