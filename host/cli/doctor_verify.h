/* SPDX-License-Identifier: Apache-2.0 */
/* doctor_verify.h - oriel doctor --verify: each check of a GPU, as a table or JSON */
#ifndef ORIEL_CLI_DOCTOR_VERIFY_H
#define ORIEL_CLI_DOCTOR_VERIFY_H

#include "cli/flags.h"

#include <jansson.h>

/*
 * Verify the GPU that the options name.  For people each check is a line on standard
 * output as it ends; with --json all of it is 'document's "verify".  CLI_DONE where
 * all that could run passed, CLI_DEVICE where not, or what else was reported.
 */
int cli_doctor_verify(const cli_options *options, json_t *document);

/* How many blocks of each kernel a multiprocessor of GPU 'index' holds, as "occupancy"
   of 'device': a list of checks.  Nothing where it cannot be asked. */
void cli_doctor_occupancy(json_t *device, int32_t index);

/* Those of the list that are not what was planned, a line each. */
void cli_doctor_print_occupancy(const json_t *device);

#endif /* ORIEL_CLI_DOCTOR_VERIFY_H */
