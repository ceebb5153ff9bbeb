/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernels' accesses cost: phases of banks and sectors, on the simulated
 * GPU (counters.h), held against what the layouts are made for.
 */
#include "kernels/device_case.h"
#include "sim/counters.h"
#include "support/suite.h"

#include "ops.h"

#include <stdlib.h>

static device_buffer
zeros(size_t bytes)
{
    void *host = calloc(1, bytes);
    device_buffer buffer = device_upload(host, bytes);

    free(host);
    return buffer;
}

static sim_counters
counted(cudaError_t launched)
{
    sim_counters c;

    ck_assert_int_eq(launched, cudaSuccess);
    ck_assert_str_eq(device_finish(), "");
    c = sim_take_counters();
    ck_assert_uint_gt(c.matrices, 0);
    return c;
}

/* One tile of 128 x 128 over two stages of 64: per stage and warp 4 steps of
   4 + 2 loads of 4 matrices; 2 x 128 rows of 8 copies, 32 a request.  Swizzled
   rows: no conflict, and a row's 128 bytes are 4 whole sectors. */
START_TEST(linear_has_no_conflicts)
{
    const int32_t rows = 128, columns = 128, depth = 128;
    device_buffer x = zeros((size_t)(rows * depth) * 2);
    device_buffer weight = zeros((size_t)(columns * depth) * 2);
    device_buffer out = device_output((size_t)(rows * columns) * 2);
    oriel_linear_args args = {x.data, weight.data, NULL, out.data,
                              rows,   columns,     depth};
    sim_counters c;

    ck_assert_int_eq(oriel_cuda_linear_prepare(), cudaSuccess);
    sim_take_counters();
    c = counted(oriel_cuda_linear(&args, NULL));
    ck_assert_uint_eq(c.matrices, 2 * 8 * 4 * (4 + 2) * 4);
    ck_assert_uint_eq(c.matrix_phases, c.matrices);
    ck_assert_uint_eq(c.copies, 2 * 2 * 128 * 8 / 32);
    ck_assert_uint_eq(c.copy_phases, 4 * c.copies);
    ck_assert_uint_eq(c.copy_sectors, 16 * c.copies);
    device_release(x);
    device_release(weight);
    device_release(out);
}
END_TEST

/*
 * Rows an odd number of chunks apart: every ldmatrix takes one phase a matrix.
 * Copies run along rows.  Where eight lanes stay within a row they take one
 * phase; where they go on in the next one, an odd number of chunks further, two
 * may meet, and at head_dim 80 three of five groups of lanes do: 8 / 5.
 */
static const struct {
    int32_t head_dim;
    uint64_t window[2], frame[2]; /* phases to the least, as a fraction */
} head_dims[] = {{16, {8, 3}, {2, 1}},
                 {32, {2, 1}, {2, 1}},
                 {64, {1, 1}, {1, 1}},
                 {80, {8, 5}, {8, 5}},
                 {128, {1, 1}, {1, 1}}};

static void
check_attention(sim_counters c, const uint64_t *expected)
{
    ck_assert_uint_eq(c.matrix_phases, c.matrices);
    ck_assert_uint_eq(c.copy_phases * expected[1], c.copy_least * expected[0]);
    /* Rows of a head are whole sectors: nothing is fetched in vain. */
    ck_assert_uint_eq(c.copy_sectors, c.copy_needed);
}

START_TEST(windows_have_no_conflicts)
{
    static const int32_t cu[] = {0, 64}, packs[] = {0, 0, 0, 0};
    const int32_t head_dim = head_dims[_i].head_dim;
    device_buffer qkv = zeros((size_t)(64 * 3 * head_dim) * 2);
    device_buffer out = device_output((size_t)(64 * head_dim) * 2);
    device_buffer d_cu = device_upload(cu, sizeof(cu));
    device_buffer d_packs = device_upload(packs, sizeof(packs));
    device_buffer rope = zeros((size_t)head_dim / 4 * 2 * sizeof(float));
    device_buffer positions = zeros(64 * 2 * sizeof(int32_t));
    oriel_window_attention_args args = {
        qkv.data,       out.data, d_cu.data, d_packs.data, rope.data,
        positions.data, 1,        1,         head_dim,     1};

    ck_assert_int_eq(oriel_cuda_window_attention_prepare(head_dim),
                     cudaSuccess);
    sim_take_counters();
    check_attention(counted(oriel_cuda_window_attention(&args, NULL)),
                    head_dims[_i].window);
    device_release(qkv);
    device_release(out);
    device_release(d_cu);
    device_release(d_packs);
    device_release(rope);
    device_release(positions);
}
END_TEST

START_TEST(frames_have_no_conflicts)
{
    static const int32_t tiles[] = {0, 100, 0};
    const int32_t head_dim = head_dims[_i].head_dim;
    device_buffer qkv = zeros((size_t)(100 * 3 * head_dim) * 2);
    device_buffer out = device_output((size_t)(100 * head_dim) * 2);
    device_buffer d_tiles = device_upload(tiles, sizeof(tiles));
    oriel_full_attention_args args = {qkv.data, out.data, d_tiles.data, 1, 1,
                                      head_dim, 1};

    ck_assert_int_eq(oriel_cuda_full_attention_prepare(head_dim), cudaSuccess);
    sim_take_counters();
    check_attention(counted(oriel_cuda_full_attention(&args, NULL)),
                    head_dims[_i].frame);
    device_release(qkv);
    device_release(out);
    device_release(d_tiles);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("counters");
    TCase *tcase = tcase_create("counters");

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, linear_has_no_conflicts);
    tcase_add_loop_test(tcase, windows_have_no_conflicts, 0, COUNT(head_dims));
    tcase_add_loop_test(tcase, frames_have_no_conflicts, 0, COUNT(head_dims));
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
