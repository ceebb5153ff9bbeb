/* SPDX-License-Identifier: Apache-2.0 */
/* probe_model.h - a tiny model of zeros in memory, to try a device with */
#ifndef ORIEL_CLI_PROBE_MODEL_H
#define ORIEL_CLI_PROBE_MODEL_H

#include "oriel.h"

typedef struct cli_probe_model {
    oriel_model *model;
    void *weights; /* the file that the model reads */
} cli_probe_model;

/* ORIEL_ERR_MEMORY, and those of oriel_model_open_memory. */
oriel_status cli_probe_model_open(cli_probe_model *out, oriel_error *err);
/* Its encoders are gone before it.  Zeroed is fine. */
void cli_probe_model_close(cli_probe_model *probe);

#endif /* ORIEL_CLI_PROBE_MODEL_H */
