/* SPDX-License-Identifier: Apache-2.0 */
/*
 * synth.h - the maker of synthetic checkpoints in the official layout
 *
 * The official weights cannot be shipped with tests.  This makes others of the
 * same names, shapes and files from a seed: config.json,
 * preprocessor_config.json, sharded bf16 safetensors and their index.  Each
 * value depends only on seed, tensor name and place, so any part can be made
 * alone, by any number of threads, in C or by weights/synth.py: the same bytes.
 */
#ifndef ORIEL_WEIGHTS_SYNTH_H
#define ORIEL_WEIGHTS_SYNTH_H

#include "base/network.h"
#include "oriel.h"

#include <stdbool.h>

#define ORIEL_SYNTH_MAX_DEPTH 512

/* What config.json says of the language model, which has no weights here. */
typedef struct oriel_synth_text {
    int32_t intermediate_size, num_heads, num_layers, num_kv_heads, vocab_size;
} oriel_synth_text;

/* What to make: a shape with a name. */
typedef struct oriel_synth_config {
    char name[16];
    oriel_synth_text text;
    oriel_network network; /* full_attention_blocks points into this struct:
                              initialise again rather than copy */
    int32_t full_attention_blocks[ORIEL_SYNTH_MAX_DEPTH];
} oriel_synth_config;

/*
 * Fill in a shape: "3b", "7b", "32b", "72b" as published, or "tiny" (hidden
 * size 32, four blocks).  'depth' 0 keeps the published number of blocks.
 * Full attention stays in every eighth block (tiny: in every second); a tower
 * with fewer has it in its last.
 * ORIEL_ERR_ARGUMENT: unknown name, impossible depth.
 */
oriel_status oriel_synth_config_init(oriel_synth_config *config,
                                     const char *name, int32_t depth,
                                     oriel_error *err);

/* The same with full attention in the blocks listed, ascending, 0-based. */
oriel_status oriel_synth_config_init_blocks(oriel_synth_config *config,
                                            const char *name, int32_t depth,
                                            const int32_t *full_blocks,
                                            int32_t n_full_blocks,
                                            oriel_error *err);

typedef struct oriel_synth_options {
    uint64_t seed;
    int32_t threads;      /* 0: every core we may run on */
    bool replace;         /* files that are there already */
    uint64_t shard_bytes; /* most tensor bytes in a shard, at least one tensor;
                             0: 512 MiB.  There are two shards at least. */
    const oriel_hooks *hooks; /* NULL: none; cancel is polled every 128 MiB */
    /* Called on the calling thread, bytes of tensors done so far; or NULL. */
    void (*progress)(void *user, uint64_t bytes, uint64_t total_bytes);
    void *progress_user;
} oriel_synth_options;

/* Bytes of all tensors. */
uint64_t oriel_synth_bytes(const oriel_synth_config *config);

/*
 * Write the checkpoint into 'folder', which is made when it does not exist
 * (its parent must).  Each file appears whole or not at all, config.json last:
 * a folder that has one is complete.
 * ORIEL_ERR_ARGUMENT (a file exists, cause EEXIST), _IO, _MEMORY, _CANCELLED
 */
oriel_status oriel_synth_write(const char *folder,
                               const oriel_synth_config *config,
                               const oriel_synth_options *options,
                               oriel_error *err);

#endif /* ORIEL_WEIGHTS_SYNTH_H */
