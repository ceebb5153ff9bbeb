/* SPDX-License-Identifier: Apache-2.0 */
/* module.h - backends that are loaded when first asked for */
#ifndef ORIEL_ENCODE_MODULE_H
#define ORIEL_ENCODE_MODULE_H

#include "encode/backend.h"

/*
 * The backend of a device, ORIEL_DEVICE_CPU or _CUDA, loaded from beside the
 * library once and kept for the life of the process.  Threads: any.
 * ORIEL_ERR_DEVICE (no such module), _UNSUPPORTED (of another version)
 */
oriel_status oriel_module_get(const oriel_backend **out, int32_t device,
                              oriel_error *err);

/* Another symbol of that module; NULL: it has none of this name. */
oriel_status oriel_module_find(void **out, int32_t device, const char *name,
                               oriel_error *err);

#endif /* ORIEL_ENCODE_MODULE_H */
