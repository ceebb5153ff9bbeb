/* SPDX-License-Identifier: Apache-2.0 */
#include "support/tiny_model.h"

#include "support/random.h"

#include <check.h>
#include <stdbool.h>
#include <string.h>

static void
fill(void *user, oriel_tensor t, int32_t block, float *out, int64_t n)
{
    bool is_norm = t == ORIEL_TENSOR_NORM1 || t == ORIEL_TENSOR_NORM2 ||
                   t == ORIEL_TENSOR_MERGER_NORM;

    (void)block;
    for (int64_t i = 0; i < n; i++)
        out[i] = (float)random_unit(user) * 0.3f + (is_norm ? 1.0f : 0.0f);
}

tiny_model
tiny_model_open(const oriel_hooks *hooks)
{
    random_stream random = {7};
    oriel_model_options options = ORIEL_MODEL_OPTIONS_INIT;
    tiny_model tiny = {.files =
                           network_files_make(&fixture_tiny, fill, &random)};
    oriel_error err;

    options.hooks = hooks;
    oriel_model_open_memory(&tiny.model, tiny.files.config,
                            strlen(tiny.files.config), tiny.files.weights,
                            tiny.files.weights_bytes, &options, &err);
    ck_assert_str_eq(err.message, "");
    return tiny;
}

void
tiny_model_free_bytes(tiny_model *tiny)
{
    network_files_free(&tiny->files);
}

void
tiny_model_close(tiny_model *tiny)
{
    oriel_model_destroy(tiny->model);
    tiny_model_free_bytes(tiny);
}
