/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_model.h - planning without model/: any network at all
 *
 * These tests link plan/ and base/ only.  A model is a pointer to a network
 * here.
 */
#ifndef TESTS_SUPPORT_FAKE_MODEL_H
#define TESTS_SUPPORT_FAKE_MODEL_H

#include "base/network.h"
#include "oriel.h"

extern const oriel_network network_7b, network_72b;

static inline const oriel_model *
model_of(const oriel_network *network)
{
    return (const oriel_model *)network;
}

#endif /* TESTS_SUPPORT_FAKE_MODEL_H */
