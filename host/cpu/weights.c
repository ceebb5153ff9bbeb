/* SPDX-License-Identifier: Apache-2.0 */
/* weights.c - memory for all tensors, and finding one */
#include "cpu/weights.h"

#include "base/checked.h"
#include "base/fail.h"
#include "base/memory.h"
#include "cpu/pages.h"

#include <string.h>

static int64_t
matrix_index(const oriel_backend_weights *w, oriel_layer layer, int32_t block,
             int32_t panel)
{
    int64_t index = w->places[layer].panel + panel;

    if (oriel_layer_in_block(layer))
        index += w->stages[0].panels + (int64_t)block * w->stages[1].panels;
    return index;
}

static size_t
panel_bytes(const oriel_backend_weights *w, oriel_layer layer)
{
    return oriel_round_up(oriel_cpu_onednn_packing_bytes(w->packings[layer]),
                          ORIEL_ALIGNMENT);
}

void *
oriel_cpu_packed_place(const oriel_backend_weights *w, oriel_layer layer,
                       int32_t block, int32_t panel)
{
    size_t at = w->places[layer].byte + (size_t)panel * panel_bytes(w, layer);

    if (oriel_layer_in_block(layer))
        at += w->stages[0].bytes + (size_t)block * w->stages[1].bytes;
    return w->packed + at;
}

/* Numbers of a panel's bias, or of the whole norm. */
static size_t
vector_length(const oriel_cpu_shapes *s, oriel_layer layer)
{
    if (layer >= ORIEL_N_LINEAR_LAYERS)
        return (size_t)s->hidden;
    return s->product[layer].has_bias ? (size_t)s->product[layer].n : 0;
}

float *
oriel_cpu_vector(const oriel_backend_weights *w, oriel_layer layer,
                 int32_t block, int32_t panel)
{
    size_t at = w->places[layer].vector +
                (size_t)panel * vector_length(&w->shapes, layer);

    if (oriel_layer_in_block(layer))
        at += w->stages[0].vectors + (size_t)block * w->stages[1].vectors;
    return w->vectors + at;
}

const oriel_cpu_onednn_matrix *
oriel_cpu_matrix(const oriel_backend_weights *weights, oriel_layer layer,
                 int32_t block, int32_t panel)
{
    return &weights->matrices[matrix_index(weights, layer, block, panel)];
}

uint64_t
oriel_cpu_weight_bytes(const oriel_backend_weights *w)
{
    return w->packed_bytes + w->tables.bytes + w->n_vectors * sizeof(float);
}

/* Give every panel and vector its place within its stage; the bytes of all
   stages. */
static bool
place_layers(oriel_backend_weights *w)
{
    size_t blocks = (size_t)w->network.depth, n;

    for (int32_t i = 0; i < ORIEL_N_LAYERS; i++) {
        oriel_layer layer = (oriel_layer)i;
        struct oriel_cpu_stage *stage = &w->stages[oriel_layer_in_block(layer)];
        bool linear = i < ORIEL_N_LINEAR_LAYERS;
        int32_t panels = linear ? w->shapes.panels[i] : 1;

        w->places[i].panel = stage->panels;
        w->places[i].byte = stage->bytes;
        w->places[i].vector = stage->vectors;
        stage->vectors += (size_t)panels * vector_length(&w->shapes, layer);
        if (!linear)
            continue;
        stage->panels += panels;
        stage->bytes += (size_t)panels * panel_bytes(w, layer);
    }
    w->n_matrices = w->stages[0].panels + (int64_t)blocks * w->stages[1].panels;
    w->n_vectors = w->stages[0].vectors + w->stages[1].vectors * blocks;
    return oriel_mul_size(&n, w->stages[1].bytes, blocks) &&
           oriel_add_size(&w->packed_bytes, n, w->stages[0].bytes);
}

static oriel_status
fail_space(oriel_error *err)
{
    return oriel_fail(err, ORIEL_ERR_MEMORY,
                      "the weights exceed the address space");
}

