/* SPDX-License-Identifier: Apache-2.0 */
/* describe.h - the JSON files of a checkpoint */
#ifndef ORIEL_WEIGHTS_DESCRIBE_H
#define ORIEL_WEIGHTS_DESCRIBE_H

#include "weights/layout.h"

/*
 * Each writes one file whole into 'folder', in Python's manner: two spaces of
 * indent, a newline at the end.  ORIEL_ERR_ARGUMENT, _IO, _MEMORY
 */
oriel_status oriel_describe_index(const char *folder,
                                  const oriel_layout *layout, bool replace,
                                  oriel_error *err);
oriel_status oriel_describe_preprocessor(const char *folder,
                                         const oriel_synth_config *config,
                                         bool replace, const oriel_hooks *hooks,
                                         oriel_error *err);
oriel_status oriel_describe_config(const char *folder,
                                   const oriel_synth_config *config,
                                   bool replace, const oriel_hooks *hooks,
                                   oriel_error *err);

/* "FOLDER/NAME" through the hooks' memory; NULL when it is out. */
char *oriel_describe_path(const char *folder, const char *name,
                          const oriel_hooks *hooks);

#define ORIEL_INDEX_FILE "model.safetensors.index.json"
#define ORIEL_CONFIG_FILE "config.json"
#define ORIEL_PREPROCESSOR_FILE "preprocessor_config.json"

#endif /* ORIEL_WEIGHTS_DESCRIBE_H */
