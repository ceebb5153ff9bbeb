/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_oracle.c - the oracle against the fixture that two independent fp64
 * formulations agreed on, and its parts against closed forms
 */
#include "oracle/oracle.h"
#include "support/networks.h"
#include "support/suite.h"

#include <math.h>
#include <stdlib.h>

/* ---- The fixture: a tiny network, its fill and its printed digits -------- */

static const int64_t grids[3][3] = {{1, 10, 14}, {2, 8, 8}, {1, 2, 2}};

static double
fill_value(uint64_t seed, uint64_t i, double scale, double offset)
{
    uint64_t x = (seed << 32) + i;

    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    x ^= x >> 31;
    return ((double)(x >> 40) / 16777216.0 * 2.0 - 1.0) * scale + offset;
}

typedef struct fill {
    oriel_tensor tensor;
    double scale, offset;
} fill;

static const fill block_fill[] = {
    {ORIEL_TENSOR_NORM1, .2, 1.0},        {ORIEL_TENSOR_NORM2, .2, 1.0},
    {ORIEL_TENSOR_QKV_WEIGHT, .35, 0.0},  {ORIEL_TENSOR_QKV_BIAS, .1, 0.0},
    {ORIEL_TENSOR_PROJ_WEIGHT, .2, 0.0},  {ORIEL_TENSOR_PROJ_BIAS, .1, 0.0},
    {ORIEL_TENSOR_GATE_WEIGHT, .25, 0.0}, {ORIEL_TENSOR_GATE_BIAS, .1, 0.0},
    {ORIEL_TENSOR_UP_WEIGHT, .25, 0.0},   {ORIEL_TENSOR_UP_BIAS, .1, 0.0},
    {ORIEL_TENSOR_DOWN_WEIGHT, .25, 0.0}, {ORIEL_TENSOR_DOWN_BIAS, .1, 0.0},
};
static const fill last_fill[] = {
    {ORIEL_TENSOR_MERGER_NORM, .2, 1.0},
    {ORIEL_TENSOR_MERGER_FC1_WEIGHT, .1, 0.0},
    {ORIEL_TENSOR_MERGER_FC1_BIAS, .1, 0.0},
    {ORIEL_TENSOR_MERGER_FC2_WEIGHT, .1, 0.0},
    {ORIEL_TENSOR_MERGER_FC2_BIAS, .1, 0.0},
};

static void
fill_tensor(const oracle_weights *weights, const fill *f, int32_t block,
            uint64_t *seed)
{
    oriel_tensor_shape shape = oriel_tensor_get_shape(&fixture_tiny, f->tensor);
    double *values = oracle_weights_get(weights, f->tensor, block);

    for (int64_t i = 0; i < shape.rows * shape.columns; i++)
        values[i] = fill_value(*seed, (uint64_t)i, f->scale, f->offset);
    (*seed)++;
}

static oracle_weights *
fixture_weights(void)
{
    static const fill embed = {ORIEL_TENSOR_PATCH_EMBED, .1, 0.0};
    oracle_weights *weights = oracle_weights_create(&fixture_tiny);
    uint64_t seed = 1;

    fill_tensor(weights, &embed, 0, &seed);
    for (int32_t b = 0; b < fixture_tiny.depth; b++)
        for (size_t i = 0; i < COUNT(block_fill); i++)
            fill_tensor(weights, &block_fill[i], b, &seed);
    for (size_t i = 0; i < COUNT(last_fill); i++)
        fill_tensor(weights, &last_fill[i], 0, &seed);
    ck_assert_uint_eq(seed, 55);
    return weights;
}

