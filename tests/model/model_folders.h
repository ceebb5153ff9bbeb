/* SPDX-License-Identifier: Apache-2.0 */
/* model_folders.h - the tiny checkpoint, anywhere below a folder of a test's */
#ifndef TESTS_MODEL_MODEL_FOLDERS_H
#define TESTS_MODEL_MODEL_FOLDERS_H

#include <stdbool.h>

/* "TOP/NAME" (as in_folder gives it) and all folders on the way to it. */
const char *make_folders(const char *top, const char *name);

/* The tiny checkpoint at TOP/NAME, with limits of its own if 'limits'. */
void put_model(const char *top, const char *name, int n_shards, bool limits);

#endif /* TESTS_MODEL_MODEL_FOLDERS_H */
