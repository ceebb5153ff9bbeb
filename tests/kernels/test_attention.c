/* SPDX-License-Identifier: Apache-2.0 */
/* Window and full attention on the GPU, against double precision. */
#include "kernels/device_case.h"
#include "oracle/oracle.h"
#include "support/suite.h"

#include "ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SEGMENTS = 8, SLOTS = 4 };

/* Segments of patches, one behind the other, and how windows share blocks. */
struct attention_case {
    int heads, head_dim;
    int n_segments, lengths[MOST_SEGMENTS];
    int n_packs;
    int32_t packs[MOST_SEGMENTS * SLOTS];

    int64_t rows;
    int32_t cu[MOST_SEGMENTS + 1];
    int32_t *positions;
    float *rope; /* [64, head_dim / 4, 2] */
    uint16_t *qkv;
    device_buffer d_qkv, d_cu, d_packs, d_rope, d_positions, d_tiles;
    int n_tiles;
};

enum { POSITIONS = 64 };

static float
scale_log2(const struct attention_case *c)
{
    return (float)(1.4426950408889634 / sqrt(c->head_dim));
}

static void
make_rope(struct attention_case *c)
{
    int quarter = c->head_dim / 4;

    c->rope = malloc((size_t)POSITIONS * (size_t)quarter * 2 * sizeof(float));
    for (int p = 0; p < POSITIONS; p++)
        for (int j = 0; j < quarter; j++) {
            double angle = p * pow(10000.0, -(double)j / quarter);

            c->rope[(p * quarter + j) * 2] = (float)cos(angle);
            c->rope[(p * quarter + j) * 2 + 1] = (float)sin(angle);
        }
}

/* Windows into blocks of four slots, first come, first placed. */
static void
pack_windows(struct attention_case *c)
{
    int used = SLOTS;

    c->n_packs = 0;
    for (int w = 0; w < c->n_segments; w++) {
        int slots = (c->lengths[w] + 15) / 16;

        if (used + slots > SLOTS) {
            for (int s = 0; s < SLOTS; s++)
                c->packs[c->n_packs * SLOTS + s] = -1;
            c->n_packs++;
            used = 0;
        }
        for (int s = 0; s < slots; s++)
            c->packs[(c->n_packs - 1) * SLOTS + used + s] = w;
        used += slots;
    }
}

static void
upload(struct attention_case *c)
{
    int32_t tiles[512][3];
    size_t width = (size_t)(c->heads * c->head_dim) * 3;

    for (int s = 0; s < c->n_segments; s++)
        for (int q = 0; q < c->lengths[s]; q += 128) {
            tiles[c->n_tiles][0] = c->cu[s];
            tiles[c->n_tiles][1] = c->lengths[s];
            tiles[c->n_tiles++][2] = q;
        }
    c->d_qkv = device_upload(c->qkv, (size_t)c->rows * width * 2);
    c->d_cu =
        device_upload(c->cu, (size_t)(c->n_segments + 1) * sizeof(int32_t));
    c->d_packs =
        device_upload(c->packs, (size_t)c->n_packs * SLOTS * sizeof(int32_t));
    c->d_rope =
        device_upload(c->rope, (size_t)POSITIONS * (size_t)(c->head_dim / 4) *
                                   2 * sizeof(float));
    c->d_positions =
        device_upload(c->positions, (size_t)c->rows * 2 * sizeof(int32_t));
    c->d_tiles = device_upload(tiles, (size_t)c->n_tiles * sizeof(tiles[0]));
}

