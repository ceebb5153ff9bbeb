/* SPDX-License-Identifier: Apache-2.0 */
/* tensor_place.h - where in the network a stored tensor belongs */
#ifndef ORIEL_MODEL_TENSOR_PLACE_H
#define ORIEL_MODEL_TENSOR_PLACE_H

#include "base/manifest.h"

#include <stdbool.h>

typedef struct oriel_tensor_place {
    oriel_tensor tensor;
    int32_t block;
    int32_t part; /* 0, 1, 2: q, k, v apart; -1: whole */
} oriel_tensor_place;

/* 'rest' is a name without its prefix; false: no tensor of this network. */
bool oriel_tensor_place_parse(const char *rest, oriel_tensor_place *found);

#endif /* ORIEL_MODEL_TENSOR_PLACE_H */
