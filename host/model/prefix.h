/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prefix.h - what stands before "patch_embed.proj.weight"
 *
 * "visual." in official files, "model.visual.", "thinker.visual." and other
 * wrappers ending in "visual.", "vision_tower." in MLX conversions, nothing in
 * a tower saved alone.  The reference renames "visual." to "model.visual." when
 * it loads: the two are one tower, of which the names that need no renaming win.
 * Any other second tower is passed over for these two; two towers of other
 * names are an error, unless the caller says which.
 */
#ifndef ORIEL_MODEL_PREFIX_H
#define ORIEL_MODEL_PREFIX_H

#include "base/memory.h"
#include "oriel.h"

/* Zeroed to begin with, but for 'wanted'.  Points into the names shown to it. */
typedef struct oriel_prefix {
    const char *wanted; /* with its last '.'; NULL: the tower that is there */
    const char *best, *other; /* names of patch_embed.proj.weight */
    const char *lora;         /* the name of a factor of a LoRA adapter */
} oriel_prefix;

void oriel_prefix_consider(oriel_prefix *prefix, const char *name);

/* Copy the prefix that was chosen; 'where' is the checkpoint's name. */
oriel_status oriel_prefix_settle(char **out, const oriel_prefix *prefix,
                                 const char *where, const oriel_hooks *hooks,
                                 oriel_error *err);

/* A prefix as a caller may write it, with or without its last '.'. */
char *oriel_prefix_copy(const char *prefix, const oriel_hooks *hooks);

/* The other name of the same tower in order of precedence: "model.visual.",
   then "visual."; NULL and NULL for all other prefixes. */
typedef struct oriel_prefix_pair {
    const char *first, *second;
} oriel_prefix_pair;
oriel_prefix_pair oriel_prefix_names(const char *prefix);

/* What of 'name' follows 'prefix', or NULL. */
const char *oriel_prefix_strip(const char *prefix, const char *name);

#endif /* ORIEL_MODEL_PREFIX_H */