static oracle_result *
fixture_result(void)
{
    int64_t rows = oracle_count_patches(grids, 3);
    int64_t columns = oriel_network_patch_columns(&fixture_tiny);
    double *pixels = oracle_alloc((size_t)(rows * columns), sizeof(*pixels));
    oracle_weights *weights = fixture_weights();
    oracle_result *result;

    ck_assert_int_eq(rows, 272);
    ck_assert_int_eq(columns, 96);
    for (int64_t i = 0; i < rows * columns; i++)
        pixels[i] = fill_value(1000, (uint64_t)i, 2.0, 0.0);
    ck_assert_double_eq_tol(pixels[0], 1.4707419872283936, 1e-16);
    ck_assert_double_eq_tol(
        oracle_weights_get(weights, ORIEL_TENSOR_PATCH_EMBED, 0)[1],
        -0.07479380369186402, 1e-17);
    result = oracle_encode(weights, pixels, grids, 3, 1);
    free(pixels);
    oracle_weights_free(weights);
    return result;
}

typedef struct printed {
    int32_t hidden; /* -1: embeddings */
    int32_t row;    /* image order */
    double value[4];
} printed;

/* Rows 64 and 271 in window order are rows 16 and 271 in image order. */
static const printed table[] = {
    {0, 0, {-0.697316576, 0.121505722, -0.0281378349, 0.337560676}},
    {0, 139, {0.289843174, 0.812252943, 0.295823228, -0.0463510728}},
    {1, 0, {-0.575597718, -0.316669149, 0.195846925, 0.369365749}},
    {1, 16, {-1.08754332, 0.395229514, -0.197475336, 0.141222891}},
    {4, 0, {-0.327452949, 0.725553333, -0.579371571, -0.220043296}},
    {4, 271, {-2.17896294, 1.52293889, 1.28052112, -1.12325953}},
    {-1, 0, {0.0757509746, 0.778269737, 0.826331247, 0.130211589}},
    {-1, 4, {-0.00847337151, 0.340396548, 0.760371271, 0.329459262}},
    {-1, 16, {0.459440511, 0.535544228, 0.888144939, -0.240363216}},
    {-1, 34, {-0.153332282, 0.196709447, 0.620648845, -0.451802041}},
    {-1, 35, {0.0410875955, 0.243918846, 0.119946485, 0.266043917}},
    {-1, 50, {0.0432101677, 0.224794046, 0.280526144, -0.282855658}},
    {-1, 51, {0.637352492, 0.0635104606, 0.0211555107, -0.00863460305}},
    {-1, 67, {0.377561824, 0.832862299, -0.103652744, -0.424603469}},
};

START_TEST(reproduces_every_printed_digit)
{
    oracle_result *result = fixture_result();
    double sum = 0.0, squares = 0.0;

    for (size_t i = 0; i < COUNT(table); i++) {
        const printed *p = &table[i];
        int32_t width = p->hidden < 0 ? 24 : 32;
        const double *row =
            (p->hidden < 0 ? result->embeddings : result->hidden[p->hidden]) +
            (int64_t)p->row * width;

        for (int32_t j = 0; j < 4; j++) /* half a unit of the ninth digit */
            ck_assert_double_le(
                fabs(row[j] - p->value[j]),
                0.5001 * pow(10.0, floor(log10(fabs(p->value[j]))) - 8.0));
    }
    for (int64_t i = 0; i < 68 * 24; i++) {
        sum += result->embeddings[i];
        squares += result->embeddings[i] * result->embeddings[i];
    }
    ck_assert_double_eq_tol(sum, 76.3343682671, 0.6e-10);
    ck_assert_double_eq_tol(squares, 165.361507726, 0.6e-9);
    oracle_result_free(result);
}
END_TEST

/* ---- Parts ---------------------------------------------------------------- */

START_TEST(norm_of_equal_values_is_the_weight)
{
    double x[6] = {3, 3, 3, -7, -7, -7}, w[3] = {1, 2, -4}, y[6];

    oracle_rms_norm(y, x, w, 2, 3, 0.0);
    for (int i = 0; i < 3; i++) {
        ck_assert_double_eq_tol(y[i], w[i], 1e-15);
        ck_assert_double_eq_tol(y[3 + i], -w[i], 1e-15);
    }
}
END_TEST

