/* SPDX-License-Identifier: Apache-2.0 */
/* weights.c - every tensor of a network in double */
#include "oracle/oracle.h"

#include <stdio.h>
#include <stdlib.h>

void *
oracle_alloc(size_t count, size_t bytes)
{
    void *memory = calloc(count ? count : 1, bytes);

    if (!memory) {
        fprintf(stderr, "oracle: out of memory\n");
        abort();
    }
    return memory;
}

static size_t
slot(oriel_tensor tensor, int32_t block)
{
    size_t b = oriel_tensor_in_block(tensor) ? (size_t)block : 0;

    return b * ORIEL_N_TENSORS + (size_t)tensor;
}

double *
oracle_weights_get(const oracle_weights *weights, oriel_tensor tensor,
                   int32_t block)
{
    return weights->tensors[slot(tensor, block)];
}

static int32_t
copies(const oriel_network *network, oriel_tensor tensor)
{
    return oriel_tensor_in_block(tensor) ? network->depth : 1;
}

oracle_weights *
oracle_weights_create(const oriel_network *network)
{
    size_t blocks = network->depth > 0 ? (size_t)network->depth : 1;
    oracle_weights *weights = oracle_alloc(1, sizeof(*weights));

    weights->network = network;
    weights->tensors =
        oracle_alloc(blocks * ORIEL_N_TENSORS, sizeof(*weights->tensors));
    for (int32_t t = 0; t < ORIEL_N_TENSORS; t++) {
        oriel_tensor_shape shape =
            oriel_tensor_get_shape(network, (oriel_tensor)t);

        for (int32_t b = 0; b < copies(network, (oriel_tensor)t); b++)
            weights->tensors[slot((oriel_tensor)t, b)] = oracle_alloc(
                (size_t)(shape.rows * shape.columns), sizeof(double));
    }
    return weights;
}

static int
read_one(const oracle_weights *weights, const oriel_weight_reader *reader,
         oriel_tensor tensor, int32_t block)
{
    oriel_tensor_shape shape = oriel_tensor_get_shape(weights->network, tensor);
    size_t n = (size_t)(shape.rows * shape.columns);
    float *values = oracle_alloc(n, sizeof(*values));
    oriel_status status =
        reader->read(reader->model, tensor, block, 0, shape.rows,
                     ORIEL_DTYPE_F32, values, NULL);

    for (size_t i = 0; i < n; i++)
        oracle_weights_get(weights, tensor, block)[i] = (double)values[i];
    free(values);
    return status == ORIEL_OK;
}

oracle_weights *
oracle_weights_read(const oriel_network *network,
                    const oriel_weight_reader *reader)
{
    oracle_weights *weights = oracle_weights_create(network);

    for (int32_t t = 0; t < ORIEL_N_TENSORS; t++)
        for (int32_t b = 0; b < copies(network, (oriel_tensor)t); b++)
            if (!read_one(weights, reader, (oriel_tensor)t, b)) {
                oracle_weights_free(weights);
                return NULL;
            }
    return weights;
}

void
oracle_weights_free(oracle_weights *weights)
{
    if (!weights)
        return;
    for (int32_t t = 0; t < ORIEL_N_TENSORS; t++)
        for (int32_t b = 0; b < copies(weights->network, (oriel_tensor)t); b++)
            free(weights->tensors[slot((oriel_tensor)t, b)]);
    free(weights->tensors);
    free(weights);
}
