/* SPDX-License-Identifier: Apache-2.0 */
/* shard_index.h - model.safetensors.index.json */
#ifndef ORIEL_MODEL_SHARD_INDEX_H
#define ORIEL_MODEL_SHARD_INDEX_H

#include "model/json.h"

typedef struct oriel_shard_index {
    char *folder; /* of the shards */
    char *path;   /* of the index itself */
    json_t *root;
    const json_t *weight_map; /* of that: tensor to file name */
} oriel_shard_index;

/* ORIEL_ERR_NOT_FOUND, _IO, _MODEL, _UNSUPPORTED, _MEMORY */
oriel_status oriel_shard_index_open(oriel_shard_index **out, const char *folder,
                                    const char *path, const oriel_hooks *hooks,
                                    oriel_error *err);

/*
 * The name of a shard as the index has it, with "." and ".." resolved; ours to
 * free.  One that leads out of the folder is ORIEL_ERR_MODEL; 'tensor' is for
 * the message.
 */
oriel_status oriel_shard_index_name(char **out, const oriel_shard_index *index,
                                    const char *tensor, const json_t *value,
                                    const oriel_hooks *hooks, oriel_error *err);

void oriel_shard_index_close(oriel_shard_index *index,
                             const oriel_hooks *hooks); /* NULL is fine */

#endif /* ORIEL_MODEL_SHARD_INDEX_H */
