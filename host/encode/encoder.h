/* SPDX-License-Identifier: Apache-2.0 */
/* encoder.h - making an encoder on a given backend */
#ifndef ORIEL_ENCODE_ENCODER_H
#define ORIEL_ENCODE_ENCODER_H

#include "encode/backend.h"
#include "model/model.h"

/*
 * What oriel_encoder_create does once the device is chosen.  Tests come in here
 * with backends of their own.  'config' has everything but its hooks; 'hooks'
 * is never NULL and copied.
 */
oriel_status oriel_encoder_create_on(
    oriel_encoder **out, const oriel_model *model, const oriel_backend *backend,
    int32_t device, const oriel_backend_config *config,
    const oriel_hooks *hooks, size_t workspace_bytes, oriel_error *err);

#endif /* ORIEL_ENCODE_ENCODER_H */
