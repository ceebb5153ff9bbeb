/* SPDX-License-Identifier: Apache-2.0 */
/* shards.h - the files of a checkpoint that hold its vision tower */
#ifndef ORIEL_MODEL_SHARDS_H
#define ORIEL_MODEL_SHARDS_H

#include "model/checkpoint.h"

/* Each fills files, n_files and prefix; on failure the caller closes. */
oriel_status oriel_shards_open_folder(oriel_checkpoint *checkpoint,
                                      const char *folder, oriel_error *err);
oriel_status oriel_shards_open_file(oriel_checkpoint *checkpoint,
                                    const char *path, oriel_error *err);
oriel_status oriel_shards_open_memory(oriel_checkpoint *checkpoint,
                                      const void *weights, size_t bytes,
                                      oriel_error *err);

/* "FOLDER/NAME"; NULL when memory is out. */
char *oriel_path_join(const oriel_hooks *hooks, const char *folder,
                      const char *name);

#endif /* ORIEL_MODEL_SHARDS_H */