START_TEST(rope_keeps_lengths_and_relative_angles)
{
    double a[16], b[16], c[16], d[16], near = 0.0, far = 0.0;

    for (int i = 0; i < 16; i++) {
        a[i] = c[i] = fill_value(7, (uint64_t)i, 1.0, 0.0);
        b[i] = d[i] = fill_value(8, (uint64_t)i, 1.0, 0.0);
    }
    oracle_rope(a, 1, 16, 10000.0, 3, 5, 1);
    oracle_rope(b, 1, 16, 10000.0, 10, 2, 1);
    oracle_rope(c, 1, 16, 10000.0, 103, 65, 1);
    oracle_rope(d, 1, 16, 10000.0, 110, 62, 1);
    for (int i = 0; i < 16; i++) {
        near += a[i] * b[i];
        far += c[i] * d[i];
    }
    ck_assert_double_eq_tol(near, far, 1e-12);
}
END_TEST

START_TEST(rope_turns_rows_before_columns)
{
    /* head_dim 8: frequencies 1, 1/100; element 0 turns with the row, 2 with
       the column, against 4 and 6. */
    double x[8] = {1, 0, 1, 0, 0, 0, 0, 0};

    oracle_rope(x, 1, 8, 10000.0, 1, 2, 1);
    ck_assert_double_eq_tol(x[0], cos(1.0), 1e-15);
    ck_assert_double_eq_tol(x[4], sin(1.0), 1e-15);
    ck_assert_double_eq_tol(x[2], cos(2.0), 1e-15);
    ck_assert_double_eq_tol(x[6], sin(2.0), 1e-15);
}
END_TEST

START_TEST(attention_of_one_row_is_its_value)
{
    double q[4] = {1, 2, 3, 4}, v[4] = {5, -6, 7, 8}, out[4];
    int64_t row = 0;

    oracle_attention(out, q, q, v, 4, 4, &row, 1);
    for (int i = 0; i < 4; i++)
        ck_assert_double_eq(out[i], v[i]);
}
END_TEST

START_TEST(activations_have_their_known_values)
{
    double x[4] = {0.0, 1.0, -1.0, -12.0}, one[4] = {1, 1, 1, 1}, y[4];

    oracle_gelu(y, x, 4);
    ck_assert_double_eq(y[0], 0.0);
    ck_assert_double_eq_tol(y[1], 0.8413447460685429, 1e-15);
    ck_assert_double_eq_tol(y[2], -0.15865525393145707, 1e-15);
    ck_assert_double_eq_tol(y[3] / (-12.0 * 1.7764821120776e-33), 1.0, 1e-11);
    oracle_swiglu(y, x, one, 4);
    ck_assert_double_eq_tol(y[1], 0.7310585786300049, 1e-15);
    ck_assert_double_eq_tol(y[2], -0.2689414213699951, 1e-15);
}
END_TEST

START_TEST(windows_of_a_ragged_frame)
{
    const int64_t grid[1][3] = {{1, 10, 14}}; /* 5 x 7 tokens: 4 windows */
    static const int64_t lengths[4] = {64, 48, 16, 12};
    oracle_segments *s = oracle_segments_create(grid, 1, 2, 4);

    ck_assert_int_eq(s->n, 4);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(s->first[i + 1] - s->first[i], lengths[i]);
    ck_assert_int_eq(s->rows[64], 16); /* token 4, its first patch */
    oracle_segments_free(s);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("oracle");
    TCase *tc = tcase_create("oracle");

    tcase_add_test(tc, reproduces_every_printed_digit);
    tcase_add_test(tc, norm_of_equal_values_is_the_weight);
    tcase_add_test(tc, rope_keeps_lengths_and_relative_angles);
    tcase_add_test(tc, rope_turns_rows_before_columns);
    tcase_add_test(tc, attention_of_one_row_is_its_value);
    tcase_add_test(tc, activations_have_their_known_values);
    tcase_add_test(tc, windows_of_a_ragged_frame);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
