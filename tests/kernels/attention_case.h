/* SPDX-License-Identifier: Apache-2.0 */
/* attention_case.h - random segments of patches: windows or whole frames */
#ifndef TESTS_KERNELS_ATTENTION_CASE_H
#define TESTS_KERNELS_ATTENTION_CASE_H

#include "support/device_case.h"

#include "ops.h"

enum {
    ATTENTION_SEGMENTS = 8,
    ATTENTION_SLOTS = 4, /* of 16 rows, that windows share */
    ATTENTION_TILES = 1024,
    ATTENTION_POSITIONS = 64
};

/* Segments one after the other, and how windows share blocks. */
typedef struct attention_case {
    int heads, head_dim;
    int n_segments, lengths[ATTENTION_SEGMENTS];
    int n_packs, n_tiles;
    int32_t packs[ATTENTION_SEGMENTS * ATTENTION_SLOTS];
    int32_t tiles[ATTENTION_TILES][3];

    int64_t rows;
    int32_t cu[ATTENTION_SEGMENTS + 1];
    int32_t *positions; /* [rows, 2] */
    float *rope;        /* [ATTENTION_POSITIONS, head_dim / 4, 2] */
    uint16_t *qkv;      /* [rows, 3, heads, head_dim] */
    device_buffer d_qkv, d_cu, d_packs, d_rope, d_positions, d_tiles;
} attention_case;

/* q and k uniform within 'scale', v within 1 of 'v_mean'. */
attention_case attention_case_make(int heads, int head_dim, const int *lengths,
                                   int n, double scale, double v_mean);
void attention_case_free(attention_case *c);
/* Send qkv once more, or the tiles, after a change. */
void attention_case_send(attention_case *c);
void attention_case_send_tiles(attention_case *c);

/* As device_run: windows turn q and k themselves, frames take them as turned. */
cudaError_t attention_case_windows(void *context, void *out);
cudaError_t attention_case_frames(void *context, void *out);
size_t attention_case_out_bytes(const attention_case *c);

#endif /* TESTS_KERNELS_ATTENTION_CASE_H */
