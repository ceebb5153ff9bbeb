/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prefix.h - what stands before "patch_embed.proj.weight"
 *
 * "visual." in official files, "model.visual.", "thinker.visual." and other
 * wrappers ending in "visual.", "vision_tower." in MLX conversions, nothing in
 * a tower saved alone.  Two towers in one checkpoint are an error.
 */
#ifndef ORIEL_MODEL_PREFIX_H
#define ORIEL_MODEL_PREFIX_H

#include "base/memory.h"
#include "oriel.h"

/* Zeroed to begin with.  Points into the names it was shown. */
typedef struct oriel_prefix {
    const char *first, *second; /* names of patch_embed.proj.weight */
} oriel_prefix;

void oriel_prefix_consider(oriel_prefix *prefix, const char *name);

/* Copy the one prefix that was seen; 'where' is the checkpoint's name. */
oriel_status oriel_prefix_settle(char **out, const oriel_prefix *prefix,
                                 const char *where, const oriel_hooks *hooks,
                                 oriel_error *err);

/* What of 'name' stands behind 'prefix', or NULL. */
const char *oriel_prefix_strip(const char *prefix, const char *name);

#endif /* ORIEL_MODEL_PREFIX_H */
