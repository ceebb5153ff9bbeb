/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_shards.c - a checkpoint on the disk: config.json, a NUL, the index, a NUL,
 * two bytes that tell the length of the first shard, and two shards
 *
 * What is opened can be read to its last row and has a digest.
 */
#include "fuzz/checkpoint_rows.h"
#include "fuzz/fuzz.h"
#include "fuzz/scratch.h"
#include "model/read.h"

#include <stdlib.h>
#include <string.h>

static const char *
write_part(const char *name, fuzz_input part)
{
    return fuzz_file(name, part.at, part.bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    fuzz_input input = {data, bytes};
    oriel_checkpoint_options options = {NULL, NULL, NULL};
    oriel_checkpoint *checkpoint;
    oriel_status status;
    oriel_error err;
    char digest[33], *folder;

    write_part("config.json", fuzz_take_text(&input));
    write_part("model.safetensors.index.json", fuzz_take_text(&input));
    write_part("model-00001-of-00002.safetensors",
               fuzz_take_bytes(&input, fuzz_take_u16(&input)));
    folder = strdup(write_part("model-00002-of-00002.safetensors", input));
    FUZZ_CHECK(folder);
    *strrchr(folder, '/') = '\0';
    status = oriel_checkpoint_open(&checkpoint, folder, &options, NULL, &err);
    free(folder);
    FUZZ_CHECK(!status == (checkpoint != NULL));
    if (status) {
        FUZZ_CHECK(
            status == ORIEL_ERR_MODEL || status == ORIEL_ERR_UNSUPPORTED ||
            status == ORIEL_ERR_NOT_FOUND || status == ORIEL_ERR_ARGUMENT);
        FUZZ_CHECK(err.message[0] && !strchr(err.message, '\n'));
        return 0;
    }
    fuzz_accepted++;
    fuzz_read_checkpoint(checkpoint, bytes);
    FUZZ_CHECK(oriel_checkpoint_digest(checkpoint, digest, NULL) == ORIEL_OK &&
               strlen(digest) == 32);
    oriel_checkpoint_close(checkpoint);
    return 0;
}
