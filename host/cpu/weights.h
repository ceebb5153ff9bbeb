/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weights.h - all tensors of a model in the form the products want
 *
 * Matrices lie in one allocation, packed panel by panel; norms and biases are
 * fp32.  Shared by any number of contexts, immutable once loaded.
 */
#ifndef ORIEL_CPU_WEIGHTS_H
#define ORIEL_CPU_WEIGHTS_H

#include "base/team.h"
#include "cpu/onednn.h"
#include "cpu/tables.h"
#include "encode/backend.h"

struct oriel_backend_weights {
    oriel_hooks hooks;
    oriel_network network;
    int32_t precision;
    oriel_cpu_storage storage;
    oriel_cpu_shapes shapes;
    oriel_cpu_onednn_engine *engine;
    oriel_cpu_onednn_packing *packings[ORIEL_N_LINEAR_LAYERS];

    /* Stage 0 is what lies outside blocks, then comes a stage a block. */
    struct oriel_cpu_stage {
        int32_t panels;
        size_t bytes, vectors;
    } stages[2]; /* of stage 0, of each block */
    struct oriel_cpu_place {
        int32_t panel; /* the first, within its stage */
        size_t byte, vector;
    } places[ORIEL_N_LAYERS];
    oriel_cpu_onednn_matrix *matrices; /* stage after stage */
    int64_t n_matrices;
    char *packed; /* all packed matrices */
    size_t packed_bytes;
    float *vectors; /* biases, panel by panel, and norms: stage after stage */
    size_t n_vectors;
    oriel_cpu_tables tables;
};

const oriel_cpu_onednn_matrix *oriel_cpu_matrix(
    const oriel_backend_weights *weights, oriel_layer layer, int32_t block,
    int32_t panel);

/* Of a norm [hidden], or the bias of a panel. */
float *oriel_cpu_vector(const oriel_backend_weights *weights, oriel_layer layer,
                        int32_t block, int32_t panel);

oriel_status oriel_cpu_load_weights(oriel_backend_weights **out,
                                    const oriel_network *network,
                                    const oriel_weight_reader *reader,
                                    const oriel_backend_config *config,
                                    oriel_error *err);
oriel_status oriel_cpu_model_bytes(const oriel_network *network,
                                   const oriel_backend_config *config,
                                   uint64_t *bytes, oriel_error *err);
uint64_t oriel_cpu_weight_bytes(const oriel_backend_weights *weights);
void oriel_cpu_free_weights(oriel_backend_weights *weights);

/* Once the packings are known.  On the caller's thread. */
oriel_status oriel_cpu_allocate_weights(oriel_backend_weights *weights,
                                        oriel_error *err);
/* Where one panel's packed matrix goes. */
void *oriel_cpu_packed_place(const oriel_backend_weights *weights,
                             oriel_layer layer, int32_t block, int32_t panel);

/* load.c: ask oneDNN how it wants the weights of each product.  On 'team'. */
oriel_status oriel_cpu_choose_packings(oriel_backend_weights *weights,
                                       oriel_team *team, oriel_error *err);

/* load.c: read every tensor and pack it, with config->threads threads. */
oriel_status oriel_cpu_read_weights(oriel_backend_weights *weights,
                                    const oriel_weight_reader *reader,
                                    const oriel_backend_config *config,
                                    oriel_error *err);

#endif /* ORIEL_CPU_WEIGHTS_H */
