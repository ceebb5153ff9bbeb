/* SPDX-License-Identifier: Apache-2.0 */
/* block.c - memory that rows of several items lie in */
#include "bulk/block.h"

#include <stdlib.h>

static void
free_block(bulk_block *block)
{
    free(block->memory);
    free(block);
}

bulk_block *
bulk_block_new(size_t bytes)
{
    bulk_block *block = calloc(1, sizeof(*block));

    if (!block)
        return NULL;
    block->memory = malloc(bytes);
    if (!block->memory) {
        free(block);
        return NULL;
    }
    block->bytes = bytes;
    block->give_back = free_block;
    atomic_init(&block->users, 1);
    return block;
}

void
bulk_block_share(bulk_block *block)
{
    atomic_fetch_add(&block->users, 1);
}

void
bulk_block_release(bulk_block *block)
{
    if (block && atomic_fetch_sub(&block->users, 1) == 1)
        block->give_back(block);
}
