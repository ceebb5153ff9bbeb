/* SPDX-License-Identifier: Apache-2.0 */
/* tensors.c - synthetic tensors as numbers, before any file */
#include "golden/tensors.h"

#include "base/half.h"
#include "oracle/oracle.h"
#include "weights/counter.h"
#include "weights/scales.h"

#include <stdlib.h>

void
golden_tensor(const oriel_network *network, uint64_t seed, oriel_tensor tensor,
              int32_t block, bool outliers, double *out)
{
    const bool in_merger = tensor >= ORIEL_TENSOR_MERGER_NORM;
    oriel_synth_schedule schedule =
        oriel_synth_schedule_at(network, in_merger ? network->depth : block);
    oriel_tensor_shape shape = oriel_tensor_get_shape(network, tensor);
    size_t columns = (size_t)shape.columns;
    uint16_t *bits = oracle_alloc(columns, sizeof(*bits));
    char name[64];
    uint64_t key;

    if (!outliers)
        schedule.outlier = schedule.step = 0.0;
    oriel_tensor_full_name(name, sizeof(name), "", tensor, block);
    key = oriel_counter_key(seed, name);
    for (int64_t r = 0; r < shape.rows; r++) {
        /* Channel 0 is a calm one. */
        bool calm = !outliers && tensor == ORIEL_TENSOR_DOWN_WEIGHT;
        oriel_synth_row row =
            oriel_synth_row_at(network, &schedule, tensor, calm ? 0 : r);

        oriel_counter_fill(bits, key, (uint64_t)r * columns, columns, row.scale,
                           row.offset);
        for (size_t i = 0; i < columns; i++)
            *out++ = (double)oriel_bf16_to_f32(bits[i]);
    }
    free(bits);
}
