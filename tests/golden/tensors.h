/* SPDX-License-Identifier: Apache-2.0 */
/* tensors.h - synthetic tensors as numbers, before any file */
#ifndef TESTS_GOLDEN_TENSORS_H
#define TESTS_GOLDEN_TENSORS_H

#include "base/manifest.h"
#include "base/network.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * One tensor, [rows, columns], as the maker of checkpoints makes it (weights/).
 * Without 'outliers' every channel of the residual stream is a calm one.
 */
void golden_tensor(const oriel_network *network, uint64_t seed,
                   oriel_tensor tensor, int32_t block, bool outliers,
                   double *out);

#endif /* TESTS_GOLDEN_TENSORS_H */
