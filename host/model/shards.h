/* SPDX-License-Identifier: Apache-2.0 */
/* shards.h - the files of a checkpoint that hold its vision tower */
#ifndef ORIEL_MODEL_SHARDS_H
#define ORIEL_MODEL_SHARDS_H

#include "model/checkpoint.h"
#include "model/locate.h"

/*
 * Each fills files, n_files and prefix; on failure the caller closes.  By an
 * index those shards are opened that it names for vision tensors, and it is
 * kept; what it says of names and places beyond that is not relied on.
 */
oriel_status oriel_shards_open(oriel_checkpoint *checkpoint,
                               const oriel_location *where, oriel_error *err);
oriel_status oriel_shards_open_memory(oriel_checkpoint *checkpoint,
                                      const void *weights, size_t bytes,
                                      oriel_error *err);

/*
 * Open the other shards that the index names, as far as they exist: a tensor
 * is missing that may lie there.  '*opened': there were some.
 */
oriel_status oriel_shards_open_rest(oriel_checkpoint *checkpoint, bool *opened,
                                    oriel_error *err);

/* Forget the index. */
void oriel_shards_close_index(oriel_checkpoint *checkpoint);

#endif /* ORIEL_MODEL_SHARDS_H */
