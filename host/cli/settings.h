/* SPDX-License-Identifier: Apache-2.0 */
/* settings.h - from flags to the library's options */
#ifndef ORIEL_CLI_SETTINGS_H
#define ORIEL_CLI_SETTINGS_H

#include "cli/flags.h"
#include "oriel.h"
#include "oriel_image.h"

#include <jansson.h>

/* How pictures become patches: what preprocess and encode must agree on. */
typedef struct cli_settings {
    const oriel_model *model; /* gives geometry and limits */
    oriel_model *opened;      /* the same if it is ours to destroy, or NULL */
    oriel_plan_options plan;
    oriel_image_options image;
    bool apply_exif;
} cli_settings;

/*
 * Open the model that --model, --config and --prefix name, with notes on what
 * is passed over in it: a folder or file, "org/name" in the Hugging Face cache,
 * or (unless 'needs_weights') a published size, default 7b.  Then check that the limits
 * given by flags agree with it.  CLI_DONE, or reports and returns the exit
 * status.
 */
int cli_settings_open(cli_settings *settings, const cli_options *options,
                      bool needs_weights);

/* How --config and --prefix say to open a model; without notes. */
oriel_model_options cli_settings_model_options(const cli_options *options);

/* For the metadata of outputs; NULL when memory is out. */
json_t *cli_settings_describe(const cli_settings *settings);

void cli_settings_close(cli_settings *settings);

/* The name of a choice's value: "torchvision" of --resample. */
const char *cli_choice_name(const char *flag, int32_t value);

/* Hooks that let signals stop the library and show its progress. */
extern const oriel_hooks cli_hooks;
extern const oriel_hooks cli_model_hooks;  /* and notes on the checkpoint */
extern const oriel_hooks cli_output_hooks; /* of what writes files */

#endif /* ORIEL_CLI_SETTINGS_H */
