/* SPDX-License-Identifier: Apache-2.0 */
/* flag_choices.h - the lists of choices of flag_table.c; each ends with a NULL name */
#ifndef ORIEL_CLI_FLAG_CHOICES_H
#define ORIEL_CLI_FLAG_CHOICES_H

#include "cli/flags.h"

extern const cli_choice cli_precisions[], cli_kernels[], cli_residuals[],
    cli_attentions[], cli_graphs[], cli_dtypes[], cli_formats[],
    cli_resamples[], cli_sizings[], cli_alphas[], cli_truncations[],
    cli_pipelines[];

#endif /* ORIEL_CLI_FLAG_CHOICES_H */
