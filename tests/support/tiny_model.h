/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tiny_model.h - the tiny network as a checkpoint in memory, for tests that need
 * any model; fp32 weights from a seed
 */
#ifndef TESTS_SUPPORT_TINY_MODEL_H
#define TESTS_SUPPORT_TINY_MODEL_H

#include "oriel.h"
#include "support/networks.h"
#include "support/tiny_network.h"

typedef struct tiny_model {
    network_files files;
    oriel_model *model;
} tiny_model;

/* Fails the test when the model cannot be opened; 'hooks' may be NULL. */
tiny_model tiny_model_open(const oriel_hooks *hooks);
/* Leaves the model itself to the caller, who may have destroyed it. */
void tiny_model_free_bytes(tiny_model *tiny);
void tiny_model_close(tiny_model *tiny);

#endif /* TESTS_SUPPORT_TINY_MODEL_H */
