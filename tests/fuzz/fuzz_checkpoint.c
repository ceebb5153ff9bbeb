/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_checkpoint.c - a configuration, a NUL, and a safetensors file: what is
 * accepted can be read to its last row
 */
#include "fuzz/fuzz.h"
#include "model/read.h"

#include <stdlib.h>
#include <string.h>

static void
read_everything(const oriel_checkpoint *checkpoint, size_t bytes)
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
        /* No tensor is larger than the file it is in. */
        FUZZ_CHECK((uint64_t)shape.rows * (uint64_t)shape.columns <= bytes);
        out = malloc((size_t)(shape.rows * shape.columns) * sizeof(*out));
        FUZZ_CHECK(out && oriel_checkpoint_read(checkpoint, tensor, block, 0,
                                                shape.rows, ORIEL_DTYPE_F32,
                                                out, NULL) == ORIEL_OK);
        free(out);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const uint8_t *end = bytes ? memchr(data, 0, bytes) : NULL;
    const size_t config_bytes = end ? (size_t)(end - data) : bytes;
    const size_t weights = end ? config_bytes + 1 : bytes;
    oriel_checkpoint *checkpoint;
    oriel_error err;
    oriel_status status = oriel_checkpoint_open_memory(
        &checkpoint, (const char *)data, config_bytes, data + weights,
        bytes - weights, NULL, NULL, &err);

    FUZZ_CHECK(!status == (checkpoint != NULL));
    if (status) {
        FUZZ_CHECK(status == ORIEL_ERR_MODEL ||
                   status == ORIEL_ERR_UNSUPPORTED);
        FUZZ_CHECK(err.message[0] && !strchr(err.message, '\n'));
        return 0;
    }
    fuzz_accepted++;
    read_everything(checkpoint, bytes);
    oriel_checkpoint_close(checkpoint);
    return 0;
}
