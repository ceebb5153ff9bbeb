/* SPDX-License-Identifier: Apache-2.0 */
/* probe_model.h - a tiny model in memory, to try a device with */
#ifndef ORIEL_MODEL_PROBE_MODEL_H
#define ORIEL_MODEL_PROBE_MODEL_H

#include "oriel.h"

typedef struct oriel_probe_model {
    oriel_model *model;
    void *weights; /* the file that the model reads */
} oriel_probe_model;

/* ORIEL_ERR_MEMORY, and those of oriel_model_open_memory. */
oriel_status oriel_probe_model_open(oriel_probe_model *out, oriel_error *err);
/* Its encoders are gone before it.  Zeroed is fine. */
void oriel_probe_model_close(oriel_probe_model *probe);

#endif /* ORIEL_MODEL_PROBE_MODEL_H */
