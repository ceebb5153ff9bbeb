/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention.cuh - what window and full attention share
 *
 * A head's rows lie in shared memory at an odd number of 16-byte chunks, so that
 * the eight rows of an ldmatrix fall into different banks; head_dim is rounded
 * up to a multiple of 16 with zero columns, which add nothing to any product.
 *
 * The softmax of a row is held by the four lanes of a quad: a score tile of 16
 * queries x 8 keys is one mma accumulator, so its two halves belong to rows
 * lane / 4 and lane / 4 + 8.
 *
 * Error    with p_j the exact weights of a query's keys and e the exact result,
 *          of q and k as they are multiplied, in units u = 2^-24:
 *              |out - e| <= 2^-8 |e| + sum_j p_j h_j |v_j - e|
 *                         + u sum_j p_j t_j (89 |v_j| + 17 |e|) + 4 u |e|,
 *              h_j = 2^-8 + (1 + 2^-8) (e^x - 1),
 *              x = 4 u (1 + t_j) + u (22 ceil(head_dim / 16) + 9) s
 *          where t_j counts the tiles of keys from that of key j to the last and
 *          s is the largest sum_d |q_d k_jd| head_dim^-1/2 over the keys; all
 *          over 1 - 3 sum_j p_j h_j, for products of errors, and 2^-125 max|v|
 *          a key, as weights below 2^-126 are flushed.
 *     2^-8 |e|  the result is rounded.
 *     h_j       how far a weight may be off.  The denominator sums the very
 *               weights that multiply v, so this vanishes where values are alike.
 *               2^-8: P is rounded.  x is the error of its exponent.  4 u: ex2,
 *               of P and of every tile that may move the maximum.  22 u for 16 of
 *               head_dim: the sum of a score.  9 u s: the scale's rounding (2),
 *               the shift (1), their difference (2), and what the moves of the
 *               maximum add up to (4).
 *     89, 17    of each tile, four mma into O (4 x 22) and its rescaling; sixteen
 *               additions of a lane's weights to l and its rescaling.
 *     4 u |e|   two additions over the quad, the reciprocal, the product.
 *     22        an mma may add two groups of eight products and the accumulator,
 *               each of the nine cut at 2^-24 of the largest and the sum toward
 *               zero: 9 + 2 a group (sim/tensor_core.hpp).
 *          tests/ops/attention.c computes it, query by query.
 */
#pragma once

#include "tile.cuh"

#include <ptx.cuh>

