/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digest.c - the identity of a model
 *
 * XXH3-128 (seed 0) over
 *   - one line of text, the tower and the numbers that change what the network
 *     computes: "oriel-vision-2 tower=1 depth=D hidden=H intermediate=I heads=N
 *     out=O channels=C patch=P temporal=T merge=M window=W theta=%.17g
 *     full=a,b,..\n", where the tower is its ORIEL_TOWER_* number, and
 *   - every tensor in canonical order (manifest.h), each value as a
 *     little-endian F32.
 * So it depends neither on sharding, prefix, q/k/v apart, channels-last or the
 * order within the file, nor on the stored dtype as such: the same values
 * stored wider are the same model.  Limits, mean and std are not in it: they
 * belong to a plan.
 */
#include "model/read.h"

#include "base/fail.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
/* The inlined hash is not ours to warn about. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#include <xxhash.h>
#pragma GCC diagnostic pop

_Static_assert(__BYTE_ORDER == __LITTLE_ENDIAN,
               "safetensors data is little endian, and read as it lies");

enum { CHUNK_BYTES = 1 << 20 };

static void
hash_text(XXH3_state_t *state, const char *text)
{
    XXH3_128bits_update(state, text, strlen(text));
}

static void
hash_network(XXH3_state_t *state, const oriel_network *net)
{
    char text[512];

    snprintf(
        text, sizeof(text),
        "oriel-vision-2 tower=%d depth=%d hidden=%d intermediate=%d heads=%d "
        "out=%d channels=%d patch=%d temporal=%d merge=%d window=%d "
        "theta=%.17g full=",
        net->tower, net->depth, net->hidden_size, net->intermediate_size,
        net->num_heads, net->out_hidden_size, net->in_channels, net->patch_size,
        net->temporal_patch_size, net->spatial_merge_size, net->window_size,
        net->rope_theta);
    hash_text(state, text);
    for (int32_t i = 0; i < net->n_full_attention_blocks; i++) {
        snprintf(text, sizeof(text), "%s%d", i ? "," : "",
                 net->full_attention_blocks[i]);
        hash_text(state, text);
    }
    hash_text(state, "\n");
}

static oriel_status
hash_tensor(XXH3_state_t *state, const oriel_checkpoint *checkpoint,
            oriel_tensor tensor, int32_t block, float *chunk, oriel_error *err)
{
    const oriel_tensor_shape shape =
        oriel_tensor_get_shape(&checkpoint->network, tensor);
    const int64_t row_bytes = shape.columns * (int64_t)sizeof(float);
    const int64_t at_once =
        row_bytes < CHUNK_BYTES ? CHUNK_BYTES / row_bytes : 1;

    for (int64_t row = 0; row < shape.rows; row += at_once) {
        const int64_t rows =
            shape.rows - row < at_once ? shape.rows - row : at_once;
        oriel_status status =
            oriel_cancelled(&checkpoint->hooks)
                ? oriel_fail(err, ORIEL_ERR_CANCELLED, "digest: cancelled")
                : oriel_checkpoint_read(checkpoint, tensor, block, row, rows,
                                        ORIEL_DTYPE_F32, chunk, err);

        if (status)
            return status;
        XXH3_128bits_update(state, chunk, (size_t)(rows * row_bytes));
    }
    return ORIEL_OK;
}

/* Bytes of the longest row, or of a chunk. */
static size_t
chunk_bytes(const oriel_network *net)
{
    size_t bytes = CHUNK_BYTES;

    for (int32_t i = 0; i < ORIEL_N_TENSORS; i++) {
        const size_t row =
            (size_t)oriel_tensor_get_shape(net, (oriel_tensor)i).columns *
            sizeof(float);

        if (row > bytes)
            bytes = row;
    }
    return bytes;
}

oriel_status
oriel_checkpoint_digest(const oriel_checkpoint *checkpoint, char digest[33],
                        oriel_error *err)
{
    const size_t bytes = chunk_bytes(&checkpoint->network);
    const int32_t count = oriel_manifest_count(checkpoint->network.depth);
    XXH3_state_t *state = oriel_alloc(&checkpoint->hooks, sizeof(*state));
    float *chunk = oriel_alloc(&checkpoint->hooks, bytes);
    oriel_status status = ORIEL_OK;

    if (!state || !chunk) {
        status = oriel_fail_memory(err, bytes + sizeof(*state), "a digest");
        goto unwind;
    }
    XXH3_128bits_reset(state);
    hash_network(state, &checkpoint->network);
    for (int32_t i = 0; i < count && !status; i++) {
        oriel_tensor tensor;
        int32_t block;

        oriel_manifest_at(checkpoint->network.depth, i, &tensor, &block);
        status = hash_tensor(state, checkpoint, tensor, block, chunk, err);
    }
    if (!status) {
        const XXH128_hash_t hash = XXH3_128bits_digest(state);

        snprintf(digest, 33, "%016llx%016llx", (unsigned long long)hash.high64,
                 (unsigned long long)hash.low64);
    }

unwind:
    oriel_free(&checkpoint->hooks, chunk);
    oriel_free(&checkpoint->hooks, state);
    return status;
}
