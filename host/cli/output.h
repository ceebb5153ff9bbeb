/* SPDX-License-Identifier: Apache-2.0 */
/* output.h - what is asked of the name of a file to be written */
#ifndef ORIEL_CLI_OUTPUT_H
#define ORIEL_CLI_OUTPUT_H

#include "oriel.h"

#include <stdbool.h>

/*
 * Refuse a name that promises another format than 'ending' ("safetensors"),
 * such as x.npy, and standard output; 'flag' ("-o") is what gave it.  CLI_DONE, or reports and
 * returns CLI_USAGE.
 */
int cli_output_check_name(const char *flag, const char *path,
                          const char *ending);

/* With --force a slip of the hand must not cost a photograph or a model:
   refuses an output that is this input.  CLI_DONE, or as above. */
int cli_output_check_not(const char *path, const char *input);

/* Why 'path' could not be written: reports and returns the exit status. */
int cli_output_report(const oriel_error *err, const char *path);

#endif /* ORIEL_CLI_OUTPUT_H */