static struct attention_case
make_case(int heads, int head_dim, const int *lengths, int n, double scale,
          double v_mean)
{
    random_stream random = {(uint64_t)(head_dim * 100 + n)};
    struct attention_case c = {
        .heads = heads, .head_dim = head_dim, .n_segments = n};
    size_t hidden = (size_t)(heads * head_dim);

    for (int s = 0; s < n; s++) {
        c.lengths[s] = lengths[s];
        c.cu[s + 1] = c.cu[s] + lengths[s];
    }
    c.rows = c.cu[n];
    c.qkv = random_bf16(&random, (size_t)c.rows * hidden * 3, scale, 0);
    for (size_t i = 0; i < (size_t)c.rows * hidden; i++) {
        size_t at = i / hidden * 3 * hidden + 2 * hidden + i % hidden;
        uint16_t *v = random_bf16(&random, 1, 1, v_mean);

        c.qkv[at] = *v;
        free(v);
    }
    c.positions = malloc((size_t)c.rows * 2 * sizeof(int32_t));
    for (int64_t i = 0; i < 2 * c.rows; i++)
        c.positions[i] = (int32_t)random_between(&random, 0, POSITIONS - 1);
    make_rope(&c);
    pack_windows(&c);
    upload(&c);
    return c;
}

static void
free_case(struct attention_case *c)
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

static cudaError_t
run_windows(void *context, void *out)
{
    const struct attention_case *c = context;
    oriel_window_attention_args args = {c->d_qkv.data,  out,
                                        c->d_cu.data,   c->d_packs.data,
                                        c->d_rope.data, c->d_positions.data,
                                        c->n_packs,     c->heads,
                                        c->head_dim,    scale_log2(c)};

    return oriel_cuda_window_attention(&args, NULL);
}

static cudaError_t
run_full(void *context, void *out)
{
    const struct attention_case *c = context;
    oriel_full_attention_args args = {c->d_qkv.data, out,      c->d_tiles.data,
                                      c->n_tiles,    c->heads, c->head_dim,
                                      scale_log2(c)};

    return oriel_cuda_full_attention(&args, NULL);
}

/* q, k, v in double; the turn is rounded to bf16, as the kernels do. */
static double *
exact_inputs(const struct attention_case *c, bool turned)
{
    int64_t hidden = (int64_t)c->heads * c->head_dim;
    double *x = bf16_values(c->qkv, (size_t)(c->rows * 3 * hidden));
    int half = c->head_dim / 2, quarter = c->head_dim / 4;

    for (int64_t r = 0; turned && r < c->rows; r++)
        for (int h = 0; h < 2 * c->heads; h++)
            for (int d = 0; d < half; d++) {
                double *head = x + r * 3 * hidden + h * c->head_dim;
                int32_t at = c->positions[2 * r + (d >= quarter)];
                const float *cs = c->rope + (at * quarter + d % quarter) * 2;
                double a = head[d], b = head[d + half];

                head[d] = a * (double)cs[0] - b * (double)cs[1];
                head[d + half] = b * (double)cs[0] + a * (double)cs[1];
            }
    return x;
}

/*
 * Per value: P and the result are rounded once each, so 2^-7 of the largest
 * |v|; with the turn, q and k are rounded too, which moves each score by at most
 * 2^-8 |q| |k| and so each weight by that much, relatively, twice.
 */
static double
bound_of(const struct attention_case *c, const double *x, bool turned)
{
    int64_t hidden = (int64_t)c->heads * c->head_dim;
    double v_most = 0, q_most = 0, k_most = 0;

    for (int64_t r = 0; r < c->rows; r++)
        for (int h = 0; h < c->heads; h++) {
            double q2 = 0, k2 = 0;

            for (int d = 0; d < c->head_dim; d++) {
                const double *row = x + r * 3 * hidden + h * c->head_dim + d;

                q2 += row[0] * row[0];
                k2 += row[hidden] * row[hidden];
                v_most = fmax(v_most, fabs(row[2 * hidden]));
            }
            q_most = fmax(q_most, sqrt(q2));
            k_most = fmax(k_most, sqrt(k2));
        }
    double moved =
        turned ? 2 * 0x1p-8 * q_most * k_most / sqrt(c->head_dim) : 0;
    return v_most * (0x1p-7 + 2 * expm1(moved) + 0x1p-14);
}

