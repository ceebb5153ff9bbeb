/* SPDX-License-Identifier: Apache-2.0 */
/* shared.h - one set of weights for all encoders of a device and precision */
#ifndef ORIEL_ENCODE_SHARED_H
#define ORIEL_ENCODE_SHARED_H

#include "encode/backend.h"
#include "model/model.h"

typedef struct oriel_shared_weights oriel_shared_weights;

/*
 * The weights of 'model' for a backend, device and precision: loaded by the
 * first caller while later ones wait, and failed for all of them if that
 * fails; a later call tries anew.  Retains the model.  Threads: any.
 */
oriel_status oriel_shared_acquire(oriel_shared_weights **out,
                                  const oriel_model *model,
                                  const oriel_backend *backend,
                                  const oriel_backend_config *config,
                                  oriel_error *err);
const oriel_backend_weights *oriel_shared_get(
    const oriel_shared_weights *shared);
/* NULL is fine.  The last one frees the weights. */
void oriel_shared_release(oriel_shared_weights *shared);

#endif /* ORIEL_ENCODE_SHARED_H */
