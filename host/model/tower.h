/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tower.h - a vision tower alone in one file, its configuration in it
 *
 * "oriel pack" writes such a file: the tensors of the tower under "visual.",
 * and in __metadata__ the format, its version, and the texts of three files of
 * a checkpoint, with every field that is read from them.  So it opens without
 * any file beside it, and no default is ever taken.
 */
#ifndef ORIEL_MODEL_TOWER_H
#define ORIEL_MODEL_TOWER_H

#include "model/safetensors.h"

#include <stdbool.h>

#define ORIEL_TOWER_FORMAT "oriel.tower"
#define ORIEL_TOWER_FORMAT_VERSION "1"
#define ORIEL_TOWER_PREFIX "visual."

/* The texts, by the names of the files that they stand for. */
typedef enum oriel_tower_entry {
    ORIEL_TOWER_CONFIG,
    ORIEL_TOWER_PREPROCESSOR,
    ORIEL_TOWER_VIDEO_PREPROCESSOR
} oriel_tower_entry;

/* The key of an entry in __metadata__; static. */
const char *oriel_tower_key(oriel_tower_entry entry);

/* Whether the file says that it is one. */
bool oriel_tower_is(const oriel_safetensors *file);

typedef struct oriel_tower_text {
    const char *text; /* the file's */
    char *name;       /* for messages; ours to free */
} oriel_tower_text;

/*
 * An entry, whose fields are all there; of which kind they are is checked by
 * whoever parses them.  ORIEL_ERR_MODEL: another version, no such entry, no
 * JSON, or a field is absent; the message names file, field and what was
 * expected.  The caller frees the name also when this fails.
 */
oriel_status oriel_tower_find(oriel_tower_text *out,
                              const oriel_safetensors *file,
                              oriel_tower_entry entry, const oriel_hooks *hooks,
                              oriel_error *err);

#endif /* ORIEL_MODEL_TOWER_H */
