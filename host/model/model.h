/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.h - an opened checkpoint, inside the library
 */
#ifndef ORIEL_MODEL_MODEL_H
#define ORIEL_MODEL_MODEL_H

#include "base/network.h"
#include "model/reader.h"
#include "oriel.h"

#include <pthread.h>

/* 0 for presets. */
int32_t oriel_model_has_weights(const oriel_model *model);

/* Refuses one that was made before fork(): ORIEL_ERR_ARGUMENT.  Not a preset. */
oriel_status oriel_model_check_process(const oriel_model *model,
                                       oriel_error *err);

oriel_weight_reader oriel_model_reader(const oriel_model *model);

const oriel_hooks *oriel_model_hooks(const oriel_model *model);

/*
 * An encoder keeps its model alive: each retain is undone by one
 * oriel_model_release; oriel_model_destroy releases the caller's own.  No-ops
 * on presets.
 */
void oriel_model_retain(const oriel_model *model);
void oriel_model_release(const oriel_model *model);

/*
 * What encoders of this model share (encode/shared.c): a list head, guarded by
 * the lock, empty when the last encoder is gone.  NULL for presets.
 */
typedef struct oriel_model_shared {
    pthread_mutex_t lock;
    void *first;
} oriel_model_shared;
oriel_model_shared *oriel_model_get_shared(const oriel_model *model);

#endif /* ORIEL_MODEL_MODEL_H */
