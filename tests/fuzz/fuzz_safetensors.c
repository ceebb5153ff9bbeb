/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_safetensors.c - any bytes as a safetensors file */
#include "fuzz/fuzz.h"
#include "model/safetensors.h"

#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    oriel_safetensors *table;
    oriel_error err;
    oriel_status status =
        oriel_safetensors_open_memory(&table, "fuzz", data, bytes, NULL, &err);
    const oriel_stored_tensor *tensors;
    uint64_t data_bytes = 0;
    size_t n;

    FUZZ_CHECK(!status == (table != NULL));
    if (status) {
        /* Another kind of file, such as an HTML page, is told by its name. */
        FUZZ_CHECK(status == ORIEL_ERR_MODEL ||
                   status == ORIEL_ERR_UNSUPPORTED);
        FUZZ_CHECK(err.status == status);
        FUZZ_CHECK(err.message[0] && !strchr(err.message, '\n'));
        return 0;
    }
    fuzz_accepted++;
    /* What was accepted holds together: every byte is one tensor's. */
    tensors = oriel_safetensors_tensors(table, &n);
    for (size_t i = 0; i < n; i++) {
        char shape[ORIEL_SHAPE_TEXT];
        uint8_t last;

        oriel_shape_text(shape, tensors[i].shape, tensors[i].n_dims);
        data_bytes += tensors[i].bytes;
        FUZZ_CHECK(oriel_safetensors_find(table, tensors[i].name) ==
                   &tensors[i]);
        if (tensors[i].bytes > 0)
            FUZZ_CHECK(oriel_stored_read(&tensors[i], tensors[i].bytes - 1,
                                         &last, 1, NULL) == ORIEL_OK &&
                       last == data[tensors[i].offset + tensors[i].bytes - 1]);
    }
    FUZZ_CHECK(n == 0 || tensors[0].offset + data_bytes == bytes);
    oriel_safetensors_close(table);
    return 0;
}