oriel_status
oriel_cpu_allocate_weights(oriel_backend_weights *w, oriel_error *err)
{
    const oriel_hooks *hooks = &w->hooks;

    if (!place_layers(w))
        return fail_space(err);
    w->matrices =
        oriel_calloc(hooks, (size_t)w->n_matrices, sizeof(w->matrices[0]));
    w->vectors = oriel_calloc(hooks, w->n_vectors, sizeof(float));
    w->packed = oriel_alloc(hooks, w->packed_bytes);
    if (!w->matrices || !w->vectors || !w->packed)
        return oriel_fail_memory(err, w->packed_bytes, "packed weights");
    oriel_cpu_wish_large_pages(w->packed, w->packed_bytes);
    return ORIEL_OK;
}

static oriel_backend_weights *
allocate(const oriel_backend_config *config, oriel_error *err)
{
    oriel_backend_weights *w = oriel_calloc(config->hooks, 1, sizeof(*w));

    if (!w) {
        (void)oriel_fail_memory(err, sizeof(*w), "weights");
        return NULL;
    }
    w->hooks = *config->hooks;
    w->precision = config->precision;
    w->storage =
        oriel_cpu_storage_for(config->precision, oriel_processor_isa());
    return w;
}

/* All but what is made of the values of tensors. */
static oriel_status
set_up(oriel_backend_weights *w, const oriel_network *network, oriel_error *err)
{
    oriel_status status = oriel_cpu_shapes_check(network, err);

    if (status)
        return status;
    oriel_cpu_shapes_init(&w->shapes, network);
    w->network = *network;
    status = oriel_cpu_tables_make(&w->tables, network, &w->hooks, err);
    if (!status)
        status = oriel_cpu_onednn_load(err);
    if (!status)
        status = oriel_cpu_onednn_engine_create(&w->engine, err);
    return status;
}

oriel_status
oriel_cpu_load_weights(oriel_backend_weights **out,
                       const oriel_network *network,
                       const oriel_weight_reader *reader,
                       const oriel_backend_config *config, oriel_error *err)
{
    oriel_backend_weights *w = allocate(config, err);
    oriel_status status;

    *out = NULL;
    if (!w)
        return ORIEL_ERR_MEMORY;
    status = set_up(w, network, err);
    if (!status)
        status = oriel_cpu_read_weights(w, reader, config, err);
    if (status) {
        oriel_cpu_free_weights(w);
        return status;
    }
    *out = w;
    return ORIEL_OK;
}

/* oneDNN alone knows how large packed weights are, and it is asked on a thread of
   a team. */
static oriel_status
measure(oriel_backend_weights *w, oriel_error *err)
{
    oriel_team *team;
    oriel_status status = oriel_team_create(
        &team, 1, oriel_cpu_onednn_thread_start, &w->hooks, err);

    if (status)
        return status;
    status = oriel_cpu_choose_packings(w, team, err);
    oriel_team_destroy(team);
    if (!status && !place_layers(w))
        return fail_space(err);
    return status;
}

oriel_status
oriel_cpu_model_bytes(const oriel_network *network,
                      const oriel_backend_config *config, uint64_t *bytes,
                      oriel_error *err)
{
    oriel_backend_weights *w = allocate(config, err);
    oriel_status status;

    *bytes = 0;
    if (!w)
        return ORIEL_ERR_MEMORY;
    status = set_up(w, network, err);
    if (!status)
        status = measure(w, err);
    if (!status)
        *bytes = oriel_cpu_weight_bytes(w);
    oriel_cpu_free_weights(w);
    return status;
}

void
oriel_cpu_free_weights(oriel_backend_weights *w)
{
    if (!w)
        return;
    oriel_hooks hooks = w->hooks;

    for (int64_t i = 0; w->matrices && i < w->n_matrices; i++)
        oriel_cpu_onednn_matrix_clear(&w->matrices[i]);
    for (int32_t p = 0; p < ORIEL_N_LINEAR_LAYERS; p++)
        oriel_cpu_onednn_packing_destroy(w->packings[p]);
    oriel_cpu_onednn_engine_destroy(w->engine);
    oriel_free(&hooks, w->matrices);
    oriel_free(&hooks, w->vectors);
    oriel_cpu_tables_free(&w->tables, &hooks);
    oriel_free(&hooks, w->packed);
    oriel_free(&hooks, w);
}
