/* SPDX-License-Identifier: Apache-2.0 */
/* plan_picture.h - a plan, drawn over its picture */
#ifndef ORIEL_CLI_PLAN_PICTURE_H
#define ORIEL_CLI_PLAN_PICTURE_H

#include "cli/settings.h"

/*
 * Draw the file 'name' as it is resized, with the grids of patches and tokens
 * and the windows in the order in which they are computed, into the PNG file
 * 'path'.  CLI_DONE, or reports and returns the exit status.
 */
int cli_plan_picture(const char *name, const cli_settings *settings,
                     const char *path, bool replace);

#endif /* ORIEL_CLI_PLAN_PICTURE_H */
