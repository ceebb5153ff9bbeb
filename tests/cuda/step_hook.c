/* SPDX-License-Identifier: Apache-2.0 */
#include "cuda/step_hook.h"

#include "encode/encoder.h"

#include <check.h>
#include <string.h>

step_hook *step_hook_before;
oriel_cuda_step step_hook_step;
int32_t step_hook_block;

static void
enter(oriel_backend_context *c, oriel_cuda_step step, int32_t block)
{
    step_hook_step = step;
    step_hook_block = block;
    if (step_hook_before)
        step_hook_before(c, step, block);
}

static oriel_status
start(oriel_backend_context *c, const oriel_backend_job *job, oriel_error *err)
{
    enter(c, ORIEL_STEP_START, 0);
    return fixture_backend()->start(c, job, err);
}

static oriel_status
tap(oriel_backend_context *c, const oriel_tap *to, oriel_error *err)
{
    enter(c, ORIEL_STEP_TAP, to->hidden_state);
    return fixture_backend()->tap(c, to, err);
}

#define STEP(name, STEP_NAME) \
    static oriel_status name(oriel_backend_context *c, oriel_error *err) \
    { \
        enter(c, ORIEL_STEP_##STEP_NAME, 0); \
        return fixture_backend()->name(c, err); \
    }
#define STEP_OF_A_BLOCK(name, STEP_NAME) \
    static oriel_status name(oriel_backend_context *c, int32_t block, \
                             oriel_error *err) \
    { \
        enter(c, ORIEL_STEP_##STEP_NAME, block); \
        return fixture_backend()->name(c, block, err); \
    }
STEP(patchify, PATCHIFY)
STEP(embed, EMBED)
STEP_OF_A_BLOCK(attn_in, ATTN_IN)
STEP_OF_A_BLOCK(attend, ATTEND)
STEP_OF_A_BLOCK(attn_out, ATTN_OUT)
STEP_OF_A_BLOCK(mlp_in, MLP_IN)
STEP_OF_A_BLOCK(mlp_out, MLP_OUT)
STEP(merge, MERGE)

static const oriel_backend *
watched(void)
{
    static oriel_backend backend;

    backend = *fixture_backend();
    backend.start = start;
    backend.patchify = patchify;
    backend.embed = embed;
    backend.tap = tap;
    backend.attn_in = attn_in;
    backend.attend = attend;
    backend.attn_out = attn_out;
    backend.mlp_in = mlp_in;
    backend.mlp_out = mlp_out;
    backend.merge = merge;
    return &backend;
}

oriel_encoder *
checked_encoder(const cuda_fixture *r, const oriel_hooks *hooks)
{
    static const oriel_hooks none = ORIEL_HOOKS_INIT;
    oriel_backend_config config = {.precision = ORIEL_PRECISION_BF16,
                                   .threads = 1,
                                   .kernels = fixture_kernels,
                                   .checks = ORIEL_CHECKS_ON};
    oriel_encoder *encoder;
    oriel_error err;

    ck_assert_msg(oriel_encoder_create_on(
                      &encoder, r->m.model, watched(), ORIEL_DEVICE_CUDA,
                      &config, hooks ? hooks : &none,
                      fixture_workspace(r->plan, ORIEL_PRECISION_BF16, 1),
                      &err) == ORIEL_OK,
                  "%s", err.message);
    return encoder;
}

int
part_index(const oriel_backend_context *c, const char *name)
{
    for (int i = 0; i < ORIEL_CUDA_PARTS; i++)
        if (strcmp(c->checks.parts[i].name, name) == 0)
            return i;
    ck_abort_msg("no part is called %s", name);
}
