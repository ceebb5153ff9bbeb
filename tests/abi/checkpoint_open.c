/* SPDX-License-Identifier: Apache-2.0 */
#include "abi/small_checkpoint.h"

#include <check.h>
#include <string.h>

oriel_model *
checkpoint_open(const oriel_hooks *hooks)
{
    static unsigned char *weights;
    static size_t bytes;
    oriel_model_options options = ORIEL_MODEL_OPTIONS_INIT;
    oriel_model *model;
    oriel_error err;

    if (!weights)
        weights = checkpoint_weights("F32", &bytes);
    options.hooks = hooks;
    ck_assert_msg(!oriel_model_open_memory(&model, checkpoint_config,
                                           strlen(checkpoint_config), weights,
                                           bytes, &options, &err),
                  "%s", err.message);
    return model;
}
