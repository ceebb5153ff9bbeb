/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/attention_case.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

enum { QUERIES = 128 }; /* of a tile */

static float
scale_log2(const attention_case *c)
{
    return (float)(1.4426950408889634 / sqrt(c->head_dim));
}

static size_t
rope_bytes(const attention_case *c)
{
    return (size_t)(ATTENTION_POSITIONS * (c->head_dim / 4) * 2) *
           sizeof(float);
}

static void
make_rope(attention_case *c)
{
    int quarter = c->head_dim / 4;

    c->rope = malloc(rope_bytes(c));
    for (int p = 0; p < ATTENTION_POSITIONS; p++)
        for (int j = 0; j < quarter; j++) {
            double angle = p * pow(10000.0, -(double)j / quarter);

            c->rope[(p * quarter + j) * 2] = (float)cos(angle);
            c->rope[(p * quarter + j) * 2 + 1] = (float)sin(angle);
        }
}

/* Windows into blocks of four slots, first come, first placed. */
static void
pack_windows(attention_case *c)
{
    int used = ATTENTION_SLOTS;

    for (int w = 0; w < c->n_segments; w++) {
        int slots = (c->lengths[w] + 15) / 16;

        if (slots > ATTENTION_SLOTS)
            return; /* a frame, not a window */
        if (used + slots > ATTENTION_SLOTS) {
            for (int s = 0; s < ATTENTION_SLOTS; s++)
                c->packs[c->n_packs * ATTENTION_SLOTS + s] = -1;
            c->n_packs++;
            used = 0;
        }
        for (int s = 0; s < slots; s++)
            c->packs[(c->n_packs - 1) * ATTENTION_SLOTS + used + s] = w;
        used += slots;
    }
}

static void
make_tiles(attention_case *c)
{
    for (int s = 0; s < c->n_segments; s++)
        for (int q = 0; q < c->lengths[s]; q += QUERIES) {
            ck_assert_int_lt(c->n_tiles, ATTENTION_TILES);
            c->tiles[c->n_tiles][0] = c->cu[s];
            c->tiles[c->n_tiles][1] = c->lengths[s];
            c->tiles[c->n_tiles++][2] = q;
        }
}

static size_t
qkv_bytes(const attention_case *c)
{
    return (size_t)c->rows * (size_t)(3 * c->heads * c->head_dim) * 2;
}

static void
upload(attention_case *c)
{
    c->d_qkv = device_upload(c->qkv, qkv_bytes(c));
    c->d_cu =
        device_upload(c->cu, (size_t)(c->n_segments + 1) * sizeof(int32_t));
    c->d_packs = device_upload(
        c->packs, (size_t)(c->n_packs * ATTENTION_SLOTS) * sizeof(int32_t));
    c->d_rope = device_upload(c->rope, rope_bytes(c));
    c->d_positions =
        device_upload(c->positions, (size_t)c->rows * 2 * sizeof(int32_t));
    c->d_tiles =
        device_upload(c->tiles, (size_t)c->n_tiles * sizeof(c->tiles[0]));
}

attention_case
attention_case_make(int heads, int head_dim, const int *lengths, int n,
                    double scale, double v_mean)
{
    random_stream random = {(uint64_t)(head_dim * 100 + n)};
    attention_case c = {.heads = heads, .head_dim = head_dim, .n_segments = n};
    size_t hidden = (size_t)(heads * head_dim);

    for (int s = 0; s < n; s++) {
        c.lengths[s] = lengths[s];
        c.cu[s + 1] = c.cu[s] + lengths[s];
    }
    c.rows = c.cu[n];
    c.qkv = random_bf16(&random, (size_t)c.rows * hidden * 3, scale, 0);
    uint16_t *v = random_bf16(&random, (size_t)c.rows * hidden, 1, v_mean);
    for (size_t i = 0; i < (size_t)c.rows * hidden; i++)
        c.qkv[i / hidden * 3 * hidden + 2 * hidden + i % hidden] = v[i];
    free(v);
    c.positions = malloc((size_t)c.rows * 2 * sizeof(int32_t));
    for (int64_t i = 0; i < 2 * c.rows; i++)
        c.positions[i] =
            (int32_t)random_between(&random, 0, ATTENTION_POSITIONS - 1);
    make_rope(&c);
    pack_windows(&c);
    make_tiles(&c);
    upload(&c);
    ck_assert_int_eq(oriel_cuda_window_attention_prepare(head_dim, NULL),
                     cudaSuccess);
    ck_assert_int_eq(oriel_cuda_full_attention_prepare(head_dim, NULL),
                     cudaSuccess);
    return c;
}

void
attention_case_free(attention_case *c)
{
    device_release(c->d_qkv);
    device_release(c->d_cu);
    device_release(c->d_packs);
    device_release(c->d_rope);
    device_release(c->d_positions);
    device_release(c->d_tiles);
    free(c->qkv);
    free(c->positions);
    free(c->rope);
}

void
attention_case_send(attention_case *c)
{
    device_put(c->d_qkv, 0, c->qkv, qkv_bytes(c));
}

void
attention_case_send_tiles(attention_case *c)
{
    device_put(c->d_tiles, 0, c->tiles,
               (size_t)c->n_tiles * sizeof(c->tiles[0]));
}

cudaError_t
attention_case_windows(void *context, void *out)
{
    const attention_case *c = context;
    oriel_window_attention_args args = {c->d_qkv.data,  out,
                                        c->d_cu.data,   c->d_packs.data,
                                        c->d_rope.data, c->d_positions.data,
                                        c->n_packs,     c->heads,
                                        c->head_dim,    scale_log2(c)};

    return oriel_cuda_window_attention(&args, NULL);
}

cudaError_t
attention_case_frames(void *context, void *out)
{
    const attention_case *c = context;
    oriel_full_attention_args args = {c->d_qkv.data, out,      c->d_tiles.data,
                                      c->n_tiles,    c->heads, c->head_dim,
                                      scale_log2(c)};

    return oriel_cuda_full_attention(&args, NULL);
}

size_t
attention_case_out_bytes(const attention_case *c)
{
    return (size_t)c->rows * (size_t)(c->heads * c->head_dim) * 2;
}
