/* SPDX-License-Identifier: Apache-2.0 */
/* make_checkpoint CONFIG DEPTH SEED FOLDER - a synthetic checkpoint, for the
   scripts that compare its files with what the Python twin makes */
#include "weights/synth.h"

#include <stdio.h>
#include <stdlib.h>

int
main(int argc, char **argv)
{
    static oriel_synth_config config;
    oriel_synth_options options = {.threads = 2};
    oriel_error err;

    if (argc != 5) {
        fprintf(stderr, "usage: %s CONFIG DEPTH SEED FOLDER\n", argv[0]);
        return 2;
    }
    options.seed = strtoull(argv[3], NULL, 10);
    if (oriel_synth_config_init(&config, argv[1], atoi(argv[2]), &err) ||
        oriel_synth_write(argv[4], &config, &options, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    return 0;
}