namespace attention
{

constexpr int KEYS = 64; /* of a tile */
constexpr int KEY_GROUPS = KEYS / 8;
constexpr float MASKED = -1e30f; /* finite: a masked row has no NaN */

/* Values from row to row. */
template <int HEAD_DIM>
__host__ __device__ constexpr int
pitch()
{
    return (HEAD_DIM / 8 | 1) * 8;
}

template <int HEAD_DIM>
__host__ __device__ constexpr int
row_bytes()
{
    return pitch<HEAD_DIM>() * 2;
}

/* Chunk 'chunk' of row 'row'. */
template <int HEAD_DIM>
__device__ __forceinline__ uint32_t
chunk_address(uint32_t base, int row, int chunk)
{
    return base +
           (uint32_t)(row * row_bytes<HEAD_DIM>() + chunk * tile::CHUNK_BYTES);
}

/* Queries: the A operand of 16 rows, for depth 16 step. */
template <int HEAD_DIM>
__device__ __forceinline__ void
load_queries(uint32_t (&a)[4], uint32_t base, int row, int step, int lane)
{
    ptx::ldmatrix_x4(a, chunk_address<HEAD_DIM>(base, row + (lane & 15),
                                                2 * step + (lane >> 4)));
}

using Scores = float[KEY_GROUPS][4];

/* scores += q k^T over 'n_groups' groups of 8 keys, an even number. */
template <int HEAD_DIM>
__device__ __forceinline__ void
multiply_keys(Scores &scores, const uint32_t (&q)[HEAD_DIM / 16][4],
              uint32_t keys, int first_key, int n_groups, int lane)
{
#pragma unroll
    for (int step = 0; step < HEAD_DIM / 16; step++)
#pragma unroll
        for (int j = 0; j < KEY_GROUPS; j += 2) {
            if (j >= n_groups)
                break;
            uint32_t b[4];
            ptx::ldmatrix_x4(
                b, chunk_address<HEAD_DIM>(
                       keys, first_key + j * 8 + (lane & 7) + (lane >> 4) * 8,
                       2 * step + ((lane >> 3) & 1)));
            const uint32_t even[2] = {b[0], b[1]}, odd[2] = {b[2], b[3]};
            ptx::mma_m16n8k16_bf16(scores[j], q[step], even);
            ptx::mma_m16n8k16_bf16(scores[j + 1], q[step], odd);
        }
}

/* out += p v, with p in bf16 and 'n_groups' groups of 8 keys, an even number. */
template <int HEAD_DIM>
__device__ __forceinline__ void
multiply_values(float (&out)[HEAD_DIM / 8][4],
                const uint32_t (&p)[KEY_GROUPS][2], uint32_t values,
                int first_key, int n_groups, int lane)
{
#pragma unroll
    for (int j = 0; j < KEY_GROUPS; j += 2) {
        if (j >= n_groups)
            break;
        const uint32_t a[4] = {p[j][0], p[j][1], p[j + 1][0], p[j + 1][1]};
#pragma unroll
        for (int d = 0; d < HEAD_DIM / 8; d += 2) {
            uint32_t b[4];
            ptx::ldmatrix_x4_trans(
                b,
                chunk_address<HEAD_DIM>(values, first_key + j * 8 + (lane & 15),
                                        d + (lane >> 4)));
            const uint32_t even[2] = {b[0], b[1]}, odd[2] = {b[2], b[3]};
            ptx::mma_m16n8k16_bf16(out[d], a, even);
            ptx::mma_m16n8k16_bf16(out[d + 1], a, odd);
        }
    }
}

/* Keys from 'n_keys' on are no keys. */
__device__ __forceinline__ void
mask_keys(Scores &scores, int n_keys, int lane)
{
#pragma unroll
    for (int j = 0; j < KEY_GROUPS; j++)
#pragma unroll
        for (int e = 0; e < 4; e++)
            if (j * 8 + lane % 4 * 2 + (e & 1) >= n_keys)
                scores[j][e] = MASKED;
}

/* The largest score of each of the lane's two rows, over the quad. */
__device__ __forceinline__ void
row_maxima(float (&most)[2], const Scores &scores)
{
#pragma unroll
    for (int j = 0; j < KEY_GROUPS; j++)
#pragma unroll
        for (int e = 0; e < 4; e++)
            most[e / 2] = fmaxf(most[e / 2], scores[j][e]);
#pragma unroll
    for (int half = 0; half < 2; half++) {
        most[half] =
            fmaxf(most[half], ptx::shuffle_xor(most[half], uint32_t{1}));
        most[half] =
            fmaxf(most[half], ptx::shuffle_xor(most[half], uint32_t{2}));
    }
}

/*
 * p = 2^(scale (score - most)), rounded to bf16; 'sums' grow by the *rounded*
 * values, those that the second product uses, so that the two cancel exactly
 * where all values are alike.  'scale' has log2 e in it.
 */
__device__ __forceinline__ void
exponentiate(uint32_t (&p)[KEY_GROUPS][2], float (&sums)[2],
             const Scores &scores, const float (&most)[2], float scale)
{
#pragma unroll
    for (int j = 0; j < KEY_GROUPS; j++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const float shift = most[half] * scale;
            p[j][half] = ptx::pack_bf16(
                ptx::ex2_approx(fmaf(scores[j][2 * half], scale, -shift)),
                ptx::ex2_approx(fmaf(scores[j][2 * half + 1], scale, -shift)));
            sums[half] += tile::low_half(p[j][half]);
            sums[half] += tile::high_half(p[j][half]);
        }
}

/* The quad's four partial sums, added in the same order in every lane. */
__device__ __forceinline__ float
quad_sum(float sum)
{
    sum += ptx::shuffle_xor(sum, uint32_t{1});
    return sum + ptx::shuffle_xor(sum, uint32_t{2});
}

/* One row of a head to memory, normalised; 'head_dim' real columns. */
template <int HEAD_DIM>
__device__ __forceinline__ void
store_row(uint16_t *out, const float (&o)[HEAD_DIM / 8][4], int half,
          float scale, int head_dim, int lane)
{
#pragma unroll
    for (int d = 0; d < HEAD_DIM / 8; d++)
        if (d * 8 < head_dim)
            *(uint32_t *)(out + d * 8 + lane % 4 * 2) = ptx::pack_bf16(
                o[d][2 * half] * scale, o[d][2 * half + 1] * scale);
}

} // namespace attention
