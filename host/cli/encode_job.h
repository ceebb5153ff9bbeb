/* SPDX-License-Identifier: Apache-2.0 */
/* encode_job.h - one run of oriel encode */
#ifndef ORIEL_CLI_ENCODE_JOB_H
#define ORIEL_CLI_ENCODE_JOB_H

#include "cli/engine.h"
#include "cli/inputs.h"
#include "cli/packed.h"
#include "cli/pixel_file.h"
#include "cli/settings.h"

typedef struct cli_encode_job {
    const cli_options *options;
    cli_settings settings;
    cli_inputs inputs;
    cli_pixel_file pixels; /* open if the one input is such a file */
    cli_engine engine;
    cli_packed packed;
    int64_t batch_patches;
    size_t done;
} cli_encode_job;

/* Encode all of job->inputs, or job->pixels.  CLI_DONE, or reports. */
int cli_encode_images(cli_encode_job *job);
int cli_encode_pixels(cli_encode_job *job);

#endif /* ORIEL_CLI_ENCODE_JOB_H */