static void
check_against_oracle(const struct attention_case *c, const uint16_t *out,
                     bool turned)
{
    int64_t hidden = (int64_t)c->heads * c->head_dim;
    double *x = exact_inputs(c, turned);
    double *exact = calloc((size_t)(c->rows * 3 * hidden), sizeof(double));
    int64_t *rows = malloc((size_t)c->rows * sizeof(int64_t));
    double bound = bound_of(c, x, turned);

    for (int64_t r = 0; r < c->rows; r++)
        rows[r] = r;
    for (int s = 0; s < c->n_segments; s++)
        for (int h = 0; h < c->heads; h++) {
            const double *q = x + h * c->head_dim;

            oracle_attention(exact + h * c->head_dim, q, q + hidden,
                             q + 2 * hidden, 3 * hidden, c->head_dim,
                             rows + c->cu[s], c->lengths[s]);
        }
    for (int64_t r = 0; r < c->rows; r++)
        for (int64_t d = 0; d < hidden; d++) {
            double truth = exact[r * 3 * hidden + d];
            double value = bf16_value(out[r * hidden + d]);

            ck_assert_msg(fabs(value - truth) <= bound,
                          "row %d column %d: %g, not %g within %g", (int)r,
                          (int)d, value, truth, bound);
        }
    free(x);
    free(exact);
    free(rows);
}

static void
check_case(struct attention_case *c, bool windows)
{
    size_t bytes = (size_t)c->rows * (size_t)(c->heads * c->head_dim) * 2;
    uint16_t *out = malloc(bytes);

    ck_assert_int_eq(oriel_cuda_window_attention_prepare(c->head_dim),
                     cudaSuccess);
    ck_assert_int_eq(oriel_cuda_full_attention_prepare(c->head_dim),
                     cudaSuccess);
    device_check_schedules(windows ? run_windows : run_full, c, out, bytes,
                           NULL);
    check_against_oracle(c, out, windows);
    free(out);
}

static const int every_window[][MOST_SEGMENTS] = {
    {64},
    {4, 8, 12, 16, 20, 24, 28, 32},
    {36, 40, 44, 48, 52, 56, 60, 64},
    {1, 15, 16, 17, 31, 33, 63, 2},
};

START_TEST(windows_of_every_length)
{
    int n = 0;

    while (n < MOST_SEGMENTS && every_window[_i][n])
        n++;
    struct attention_case c = make_case(1, 80, every_window[_i], n, 2, 0);

    check_case(&c, true);
    free_case(&c);
}
END_TEST

static const int head_dims[] = {8, 16, 24, 64, 72, 80, 96, 128};

START_TEST(windows_of_every_head_dim)
{
    static const int lengths[] = {16, 24, 8};
    struct attention_case c = make_case(2, head_dims[_i], lengths, 3, 1, 8);

    check_case(&c, true);
    free_case(&c);
}
END_TEST

static const int frames[][3] = {{4}, {64, 1}, {65, 127}, {128, 129}, {300, 12}};

START_TEST(frames_of_any_length)
{
    int n = frames[_i][1] ? 2 : 1;
    struct attention_case c = make_case(1, 80, frames[_i], n, 2, 0);

    check_case(&c, false);
    free_case(&c);
}
END_TEST

START_TEST(frames_of_every_head_dim)
{
    static const int lengths[] = {68, 20};
    struct attention_case c = make_case(2, head_dims[_i], lengths, 2, 1, 8);

    check_case(&c, false);
    free_case(&c);
}
END_TEST

/* Scores of hundreds, either sign: only with the true maximum of every row does
   no exponential overflow and no sum vanish. */
START_TEST(scores_beyond_any_exponent)
{
    static const int lengths[] = {20, 64, 49};
    struct attention_case c = make_case(1, 80, lengths, 3, 40, 0);

    check_case(&c, _i);
    free_case(&c);
}
END_TEST

