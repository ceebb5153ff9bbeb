/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_checkpoint.c - a configuration, a NUL, and a safetensors file: what is
 * accepted can be read to its last row
 */
#include "fuzz/checkpoint_rows.h"
#include "fuzz/fuzz.h"

#include <string.h>

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
    fuzz_read_checkpoint(checkpoint, bytes);
    oriel_checkpoint_close(checkpoint);
    return 0;
}
