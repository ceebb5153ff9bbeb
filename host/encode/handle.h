/* SPDX-License-Identifier: Apache-2.0 */
/* handle.h - what an oriel_encoder is, and its way into a call and out again */
#ifndef ORIEL_ENCODE_HANDLE_H
#define ORIEL_ENCODE_HANDLE_H

#include "encode/backend.h"
#include "encode/shared.h"

#include <stdatomic.h>
#include <stdbool.h>

struct oriel_encoder {
    oriel_hooks hooks;
    const oriel_model *model;
    const oriel_backend *backend;
    oriel_backend_config config;
    int32_t device, process;
    oriel_shared_weights *weights;
    oriel_backend_context *context;
    void *workspace;
    _Atomic size_t workspace_bytes; /* as asked for; alignment comes on top */
    atomic_bool inside;             /* a call is */
    atomic_bool lost;               /* after ORIEL_ERR_FAULT */
};

/*
 * At the beginning of a call that is exclusive; every such call that began ends
 * with the other.  ORIEL_ERR_ARGUMENT (NULL, or inside another call), _FAULT
 */
oriel_status oriel_encoder_begin_call(oriel_encoder *encoder, oriel_error *err);
/* With the call's status; returns it. */
oriel_status oriel_encoder_end_call(oriel_encoder *encoder, oriel_status status,
                                    oriel_error *err);

/*
 * Scratch for a job of this plan: 'memory', or the encoder's own where that is
 * NULL.  Own scratch that is too small is enlarged where config.grow says so.
 * ORIEL_ERR_CAPACITY, and those of oriel_encoder_reserve
 */
oriel_status oriel_encoder_take_workspace(oriel_encoder *encoder,
                                          oriel_backend_job *job, void *memory,
                                          size_t bytes, oriel_error *err);

/* meter.c: at the beginning of a job, and at its end with success: the last word
   on progress, and the profile into the log. */
void oriel_encoder_start_meter(const oriel_encoder *encoder, oriel_meter *meter,
                               const oriel_backend_job *job);
void oriel_encoder_stop_meter(const oriel_encoder *encoder, oriel_meter *meter);

#endif /* ORIEL_ENCODE_HANDLE_H */
