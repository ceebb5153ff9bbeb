/* SPDX-License-Identifier: Apache-2.0 */
/* tiny_folder.h - the tiny network of `oriel synth` in the scratch folder */
#ifndef TESTS_FUZZ_TINY_FOLDER_H
#define TESTS_FUZZ_TINY_FOLDER_H

#include "oriel.h"

/* Made by the first call; the path stays. */
const char *fuzz_tiny_folder(void);
/* Opened once for the process. */
const oriel_model *fuzz_tiny_model(void);

#endif /* TESTS_FUZZ_TINY_FOLDER_H */
