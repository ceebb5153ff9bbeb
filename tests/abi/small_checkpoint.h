/* SPDX-License-Identifier: Apache-2.0 */
/*
 * small_checkpoint.h - a tiny checkpoint made with nothing of the library's inside
 *
 * Two blocks, the second with full attention; hidden 32, 2 heads, patch 4,
 * windows of 4 x 4 tokens, embeddings of 24: a token is 8 x 8 pixels.
 */
#ifndef TESTS_ABI_SMALL_CHECKPOINT_H
#define TESTS_ABI_SMALL_CHECKPOINT_H

#include "oriel.h"

enum { CHECKPOINT_DEPTH = 2, CHECKPOINT_HIDDEN = 32, CHECKPOINT_OUT = 24 };

extern const char checkpoint_config[];

/* A safetensors file of F32, or of the dtype named: its bytes stay floats.
   To be given to free(). */
unsigned char *checkpoint_weights(const char *dtype, size_t *bytes);

/* Both into files of a new folder under TMPDIR; checkpoint_remove frees. */
char *checkpoint_folder(void);
void checkpoint_remove(char *folder);
/* "FOLDER/NAME", to be given to free(). */
char *checkpoint_path(const char *folder, const char *name);

/* Open it from memory that lives as long as the process; fails the test if it
   cannot be opened. */
oriel_model *checkpoint_open(const oriel_hooks *hooks);

#endif /* TESTS_ABI_SMALL_CHECKPOINT_H */
