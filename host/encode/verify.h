/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify.h - what a backend's module does for oriel_device_verify
 *
 * The module holds its own instructions and kernels against what they should give;
 * the network, against another backend, is verify.c's.
 */
#ifndef ORIEL_ENCODE_VERIFY_H
#define ORIEL_ENCODE_VERIFY_H

#include "oriel_verify.h"

#include "plan/plan.h"

/* Where checks go as they end, and what is asked before each of them. */
typedef struct oriel_verify_sink {
    int32_t only; /* bits of ORIEL_CHECK_* that are wanted */
    const oriel_hooks *hooks;
    void (*put)(void *context, const oriel_check *check);
    void *context;
} oriel_verify_sink;

typedef struct oriel_verify_job {
    int32_t device_index;
    const oriel_plan *plan; /* of some pictures: what a device makes of one */
    const oriel_verify_sink *sink;
    char *card; /* what the driver tells of the device */
    size_t card_bytes;
} oriel_verify_job;

/* The second symbol of a module, oriel_verify_entry: run every check that is
   wanted.  A check that fails is no error.  ORIEL_ERR_UNSUPPORTED (of another
   version), _MEMORY, _CANCELLED, _DEVICE */
typedef oriel_status oriel_verify_entry_fn(const char *version,
                                           const oriel_verify_job *job,
                                           oriel_error *err);

#endif /* ORIEL_ENCODE_VERIFY_H */