/* What a neighbour holds must not reach a segment, not even as 0 x NaN: neither
   the middle one's values nor the first one's, which lie where an index that was
   not meant to be used would point. */
START_TEST(neighbours_do_not_reach)
{
    static const int lengths[] = {20, 12, 36};
    static const uint16_t poison[] = {0x7fc0, 0x7f80, 0xff80};
    struct attention_case c = make_case(1, 80, lengths, 3, 1, 0);
    size_t row = 3 * 80, bytes = (size_t)c.rows * 80 * 2;
    uint16_t *clean = malloc(bytes), *dirty = malloc(bytes);
    device_run *run = _i % 2 ? run_windows : run_full;
    int bad = _i / 2;

    ck_assert_int_eq(oriel_cuda_window_attention_prepare(80), cudaSuccess);
    ck_assert_int_eq(oriel_cuda_full_attention_prepare(80), cudaSuccess);
    device_check_schedules(run, &c, clean, bytes, NULL);
    for (int64_t r = c.cu[bad]; r < c.cu[bad + 1]; r++)
        for (size_t d = 0; d < row; d++)
            c.qkv[(size_t)r * row + d] = poison[((size_t)r + d) % 3];
    device_release(c.d_qkv);
    c.d_qkv = device_upload(c.qkv, (size_t)c.rows * row * 2);
    device_check_schedules(run, &c, dirty, bytes, NULL);
    for (int64_t r = 0; r < c.rows; r++)
        if (r < c.cu[bad] || r >= c.cu[bad + 1])
            ck_assert_mem_eq(clean + r * 80, dirty + r * 80, 160);
    free(clean);
    free(dirty);
    free_case(&c);
}
END_TEST

/* An infinite value is infinite in every row that sees it: no key that is not
   there meets it as 0 x Inf. */
START_TEST(infinity_stays_infinite)
{
    static const int lengths[] = {20};
    struct attention_case c = make_case(1, 80, lengths, 1, 1, 0);
    size_t row = 3 * 80, bytes = (size_t)c.rows * 80 * 2;
    uint16_t *out = malloc(bytes);

    c.qkv[160] = 0x7f80; /* v of the first row, column 0 */
    device_release(c.d_qkv);
    c.d_qkv = device_upload(c.qkv, (size_t)c.rows * row * 2);
    ck_assert_int_eq(oriel_cuda_window_attention_prepare(80), cudaSuccess);
    ck_assert_int_eq(oriel_cuda_full_attention_prepare(80), cudaSuccess);
    device_check_schedules(_i ? run_windows : run_full, &c, out, bytes, NULL);
    for (int64_t r = 0; r < c.rows; r++)
        for (int d = 0; d < 80; d++)
            ck_assert_msg(d ? isfinite(bf16_value(out[r * 80 + d]))
                            : out[r * 80] == 0x7f80,
                          "row %d column %d: %#x", (int)r, d, out[r * 80 + d]);
    free(out);
    free_case(&c);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("attention");
    TCase *windows = tcase_create("windows");
    TCase *full = tcase_create("full");

    tcase_set_timeout(windows, 120);
    tcase_set_timeout(full, 120);
    tcase_add_loop_test(windows, windows_of_every_length, 0,
                        COUNT(every_window));
    tcase_add_loop_test(windows, windows_of_every_head_dim, 0,
                        COUNT(head_dims));
    tcase_add_loop_test(windows, neighbours_do_not_reach, 0, 4);
    tcase_add_loop_test(windows, infinity_stays_infinite, 0, 2);
    tcase_add_loop_test(windows, scores_beyond_any_exponent, 0, 2);
    tcase_add_loop_test(full, frames_of_any_length, 0, COUNT(frames));
    tcase_add_loop_test(full, frames_of_every_head_dim, 0, COUNT(head_dims));
    suite_add_tcase(suite, windows);
    suite_add_tcase(suite, full);
    return run_suite(suite);
}
