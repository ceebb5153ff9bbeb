/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extract_rows.c - memory that GPUs write batches' rows into
 *
 * It is pinned, which takes long, so a block is used again once the rows of its
 * last user are written.
 */
#include "base/fail.h"
#include "cli/cuda_driver.h"
#include "cli/extract_job.h"

#include <pthread.h>
#include <stdlib.h>

typedef struct pinned {
    bulk_block block; /* the first member: give_back gets its address */
    cli_extract_rows *rows;
    struct pinned *after;
} pinned;

struct cli_extract_rows {
    int32_t device_index; /* in whose context it is pinned */
    size_t least;
    pthread_mutex_t lock;
    pinned *unused;
};

cli_extract_rows *
cli_extract_rows_new(int32_t device_index, size_t least)
{
    cli_extract_rows *rows = calloc(1, sizeof(*rows));

    if (!rows)
        return NULL;
    rows->device_index = device_index;
    rows->least = least;
    pthread_mutex_init(&rows->lock, NULL);
    return rows;
}

/* The writer's thread releases blocks, so they are put aside and not freed. */
static void
put_aside(bulk_block *block)
{
    pinned *given = (pinned *)(void *)block;
    cli_extract_rows *rows = given->rows;

    pthread_mutex_lock(&rows->lock);
    given->after = rows->unused;
    rows->unused = given;
    pthread_mutex_unlock(&rows->lock);
}

static void
free_pinned(pinned *block)
{
    cli_cuda_free_pinned(block->block.memory, block->rows->device_index);
    free(block);
}

/* An unused block of at least 'bytes'.  Else one that is too small is taken into
   '*replaced': blocks do not get more with each larger batch. */
static pinned *
take_unused(cli_extract_rows *rows, size_t bytes, pinned **replaced)
{
    pinned **at, *found;

    *replaced = NULL;
    pthread_mutex_lock(&rows->lock);
    for (at = &rows->unused; *at && (*at)->block.bytes < bytes;
         at = &(*at)->after)
        ;
    found = *at;
    if (found)
        *at = found->after;
    else if (rows->unused) {
        *replaced = rows->unused;
        rows->unused = (*replaced)->after;
    }
    pthread_mutex_unlock(&rows->lock);
    return found;
}

oriel_status
cli_extract_rows_take(cli_extract_rows *rows, size_t bytes, bulk_block **out,
                      oriel_error *err)
{
    pinned *replaced, *block = take_unused(rows, bytes, &replaced);

    *out = NULL;
    if (replaced)
        free_pinned(replaced);
    if (!block) {
        block = calloc(1, sizeof(*block));
        if (!block)
            return oriel_fail_memory(err, sizeof(*block), "rows");
        block->rows = rows;
        block->block.bytes = bytes > rows->least ? bytes : rows->least;
        block->block.give_back = put_aside;
        if (cli_cuda_alloc_pinned(&block->block.memory, block->block.bytes,
                                  rows->device_index, err)) {
            free(block);
            return err->status;
        }
    }
    atomic_store(&block->block.users, 1);
    *out = &block->block;
    return oriel_ok(err);
}

void
cli_extract_rows_free(cli_extract_rows *rows)
{
    if (!rows)
        return;
    while (rows->unused) {
        pinned *block = rows->unused;

        rows->unused = block->after;
        free_pinned(block);
    }
    pthread_mutex_destroy(&rows->lock);
    free(rows);
}
