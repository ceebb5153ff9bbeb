/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.h - the vision part of config.json
 *
 * Every layout in use: vision_config at the top (old and new files alike), in
 * thinker_config (Omni) or vlm_config (retrieval wrappers), or the whole file
 * (a tower saved alone).  Re-saved files drop fields that equal the reference's
 * class defaults, so absent fields take them; widths that tensor shapes tell
 * are left 0 instead.
 */
#ifndef ORIEL_MODEL_CONFIG_H
#define ORIEL_MODEL_CONFIG_H

#include "base/memory.h"
#include "oriel.h"

#include <stdbool.h>
#include <stdint.h>

#define ORIEL_CONFIG_MAX_BYTES (4u << 20)
/* Far beyond any sane model; products of two or three stay within 63 bits. */
#define ORIEL_CONFIG_MAX_DEPTH 1024
#define ORIEL_CONFIG_MAX_WIDTH (1 << 18)

typedef struct oriel_config {
    int32_t depth; /* absent: 32, and depth_given is false */
    bool depth_given;
    int32_t hidden_size;       /* 0: absent; the class default is wrong */
    int32_t intermediate_size; /* 0: absent */
    int32_t out_hidden_size;   /* 0: absent */
    int32_t num_heads, in_channels, patch_size, temporal_patch_size;
    int32_t spatial_merge_size, window_size;
    /* Ascending, each once, all below depth; ours to free. */
    int32_t *full_attention_blocks;
    int32_t n_full_attention_blocks;
    double rope_theta;
} oriel_config;

/*
 * 'file' is the name for messages; the text is what Python's json reads.
 * Numbers outside their range and the like are ORIEL_ERR_MODEL; another
 * architecture, activation or rope is ORIEL_ERR_UNSUPPORTED.  window_size is
 * rounded down to whole tokens, as the reference uses it.
 */
oriel_status oriel_config_parse(oriel_config *out, const char *text,
                                size_t bytes, const char *file,
                                const oriel_hooks *hooks, oriel_error *err);

/*
 * The configuration of a published size without a file: "qwen2.5-vl-7b" and
 * the like, or NULL for what they have in common, when shapes tell the rest.  'known' is
 * false for another name.  ORIEL_ERR_MEMORY
 */
oriel_status oriel_config_published(oriel_config *out, const char *name,
                                    bool *known, const oriel_hooks *hooks,
                                    oriel_error *err);

void oriel_config_free(oriel_config *config, const oriel_hooks *hooks);

#endif /* ORIEL_MODEL_CONFIG_H */
