/* SPDX-License-Identifier: Apache-2.0 */
/* item.h - one input on its way: read, decoded, encoded, written */
#ifndef ORIEL_BULK_ITEM_H
#define ORIEL_BULK_ITEM_H

#include "bulk/block.h"
#include "bulk/entry.h"
#include "cli/photo.h"

typedef struct bulk_item {
    bulk_entry *entry;
    cli_photo *frames; /* [n_frames] */
    size_t n_frames;
    oriel_item shape;
    int64_t grid[3], patches, tokens;
    size_t rgb_bytes;    /* of all frames */
    size_t decode_bytes; /* that decoding takes besides */
    size_t file_bytes;   /* that wait in memory */
    size_t held;         /* bytes that the pool counts for it */
    char hash[33];       /* of the files' bytes; "": they were not read */
    oriel_error err;     /* not ORIEL_OK: failed */
    char padded[CLI_PADDED_BYTES]; /* why a damaged picture was padded, or "" */

    /* Of the encoder. */
    int64_t flops;
    const void *rows;
    int64_t n_rows;
    bulk_block *block; /* that the rows lie in */
    bool encoded;
} bulk_item;

/* Takes the entry over, failed or not; NULL without memory, and the entry is
   freed. */
bulk_item *bulk_item_new(bulk_entry *entry);
void bulk_item_free(bulk_item *item); /* NULL is fine */

/* Read, hash and measure.  Threads: any. */
void bulk_item_measure(bulk_item *item, const cli_settings *settings);

/* Files to pixels.  Threads: any. */
void bulk_item_decode(bulk_item *item, const cli_settings *settings);

/* Let go of files and pixels. */
void bulk_item_let_go(bulk_item *item);

/* Whether the failure is the input's own, so that others can go on. */
bool bulk_item_is_at_fault(const bulk_item *item);

/* Its line of the manifest, without a place among the rows; NULL without
   memory. */
json_t *bulk_item_line(const bulk_item *item);

#endif /* ORIEL_BULK_ITEM_H */
