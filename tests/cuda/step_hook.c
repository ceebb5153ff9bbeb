/* SPDX-License-Identifier: Apache-2.0 */
#include "cuda/step_hook.h"

#include "encode/encoder.h"

#include <check.h>
#include <string.h>

step_hook *step_hook_before;
oriel_step step_hook_step;
int32_t step_hook_block;

static void
enter(oriel_backend_context *c, oriel_step step, int32_t block)
{
    step_hook_step = step;
    step_hook_block = block;
    if (step_hook_before)
        step_hook_before(c, step, block);
}

oriel_status __real_oriel_cuda_begin_step(oriel_backend_context *c,
                                          oriel_step step, int32_t block,
                                          oriel_error *err);
oriel_status __wrap_oriel_cuda_begin_step(oriel_backend_context *c,
                                          oriel_step step, int32_t block,
                                          oriel_error *err);

oriel_status
__wrap_oriel_cuda_begin_step(oriel_backend_context *c, oriel_step step,
                             int32_t block, oriel_error *err)
{
    enter(c, step, block);
    return __real_oriel_cuda_begin_step(c, step, block, err);
}

oriel_encoder *
checked_encoder(const cuda_fixture *r, const oriel_hooks *hooks)
{
    static const oriel_hooks none = ORIEL_HOOKS_INIT;
    oriel_backend_config config = {.precision = ORIEL_PRECISION_BF16,
                                   .threads = 1,
                                   .kernels = fixture_kernels,
                                   .residual = fixture_residual,
                                   .attention = fixture_attention,
                                   .checks = ORIEL_CHECKS_ON};
    oriel_encoder *encoder;
    oriel_error err;

    ck_assert_msg(oriel_encoder_create_on(
                      &encoder, r->m.model, fixture_backend(),
                      ORIEL_DEVICE_CUDA, &config, hooks ? hooks : &none,
                      fixture_workspace(r->plan, ORIEL_PRECISION_BF16, 1),
                      &err) == ORIEL_OK,
                  "%s", err.message);
    fixture_prepare(encoder, r->plan);
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
