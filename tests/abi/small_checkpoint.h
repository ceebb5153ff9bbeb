/* SPDX-License-Identifier: Apache-2.0 */
/*
 * small_checkpoint.h - a tiny checkpoint made with nothing of the library's inside
 *
 * The network is the tiny one of support/tiny_network.h.
 */
#ifndef TESTS_ABI_SMALL_CHECKPOINT_H
#define TESTS_ABI_SMALL_CHECKPOINT_H

#include "oriel.h"
#include "support/tiny_network.h"

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
