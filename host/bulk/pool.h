/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.h - entries to decoded items, in order, ahead of who encodes them
 *
 * One thread takes entries from the source; a team of others reads, measures
 * and decodes them.  What is decoded is bounded by bytes, of pictures and of
 * what decoders take; an item is admitted in the order of the inputs, so that
 * the next one in turn is never kept out by later ones.  An item that is larger
 * than the bound is alone.
 */
#ifndef ORIEL_BULK_POOL_H
#define ORIEL_BULK_POOL_H

#include "bulk/item.h"
#include "bulk/source.h"

typedef struct bulk_pool bulk_pool;

typedef struct bulk_pool_options {
    bulk_source *source; /* the pool's own until it is stopped */
    const cli_settings *settings;
    int32_t threads;
    size_t bytes;           /* of decoded pictures, for two windows */
    int64_t window_patches; /* 0: no limit */
    bool measures_only;     /* nothing is decoded */
} bulk_pool_options;

/* Some items that follow each other, to be sorted and packed. */
typedef struct bulk_window {
    bulk_item **items;
    size_t n;
    oriel_error err;          /* not ORIEL_OK: nothing more can be had */
    const char *failed_input; /* that err is about, of items; or NULL */
} bulk_window;

/* Seconds that each stage was busy, over its threads. */
typedef struct bulk_pool_times {
    double list, read, decode;
    double cpu; /* of the processor, in read and decode */
} bulk_pool_times;

oriel_status bulk_pool_start(bulk_pool **out, const bulk_pool_options *options,
                             oriel_error *err);

/* How long a window is waited for. */
typedef enum bulk_patience {
    BULK_UNTIL_THERE,
    BULK_A_WHILE /* a tenth of a second in which nothing comes */
} bulk_patience;

/* The next window; NULL at the end, or where patience is over:
   bulk_pool_is_over tells.  The caller frees it.  Threads: one.  ORIEL_ERR_MEMORY */
oriel_status bulk_pool_next(bulk_pool *pool, bulk_patience patience,
                            bulk_window **out, oriel_error *err);
bool bulk_pool_is_over(const bulk_pool *pool);

/* An item's pictures are of no more use: free them, and let others in. */
void bulk_pool_release(bulk_pool *pool, bulk_item *item);

bulk_pool_times bulk_pool_get_times(bulk_pool *pool);

/* Entries that the source gave so far, and whether it has ended. */
int64_t bulk_pool_listed(bulk_pool *pool, bool *ended);

void bulk_window_free(bulk_window *window); /* with its items; NULL is fine */

void bulk_pool_stop(bulk_pool *pool); /* NULL is fine */

#endif /* ORIEL_BULK_POOL_H */
