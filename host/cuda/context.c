/* SPDX-License-Identifier: Apache-2.0 */
/* context.c - what an encoder owns besides scratch, and its end */
#include "cuda/context.h"

#include "base/fail.h"
#include "base/memory.h"
#include "cuda/errors.h"
#include "cuda/known_answer.h"
#include "cuda/prepare.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A call waits when it has sent more than this and the device has not taken it. */
enum { SLOTS = 8, SLOT_BYTES = 1 << 20 };

/* By the table or as asked for: context.h's products.  No library adds to a
   residual of two planes. */
static oriel_status
make_products(oriel_backend_context *c, const oriel_backend_config *config,
              oriel_error *err)
{
    int32_t capability = 0;
    oriel_cuda_product_set wanted;
    oriel_status status =
        oriel_cuda_capability(c->device_index, &capability, err);

    if (status)
        return status;
    wanted = oriel_cuda_products_wanted(config->kernels, capability);
    if (config->residual == ORIEL_RESIDUAL_WIDE)
        wanted &= ~(UINT32_C(1) << ORIEL_PRODUCT_PROJ |
                    UINT32_C(1) << ORIEL_PRODUCT_DOWN);
    const oriel_cuda_products_spec spec = {
        .weights = c->weights,
        .config = config,
        .hooks = &c->hooks,
        .wanted = wanted,
        .reason = oriel_cuda_products_reason(config->kernels, capability)};

    return oriel_cuda_products_create(&c->products, &spec, err);
}

/* The steps that nothing else can run must be right; a wide residual was asked for
   by name. */
static oriel_status
test_kernels(const oriel_backend_context *c, const oriel_backend_config *config,
             oriel_error *err)
{
    oriel_cuda_tested tested = {.which = ORIEL_CUDA_KERNELS,
                                .device_index = c->device_index,
                                .head_dim = c->weights->shapes.head_dim,
                                .hooks = &c->hooks};
    oriel_error why;
    bool wrong;
    oriel_status status = oriel_cuda_known_answer(&tested, &wrong, err);

    if (status || config->residual != ORIEL_RESIDUAL_WIDE)
        return status;
    tested.which = ORIEL_CUDA_WIDE;
    tested.head_dim = 0;
    status = oriel_cuda_known_answer(&tested, &wrong, &why);
    if (!wrong) {
        if (status && err)
            *err = why;
        return status;
    }
    return oriel_fail(err, ORIEL_ERR_UNSUPPORTED,
                      "%s; expected residual ORIEL_RESIDUAL_BF16", why.message);
}

static oriel_status
fill(oriel_backend_context *c, const oriel_backend_config *config,
     oriel_error *err)
{
    oriel_device_info info = {0};
    oriel_status status = oriel_cuda_describe(c->device_index, &info, err);

    if (!status)
        status = oriel_cuda_prepare_logged(c->weights->shapes.head_dim,
                                           c->device_index, config->call, err);
    if (!status)
        status = test_kernels(c, config, err);
    if (!status)
        status = make_products(c, config, err);
    if (!status)
        status = oriel_cuda_attention_create(
            &c->attention, &c->weights->network, config, &c->hooks, err);
    if (!status)
        status = oriel_cuda_ring_create(&c->ring, SLOTS, SLOT_BYTES, err);
    c->ring.call = &c->hooks;
    if (!status)
        status = oriel_cuda_staging_create(&c->staging, &c->hooks,
                                           c->device_index, err);
    if (!status)
        status = oriel_cuda_graphs_create(&c->graphs,
                                          config->checks || config->profile
                                              ? ORIEL_GRAPHS_OFF
                                              : config->graphs,
                                          err);
    if (!status)
        status = oriel_cuda_checks_create(&c->checks, config->checks, err);
    if (!status)
        status = oriel_cuda_profile_create(&c->profile, config->profile, err);
    if (!status)
        status = oriel_cuda_event_create(&c->done, err);
    c->has_done = !status;
    snprintf(c->description, sizeof(c->description), "%s, %s%s%s%s",
             info.description, c->products.text, c->attention.text,
             config->residual == ORIEL_RESIDUAL_WIDE ? ", wide residual" : "",
             c->checks.on ? ", checks on" : "");
    return status;
}

