/* SPDX-License-Identifier: Apache-2.0 */
/* The last linear layer: rows to their places, in three dtypes. */
#include "kernels/op_check.h"
#include "ops/linear.h"
#include "support/suite.h"

#include <stdlib.h>

static const product_shape shapes[] = {
    {1, 16, 8}, {20, 48, 136}, {129, 144, 192}, {17, 40, 24}};
enum { RANDOM_SHAPES = 2 };
enum { GAP_BYTES = 32, ROWS_MOST = 300 };

/* What lies between rows, and rows that none was stored in, keep their bytes. */
static void
check_others(const op_case *c, const char *out, const char *initial)
{
    const size_t width =
        (size_t)c->columns * (c->dtype == ORIEL_CUDA_F32 ? 4 : 2);

    for (int64_t row = 0; row < c->out_rows; row++) {
        const size_t at = (size_t)(row * c->row_bytes);
        size_t kept = 0;

        for (int64_t r = 0; r < c->rows; r++)
            if (op_case_place(c, r) == row)
                kept = width;
        ck_assert_mem_eq(out + at + kept, initial + at + kept,
                         (size_t)c->row_bytes - kept);
    }
}

static void
make_places(int32_t *places, int64_t rows)
{
    random_stream random = {5};

    for (int64_t r = 0; r < rows; r++) {
        const int64_t other = random_between(&random, 0, r);

        places[r] = places[other];
        places[other] = (int32_t)r;
    }
}

/* Of a matrix with more rows than there are: some are skipped, and some lead
   out of it on either side. */
static void
make_row_index(int32_t *row_index, op_shape *shape)
{
    static const int32_t outside[] = {-1, -2, INT32_MIN, INT32_MAX};
    const int32_t rows = (int32_t)shape->rows;

    shape->out_rows = rows + 7;
    for (int32_t r = 0; r < rows; r++)
        row_index[r] = shape->out_rows - 1 - r;
    for (int32_t r = 0; r < rows; r += 3)
        row_index[r] = r % 2 ? shape->out_rows : outside[r / 3 % 4];
    shape->row_index = row_index;
}

static void
check_shape(op_shape shape, int32_t dtype, bool outliers, bool indexed)
{
    int32_t places[ROWS_MOST], row_index[ROWS_MOST];
    random_stream random = {6};
    char *out, *initial;
    op_case c;

    make_places(places, shape.rows);
    shape.places = places;
    shape.dtype = dtype;
    shape.row_bytes =
        (shape.columns * (dtype == ORIEL_CUDA_F32 ? 4 : 2) + GAP_BYTES + 15) /
        16 * 16;
    if (indexed)
        make_row_index(row_index, &shape);
    c = op_check_make(&op_linear_rows, &shape, product_seed(&shape));
    initial = malloc(op_case_out_bytes(&c));
    for (size_t i = 0; i < op_case_out_bytes(&c); i++)
        initial[i] = (char)random_u64(&random);
    if (outliers)
        ck_assert_int_eq(op_add_outliers(&c), 0);
    out = op_check_run_from(&c, initial);
    op_check_rows(&c, out, 0, c.rows);
    check_others(&c, out, initial);
    free(out);
    free(initial);
    op_case_free(&c);
}

START_TEST(matches_the_oracle)
{
    check_shape(product_shape_at(shapes, COUNT(shapes), _i / 3), _i % 3 + 1,
                _i / 3 % 2, false);
}
END_TEST

START_TEST(rows_go_where_row_index_says)
{
    check_shape(product_shape_at(shapes, COUNT(shapes), _i / 3), _i % 3 + 1,
                false, true);
}
END_TEST

/* The bound allows for these; fp32 hides nothing of it.  _i: outliers. */
START_TEST(on_tensor_cores_that_truncate)
{
    device_set_adversarial(true);
    check_shape((op_shape){.rows = 20, .columns = 40, .depth = 3456},
                ORIEL_CUDA_F32, _i, false);
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
