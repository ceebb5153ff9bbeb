/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/tiny_folder.h"

#include "fuzz/fuzz.h"
#include "fuzz/scratch.h"
#include "weights/synth.h"

#include <string.h>

const char *
fuzz_tiny_folder(void)
{
    static oriel_synth_config config;
    static char path[512];
    const oriel_synth_options options = {.seed = 1, .threads = 1};

    if (path[0])
        return path;
    strncpy(path, fuzz_path("tiny"), sizeof(path) - 1);
    FUZZ_CHECK(!oriel_synth_config_init(&config, "tiny", 0, NULL) &&
               !oriel_synth_write(path, &config, &options, NULL));
    return path;
}

const oriel_model *
fuzz_tiny_model(void)
{
    static oriel_model *model;

    if (!model)
        FUZZ_CHECK(!oriel_model_open(&model, fuzz_tiny_folder(), NULL, NULL));
    return model;
}