oriel_status
oriel_cuda_create_context(oriel_backend_context **out,
                          const oriel_backend_weights *weights,
                          const oriel_backend_config *config, oriel_error *err)
{
    oriel_backend_context *c = oriel_calloc(config->hooks, 1, sizeof(*c));
    oriel_cuda_scope scope;
    oriel_status status;

    *out = NULL;
    if (!c)
        return oriel_fail_memory(err, sizeof(*c), "a cuda context");
    c->hooks = *config->hooks;
    c->weights = weights;
    c->device_index = config->device_index;
    c->choices = oriel_cuda_choices_of(config);
    c->scale_log2 =
        (float)(1.0 / sqrt(weights->shapes.head_dim) * 1.4426950408889634);
    status = oriel_cuda_enter(&scope, c->device_index, err);
    if (!status)
        status = fill(c, config, err);
    oriel_cuda_leave(&scope);
    if (status) {
        oriel_cuda_destroy_context(c);
        return status;
    }
    *out = c;
    return ORIEL_OK;
}

void *
oriel_cuda_host_scratch(oriel_backend_context *c, size_t bytes)
{
    if (bytes <= c->scratch_bytes)
        return c->scratch;
    oriel_free(&c->hooks, c->scratch);
    c->scratch = oriel_alloc(&c->hooks, bytes);
    c->scratch_bytes = c->scratch ? bytes : 0;
    return c->scratch;
}

const char *
oriel_cuda_description(const oriel_backend_context *context)
{
    return context->description;
}

/* What CUDA made, once the device is done with it. */
static void
give_back(oriel_backend_context *c)
{
    oriel_cuda_scope scope;
    oriel_error ignored;

    (void)oriel_cuda_enter(&scope, c->device_index, &ignored);
    if (atomic_load(&c->ran))
        (void)cudaEventSynchronize(c->done);
    oriel_cuda_graphs_destroy(&c->graphs);
    oriel_cuda_products_destroy(&c->products);
    oriel_cuda_attention_destroy(&c->attention);
    oriel_cuda_ring_destroy(&c->ring);
    oriel_cuda_staging_destroy(&c->staging, &c->hooks, c->device_index);
    oriel_cuda_checks_destroy(&c->checks);
    oriel_cuda_profile_destroy(&c->profile);
    if (c->has_done)
        (void)cudaEventDestroy(c->done);
    oriel_cuda_leave(&scope);
}

void
oriel_cuda_destroy_context(oriel_backend_context *c)
{
    if (!c)
        return;
    oriel_hooks hooks = c->hooks;

    if (!oriel_cuda_was_forked())
        give_back(c);
    oriel_free(&hooks, c->scratch);
    oriel_free(&hooks, c);
}

/* ---- Own scratch --------------------------------------------------------- */

oriel_status
oriel_cuda_alloc_workspace(void **out, size_t bytes,
                           const oriel_backend_config *config, oriel_error *err)
{
    oriel_cuda_scope scope;
    oriel_status status = oriel_cuda_enter(&scope, config->device_index, err);

    *out = NULL;
    if (!status)
        status = oriel_cuda_alloc(out, bytes, config->hooks,
                                  config->device_index, "the workspace", err);
    oriel_cuda_leave(&scope);
    return status;
}

void
oriel_cuda_free_workspace(void *workspace, const oriel_backend_config *config)
{
    oriel_cuda_scope scope;
    oriel_error ignored;

    if (oriel_cuda_was_forked())
        return;
    (void)oriel_cuda_enter(&scope, config->device_index, &ignored);
    oriel_cuda_free(workspace, config->hooks, config->device_index);
    oriel_cuda_leave(&scope);
}
