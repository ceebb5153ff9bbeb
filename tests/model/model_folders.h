/* SPDX-License-Identifier: Apache-2.0 */
/* model_folders.h - the tiny checkpoint, anywhere below a folder of a test's */
#ifndef TESTS_MODEL_MODEL_FOLDERS_H
#define TESTS_MODEL_MODEL_FOLDERS_H

#include "model/checkpoint_builder.h"

#include <stdbool.h>

/* "TOP/NAME" (as in_folder gives it) and all folders on the way to it. */
const char *make_folders(const char *top, const char *name);

/* The tiny checkpoint at TOP/NAME, with limits of its own if 'limits'. */
void put_model(const char *top, const char *name, int n_shards, bool limits);

/* TOP/tower.safetensors: a tower's own file, as `oriel pack` writes it, which holds
   the tiny network's configuration. */
void put_tower(const char *top, const checkpoint_builder *b);

#endif /* TESTS_MODEL_MODEL_FOLDERS_H */
