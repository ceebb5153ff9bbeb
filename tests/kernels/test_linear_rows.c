/* SPDX-License-Identifier: Apache-2.0 */
/* The last linear layer: rows to their places, in three dtypes. */
#include "base/half.h"
#include "kernels/linear_case.h"
#include "support/suite.h"

#include <math.h>
#include <stdlib.h>

static const linear_shape shapes[] = {
    {1, 16, 8}, {20, 48, 136}, {129, 144, 192}, {17, 40, 24}};
enum { RANDOM_SHAPES = 2 };
enum { GAP_BYTES = 32 };

struct rows_case {
    linear_case linear;
    int32_t *places, *row_index; /* row_index NULL: there is none */
    device_buffer d_places, d_row_index;
    int32_t dtype, out_rows;
    int64_t row_bytes;
};

static cudaError_t
run(void *context, void *out)
{
    const struct rows_case *c = context;
    oriel_linear_rows_args args = {
        .x = c->linear.d_x.data,
        .weight = c->linear.d_weight.data,
        .bias = c->linear.d_bias.data,
        .places = c->d_places.data,
        .row_index = c->row_index ? c->d_row_index.data : NULL,
        .out = out,
        .row_bytes = c->row_bytes,
        .out_rows = c->out_rows,
        .rows = c->linear.rows,
        .columns = c->linear.columns,
        .depth = c->linear.depth,
        .dtype = c->dtype,
    };

    return oriel_cuda_linear_rows(&args, NULL);
}

static double
value_of(const void *row, int32_t column, int32_t dtype)
{
    if (dtype == ORIEL_CUDA_F32)
        return (double)((const float *)row)[column];
    uint16_t half = ((const uint16_t *)row)[column];

    return (double)(dtype == ORIEL_CUDA_BF16 ? oriel_bf16_to_f32(half)
                                             : oriel_f16_to_f32(half));
}

/* Where row 'r' goes; -1: nowhere. */
static int32_t
place_of(const struct rows_case *c, int64_t r)
{
    int32_t place = c->places[r];

    if (c->row_index)
        place = c->row_index[place];
    return place >= 0 && place < c->out_rows ? place : -1;
}

/* Rows that none was stored in keep their bytes. */
static void
check_others(const struct rows_case *c, const char *out, const char *initial)
{
    for (int32_t row = 0; row < c->out_rows; row++) {
        bool stored = false;

        for (int64_t r = 0; r < c->linear.rows; r++)
            stored = stored || place_of(c, r) == row;
        if (!stored)
            ck_assert_mem_eq(out + row * c->row_bytes,
                             initial + row * c->row_bytes,
                             (size_t)c->row_bytes);
    }
}

static void
check(const struct rows_case *c, const char *out, const char *initial)
{
    static const double roundings[] = {0, 0x1p-24, 0x1p-8, 0x1p-11};
    const linear_case *l = &c->linear;
    int64_t width = l->columns * (c->dtype == ORIEL_CUDA_F32 ? 4 : 2);

    for (int64_t r = 0; r < l->rows; r++) {
        int32_t place = place_of(c, r);
        const char *row = out + place * c->row_bytes;

        if (place < 0)
            continue;
        for (int32_t j = 0; j < l->columns; j++) {
            double truth = l->exact[r * l->columns + j];
            double bound = fabs(truth) * roundings[c->dtype] +
                           l->slack[r * l->columns + j] +
                           (c->dtype == ORIEL_CUDA_F16 ? 0x1p-25 : 0);

            ck_assert(fabs(value_of(row, j, c->dtype) - truth) <= bound);
        }
        ck_assert_mem_eq(row + width, initial + place * c->row_bytes + width,
                         (size_t)(c->row_bytes - width));
    }
}

/* Of a matrix with more rows than there are: some are skipped, and some lead
   out of it on either side. */
static void
make_row_index(struct rows_case *c)
{
    static const int32_t outside[] = {-1, -2, INT32_MIN, INT32_MAX};
    int32_t rows = (int32_t)c->linear.rows;

    c->out_rows = rows + 7;
    c->row_index = malloc((size_t)rows * sizeof(int32_t));
    for (int32_t r = 0; r < rows; r++)
        c->row_index[r] = c->out_rows - 1 - r;
    for (int32_t r = 0; r < rows; r += 3)
        c->row_index[r] = r % 2 ? c->out_rows : outside[r / 3 % 4];
    c->d_row_index =
        device_upload(c->row_index, (size_t)rows * sizeof(int32_t));
}

static void
check_shape(linear_shape shape, int32_t dtype, bool outliers, bool indexed)
{
    struct rows_case c = {.linear = linear_case_make(shape), .dtype = dtype};
    int64_t rows = c.linear.rows;
    random_stream random = {5};

    c.row_bytes = (c.linear.columns * (c.dtype == ORIEL_CUDA_F32 ? 4 : 2) +
                   GAP_BYTES + 15) /
                  16 * 16;
    c.places = malloc((size_t)rows * sizeof(int32_t));
    for (int64_t r = 0; r < rows; r++) {
        int64_t other = random_between(&random, 0, r);

        c.places[r] = c.places[other];
        c.places[other] = (int32_t)r;
    }
    c.d_places = device_upload(c.places, (size_t)rows * sizeof(int32_t));
    c.out_rows = (int32_t)rows;
    if (indexed)
        make_row_index(&c);
    size_t bytes = (size_t)(c.out_rows * c.row_bytes);
    char *out = malloc(bytes), *initial = malloc(bytes);

    for (size_t i = 0; i < bytes; i++)
        initial[i] = (char)random_u64(&random);
    if (outliers)
        linear_case_add_outliers(&c.linear);
    ck_assert_int_eq(oriel_cuda_linear_rows_prepare(NULL), cudaSuccess);
    device_check_schedules(run, &c, out, bytes, initial);
    check(&c, out, initial);
    check_others(&c, out, initial);
    device_release(c.d_places);
    if (indexed)
        device_release(c.d_row_index);
    free(c.row_index);
    free(c.places);
    free(out);
    free(initial);
    linear_case_free(&c.linear);
}

START_TEST(matches_the_oracle)
{
    check_shape(linear_shape_at(shapes, COUNT(shapes), _i / 3), _i % 3 + 1,
                _i / 3 % 2, false);
}
END_TEST

START_TEST(rows_go_where_row_index_says)
{
    check_shape(shapes[_i / 3], _i % 3 + 1, false, true);
}
END_TEST

/* The bound allows for these; fp32 hides nothing of it.  _i: outliers. */
START_TEST(on_tensor_cores_that_truncate)
{
    device_set_adversarial(true);
    check_shape((linear_shape){20, 40, 3456}, ORIEL_CUDA_F32, _i, false);
    device_set_adversarial(false);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("linear_rows");
    TCase *tcase = tcase_create("linear_rows");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, matches_the_oracle, 0,
                        3 * (COUNT(shapes) + RANDOM_SHAPES));
    tcase_add_loop_test(tcase, rows_go_where_row_index_says, 0,
                        3 * (int)COUNT(shapes));
    tcase_add_loop_test(tcase, on_tensor_cores_that_truncate, 0, 2);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
