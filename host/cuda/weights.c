/* SPDX-License-Identifier: Apache-2.0 */
/* weights.c - one allocation for all tensors, and who owns it */
#include "cuda/weights.h"

#include "base/fail.h"
#include "base/memory.h"
#include "cuda/device.h"

#include <string.h>

static oriel_status
fill(oriel_backend_weights *w, const oriel_weight_reader *reader,
     const oriel_backend_config *config, oriel_error *err)
{
    oriel_cuda_scope scope;
    oriel_status status;

    if (!oriel_cuda_lay_out_weights(w))
        return oriel_fail(err, ORIEL_ERR_MEMORY,
                          "the weights exceed the address space");
    status = oriel_cuda_enter(&scope, w->device_index, err);
    if (!status)
        status = oriel_cuda_alloc(&w->memory, w->bytes, &w->hooks,
                                  w->device_index, "the weights", err);
    if (!status) {
        oriel_cuda_lay_out_weights(w);
        status = oriel_cuda_read_weights(w, reader, config, err);
    }
    oriel_cuda_leave(&scope);
    return status;
}

oriel_status
oriel_cuda_load_weights(oriel_backend_weights **out,
                        const oriel_network *network,
                        const oriel_weight_reader *reader,
                        const oriel_backend_config *config, oriel_error *err)
{
    size_t layers = 1 + (size_t)network->depth;
    oriel_backend_weights *w;
    oriel_status status =
        oriel_cuda_check_network(network, config->precision, err);

    *out = NULL;
    if (status)
        return status;
    w = oriel_calloc(config->hooks, 1, sizeof(*w));
    if (!w)
        return oriel_fail_memory(err, sizeof(*w), "weights");
    w->hooks = *config->hooks;
    w->device_index = config->device_index;
    oriel_cuda_shapes_init(&w->shapes, network);
    w->network = *network;
    w->layers = oriel_calloc(&w->hooks, layers, sizeof(w->layers[0]));
    status = w->layers ? fill(w, reader, config, err)
                       : oriel_fail_memory(err, layers * sizeof(w->layers[0]),
                                           "the table of layers");
    if (status) {
        oriel_cuda_free_weights(w);
        return status;
    }
    *out = w;
    return ORIEL_OK;
}

uint64_t
oriel_cuda_weight_bytes(const oriel_backend_weights *weights)
{
    return weights->bytes;
}

void
oriel_cuda_free_weights(oriel_backend_weights *w)
{
    if (!w)
        return;
    oriel_hooks hooks = w->hooks;
    oriel_cuda_scope scope = {0};
    oriel_error ignored;

    if (w->memory && !oriel_cuda_was_forked()) {
        (void)oriel_cuda_enter(&scope, w->device_index, &ignored);
        oriel_cuda_free(w->memory, &hooks, w->device_index);
        oriel_cuda_leave(&scope);
    }
    oriel_free(&hooks, w->layers);
    oriel_free(&hooks, w);
}
