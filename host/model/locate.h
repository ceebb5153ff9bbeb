/* SPDX-License-Identifier: Apache-2.0 */
/*
 * locate.h - from the path that a caller names to the files of a model
 *
 * Besides a folder and a .safetensors file that may be: the index or the
 * config.json in a folder; a folder of a Hugging Face cache, whose snapshot is
 * followed; a diffusers pipeline, whose text_encoder is.  What is something
 * else is refused by one line that says what it is and what to give instead.
 */
#ifndef ORIEL_MODEL_LOCATE_H
#define ORIEL_MODEL_LOCATE_H

#include "model/checkpoint.h"

#define ORIEL_SINGLE_FILE "model.safetensors"
#define ORIEL_INDEX_FILE_NAME "model.safetensors.index.json"
#define ORIEL_CONFIG_FILE_NAME "config.json"

/* Paths, all ours to free. */
typedef struct oriel_location {
    char *folder;    /* of the weights */
    char *file;      /* the one file of weights that was named, or NULL */
    char *index;     /* the index that was named, or NULL */
    char *config;    /* config.json; NULL: none there, go by shapes */
    char *processor; /* the folder of the processor's configuration */
} oriel_location;

/* 'config_path' NULL: beside the weights, unless there is a 'preset'.  The
   caller frees 'out' also when this fails. */
oriel_status oriel_locate(oriel_location *out, const char *path,
                          const char *config_path, bool preset,
                          const oriel_hooks *hooks, oriel_error *err);

void oriel_location_free(oriel_location *location, const oriel_hooks *hooks);

/* "FOLDER/NAME"; NULL when memory is out. */
char *oriel_path_join(const oriel_hooks *hooks, const char *folder,
                      const char *name);

/* Whether anything has this name. */
oriel_status oriel_path_exists(const char *path, bool *exists,
                               oriel_error *err);

/* Whether a file is JSON and no safetensors file, by its first bytes. */
oriel_status oriel_path_is_json(const char *path, bool *answer,
                                const oriel_hooks *hooks, oriel_error *err);

/* The text of a small file.  ORIEL_ERR_UNSUPPORTED: a Git LFS pointer, ... */
oriel_status oriel_text_load(const char *path, size_t limit,
                             const oriel_hooks *hooks, char **text,
                             size_t *bytes, oriel_error *err);

#endif /* ORIEL_MODEL_LOCATE_H */
