/* SPDX-License-Identifier: Apache-2.0 */
/* folder.h - what lies in a folder, and what that makes it */
#ifndef ORIEL_MODEL_FOLDER_H
#define ORIEL_MODEL_FOLDER_H

#include "base/memory.h"
#include "oriel.h"

#include <stdbool.h>

/* How many entries there are of the form PREFIX...SUFFIX, and the first of them
   in the order of their bytes, ours to free; NULL if there is none. */
typedef struct oriel_entries {
    char *first;
    size_t n;
} oriel_entries;
oriel_status oriel_folder_find(oriel_entries *out, const char *folder,
                               const char *prefix, const char *suffix,
                               const oriel_hooks *hooks, oriel_error *err);

/*
 * Fail with 'status' and "FOLDER: WHAT", followed by what the folder seems to
 * be and what to give instead: a LoRA adapter, PyTorch or GGUF files, weights
 * of another name.
 */
oriel_status oriel_folder_refuse(const char *folder, const char *what,
                                 oriel_status status, const oriel_hooks *hooks,
                                 oriel_error *err);

/* The snapshot in the folder of one model in a Hugging Face cache: the one that
   refs/main names, or the only one.  '*out' is ours to free. */
oriel_status oriel_folder_snapshot(char **out, const char *folder,
                                   const oriel_hooks *hooks, oriel_error *err);

#endif /* ORIEL_MODEL_FOLDER_H */
