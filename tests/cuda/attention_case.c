/* SPDX-License-Identifier: Apache-2.0 */
#include "cuda/attention_case.h"

#include "encode/encoder.h"
#include "support/device_case.h"
#include "support/suite.h"

#include <stdio.h>
#include <string.h>

static const oriel_hooks none = ORIEL_HOOKS_INIT;
char attention_logged[640];

static void
note(void *user, int32_t level, const char *line)
{
    (void)user;
    ck_assert_int_ne(level, ORIEL_LOG_WARNING);
    if (strstr(line, "cuDNN"))
        snprintf(attention_logged, sizeof(attention_logged), "%s", line);
}

oriel_status
attention_create(oriel_encoder **encoder, const fixture_model *m,
                 const oriel_plan *plan, int32_t graphs, oriel_error *err)
{
    const oriel_backend_config config = {.precision = ORIEL_PRECISION_BF16,
                                         .threads = 1,
                                         .kernels = ORIEL_KERNELS_OWN,
                                         .attention = ORIEL_ATTENTION_CUDNN,
                                         .graphs = graphs};
    oriel_hooks hooks = none;

    attention_logged[0] = '\0';
    hooks.log = note;
    return oriel_encoder_create_on(
        encoder, m->model, fixture_backend(), ORIEL_DEVICE_CUDA, &config,
        &hooks, plan ? fixture_workspace(plan, ORIEL_PRECISION_BF16, 1) : 0,
        err);
}

oriel_encoder *
attention_encoder(const fixture_model *m, const oriel_plan *plan,
                  int32_t graphs)
{
    oriel_encoder *encoder;
    oriel_error err;

    ck_assert_msg(!attention_create(&encoder, m, plan, graphs, &err), "%s",
                  err.message);
    return encoder;
}

void
attention_use_cudnn(void)
{
    fixture_attention = ORIEL_ATTENTION_CUDNN;
}
