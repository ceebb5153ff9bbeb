/* SPDX-License-Identifier: Apache-2.0 */
/* block.h - memory that rows of several items lie in, until the last is written */
#ifndef ORIEL_BULK_BLOCK_H
#define ORIEL_BULK_BLOCK_H

#include <stdatomic.h>
#include <stddef.h>

typedef struct bulk_block bulk_block;
struct bulk_block {
    void *memory;
    size_t bytes;
    atomic_size_t users;
    void (*give_back)(bulk_block *block); /* after the last one's release */
};

/* Of malloc, with one user; NULL without memory. */
bulk_block *bulk_block_new(size_t bytes);

/* Threads: any. */
void bulk_block_share(bulk_block *block);
void bulk_block_release(bulk_block *block); /* NULL is fine */

#endif /* ORIEL_BULK_BLOCK_H */
