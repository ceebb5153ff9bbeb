/* SPDX-License-Identifier: Apache-2.0 */
/* seen.h - one picture as the encoder sees it */
#ifndef ORIEL_CLI_SEEN_H
#define ORIEL_CLI_SEEN_H

#include "cli/photo.h"

typedef struct cli_seen {
    cli_photo photo;
    oriel_plan *plan;
    oriel_plan_info info;
    int32_t patch, token;  /* sides in pixels */
    int32_t window;        /* side in tokens */
    int32_t rows, columns; /* of tokens */
    int32_t width, height; /* resized, in pixels */
    unsigned char *rgb;    /* resized, [height, width, 3] */
} cli_seen;

/*
 * Decode a file, plan it, and resize it as the settings say.  CLI_DONE, or
 * reports and returns the exit status; free it in any case.
 */
int cli_seen_open(cli_seen *seen, const char *name,
                  const cli_settings *settings);

/* By which whole number it is enlarged to be looked at: small pictures are, as
   long as their longer side stays within 'longest' pixels. */
int32_t cli_seen_scale(const cli_seen *seen, int32_t longest);

void cli_seen_free(cli_seen *seen);

#endif /* ORIEL_CLI_SEEN_H */
