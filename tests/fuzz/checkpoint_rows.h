/* SPDX-License-Identifier: Apache-2.0 */
/* checkpoint_rows.h - every row of a checkpoint that was opened */
#ifndef TESTS_FUZZ_CHECKPOINT_ROWS_H
#define TESTS_FUZZ_CHECKPOINT_ROWS_H

#include "model/checkpoint.h"

/* All can be read; no tensor has more values than the input has bytes. */
void fuzz_read_checkpoint(const oriel_checkpoint *checkpoint, size_t bytes);

#endif /* TESTS_FUZZ_CHECKPOINT_ROWS_H */
