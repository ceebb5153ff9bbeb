/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint.h - configuration, files and tensors of one model, checked
 *
 * What is settled here once, so that no caller sees it: the layout of the
 * configuration, shards, the prefix of names, q/k/v stored apart, a
 * channels-last convolution.  Configuration and shapes must agree.
 */
#ifndef ORIEL_MODEL_CHECKPOINT_H
#define ORIEL_MODEL_CHECKPOINT_H

#include "base/manifest.h"
#include "base/network.h"
#include "model/notes.h"
#include "model/safetensors.h"

#include <stdbool.h>

/* Where one tensor of the manifest lies. */
typedef struct oriel_binding {
    const oriel_stored_tensor *parts[3]; /* rows one after the other */
    int32_t n_parts;                     /* 3: q, k, v apart; else 1 */
    int32_t channels_last;               /* [H, T, P, P, C]: patch_embed only */
} oriel_binding;

typedef struct oriel_checkpoint {
    oriel_hooks hooks;
    char *name;            /* the path as given, for messages */
    oriel_network network; /* its list of blocks: ours */
    int32_t *full_attention_blocks;
    oriel_safetensors **files; /* as far as opened */
    size_t n_files;
    struct oriel_shard_index *index; /* NULL: one file, or all is bound */
    char *wanted_prefix;             /* NULL: the tower that is there */
    char *prefix;                    /* "visual." */
    const char *other_tower; /* a tensor of one that is not used, or NULL */
    bool incomplete;         /* while binding: a tensor is missing */
    oriel_notes notes;
    oriel_binding *bindings; /* by oriel_manifest_position */
    int32_t n_stored_blocks; /* may be more than are used */
    int32_t n_tensors;       /* as stored: q, k, v apart count 3 */
    int32_t weight_dtype;    /* ORIEL_DTYPE_*; mixed: F32 */
    uint64_t weight_bytes;   /* as stored */
} oriel_checkpoint;

/* NULL for what is to be found; config_path and config_preset exclude each
   other. */
typedef struct oriel_checkpoint_options {
    const char *config_path, *config_preset, *prefix;
} oriel_checkpoint_options;

/*
 * 'path' is a folder or a .safetensors file, or what stands for one (locate.h).
 * In a folder, model.safetensors is taken, else the shards that
 * model.safetensors.index.json names for vision tensors; other shards need not
 * exist.  Without config_path and config_preset, config.json is read in the
 * folder or beside the file; a file without one goes by the shapes of its
 * tensors, if they are those of a published size.  The processor's
 * configuration is looked for beside config.json (preprocessor.h).  A named
 * file that holds both (tower.h) is taken at its own word.
 */
oriel_status oriel_checkpoint_open(oriel_checkpoint **out, const char *path,
                                   const oriel_checkpoint_options *options,
                                   const oriel_hooks *hooks, oriel_error *err);

oriel_status oriel_checkpoint_open_memory(
    oriel_checkpoint **out, const char *config_json, size_t config_bytes,
    const void *weights, size_t weights_bytes, const char *prefix,
    const oriel_hooks *hooks, oriel_error *err);

/* The vision tensor of this place; always there. */
const oriel_binding *oriel_checkpoint_find(const oriel_checkpoint *checkpoint,
                                           oriel_tensor tensor, int32_t block);

/* Bytes read from the weight files so far, headers included. */
uint64_t oriel_checkpoint_bytes_read(const oriel_checkpoint *checkpoint);

void oriel_checkpoint_close(oriel_checkpoint *checkpoint); /* NULL is fine */

#endif /* ORIEL_MODEL_CHECKPOINT_H */
