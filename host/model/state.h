/* SPDX-License-Identifier: Apache-2.0 */
/* state.h - what an oriel_model is made of; for model.c and presets.c only */
#ifndef ORIEL_MODEL_STATE_H
#define ORIEL_MODEL_STATE_H

#include "model/checkpoint.h"
#include "model/model.h"

#include <stdatomic.h>

struct oriel_model {
    oriel_network network; /* its list of blocks: the checkpoint's, or static */
    int32_t weight_dtype, n_tensors;
    uint64_t weight_bytes;
    oriel_checkpoint *checkpoint; /* NULL: a preset; nothing below counts */
    int32_t process;
    oriel_hooks hooks;
    oriel_model_shared shared;
    pthread_mutex_t digest_lock;
    char digest[33]; /* empty before the first call */
    atomic_int references;
};

#endif /* ORIEL_MODEL_STATE_H */
