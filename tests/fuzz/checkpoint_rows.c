/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/checkpoint_rows.h"

#include "fuzz/fuzz.h"
#include "model/read.h"

#include <stdlib.h>

void
fuzz_read_checkpoint(const oriel_checkpoint *checkpoint, size_t bytes)
{
    const oriel_network *net = &checkpoint->network;
    const int32_t count = oriel_manifest_count(net->depth);

    for (int32_t i = 0; i < count; i++) {
        oriel_tensor tensor;
        int32_t block;
        oriel_tensor_shape shape;
        float *out;

        oriel_manifest_at(net->depth, i, &tensor, &block);
        shape = oriel_tensor_get_shape(net, tensor);
        FUZZ_CHECK((uint64_t)shape.rows * (uint64_t)shape.columns <= bytes);
        out = malloc((size_t)(shape.rows * shape.columns) * sizeof(*out));
        FUZZ_CHECK(out && oriel_checkpoint_read(checkpoint, tensor, block, 0,
                                                shape.rows, ORIEL_DTYPE_F32,
                                                out, NULL) == ORIEL_OK);
        free(out);
    }
}
