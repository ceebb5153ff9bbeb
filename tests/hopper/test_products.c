/* SPDX-License-Identifier: Apache-2.0 */
/* The products by wgmma, against double precision and against each other. */
#include "kernels/op_check.h"
#include "ops/hopper.h"
#include "ops/linear.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

/* Both sides of the edges of both sizes of tiles, in rows, columns and depth; first
   the one with most of them, so that a mistake shows soon. */
static const product_shape shapes[] = {
    {257, 264, 200}, {1, 16, 8},    {4, 256, 64}, {63, 128, 72},
    {64, 264, 128},  {65, 160, 40}, {129, 8, 24}, {130, 168, 256},
    {140, 512, 320}, {2, 320, 640},
};
enum { RANDOM_SHAPES = 2, SHAPES = COUNT(shapes) + RANDOM_SHAPES };
/* The first ones, whose pairs of row tiles are whole and not. */
enum { FEW_SHAPES = 2 };

/* Fewer blocks than tiles, so that some take several. */
enum { BLOCKS = 2 };

static const struct {
    const op *of;
    int32_t small, dtype;
    bool wide;
    int32_t pairs, skew;
    bool few; /* shapes, since the others are of other kinds of the op */
} kinds[] = {
    {&op_linear, 0, 0, false, 0, 0, false},
    {&op_linear, 1, 0, false, 0, 0, false},
    {&op_linear_residual, 0, 0, false, 0, 0, false},
    {&op_linear_residual, 1, 0, false, 0, 0, false},
    {&op_linear_residual, 0, 0, true, 0, 0, false},
    {&op_linear_residual, 1, 0, true, 0, 0, false},
    {&op_linear_swiglu, 0, 0, false, 0, 0, false},
    {&op_linear_gelu, 0, 0, false, 0, 0, false},
    {&op_linear_gelu, 1, 0, false, 0, 0, false},
    {&op_linear_rows, 0, ORIEL_CUDA_F32, false, 0, 0, false},
    {&op_linear_rows, 1, ORIEL_CUDA_F32, false, 0, 0, false},
    {&op_linear_rows, 0, ORIEL_CUDA_BF16, false, 0, 0, false},
    {&op_linear_rows, 1, ORIEL_CUDA_F16, false, 0, 0, false},
    {&op_linear, 0, 0, false, 1, 0, false},
    {&op_linear_swiglu, 0, 0, false, 0, 1, false},
    {&op_linear_residual, 0, 0, true, 1, 1, false},
    {&op_linear, 0, 0, false, 1, 1, true},
    {&op_linear_residual, 0, 0, false, 1, 1, true},
    {&op_linear_swiglu, 0, 0, false, 1, 1, true},
    {&op_linear_gelu, 0, 0, false, 1, 1, true},
    {&op_linear_rows, 0, ORIEL_CUDA_F32, false, 1, 1, true},
};
enum { KINDS = COUNT(kinds) };

/* Rows that change places: the last is stored first. */
static const int32_t *
reverse(int64_t rows)
{
    enum { ROWS_MOST = 1024 };
    static int32_t places[ROWS_MOST];

    ck_assert_int_le(rows, ROWS_MOST);
    for (int64_t r = 0; r < rows; r++)
        places[r] = (int32_t)(rows - 1 - r);
    return places;
}

static op_hopper
kind_of(int kind)
{
    op_hopper h = op_hopper_make(kinds[kind].of, kinds[kind].small, BLOCKS);

    h.pairs = kinds[kind].pairs;
    h.skew = kinds[kind].skew;
    return h;
}

/* i odd: with outliers. */
static op_case
make(const op_hopper *h, int kind, int i)
{
    op_shape shape = product_shape_at(shapes, COUNT(shapes), i);
    op_case c;

    if (kinds[kind].of == &op_linear_rows)
        shape.places = reverse(shape.rows);
    shape.wide = kinds[kind].wide;
    shape.dtype = kinds[kind].dtype;
    if (kinds[kind].of == &op_linear_swiglu && shape.columns > 8)
        shape.columns = shape.columns / 16 * 8;
    c = op_check_make(&h->op, &shape, product_seed(&shape));
    if (i % 2)
        ck_assert_int_eq(op_add_outliers(&c), 0);
    return c;
}

START_TEST(products_are_exact)
{
    const int kind = _i % KINDS, shape = _i / KINDS;
    const op_hopper h = kind_of(kind);
    op_case c;

    if (kinds[kind].few && shape >= FEW_SHAPES)
        return;
    c = make(&h, kind, shape);
    op_check_case(&c);
    op_case_free(&c);
}
END_TEST

/* Of every kind but linear_rows, whose launches are of one batch. */
START_TEST(rows_are_counted_on_the_device)
{
    const op_hopper h = kind_of(_i);
    op_case c;

    if (kinds[_i].of == &op_linear_rows)
        return;
    c = make(&h, _i, 0);
    op_check_counted(&c, 5000);
    op_case_free(&c);
}
END_TEST

/* Of linear_rows: both sizes of tiles, three dtypes. */
START_TEST(rows_go_where_row_index_says)
{
    const op_hopper h = op_hopper_make(&op_linear_rows, _i % 2, BLOCKS);
    op_shape shape = product_shape_at(shapes, COUNT(shapes), 3);

    shape.dtype = _i / 2 + 1;
    op_check_places(&h.op, &shape, false, true);
}
END_TEST

/* ---- Rows ------------------------------------------------------------------------ */

/* Several tiles of either size. */
static const op_shape some_rows = {.rows = 270, .columns = 264, .depth = 200};

static void *
run_once(const op_case *c, int64_t first, int64_t rows)
{
    const size_t planes = (size_t)op_case_planes(c);
    const size_t bytes = (size_t)(rows * c->row_bytes);
    device_buffer out = device_output(planes * bytes);
    unsigned char *got = malloc(planes * bytes);
    const char *report;

    for (size_t p = 0; c->initial.host && p < planes; p++)
        device_put(out, p * bytes,
                   (const char *)c->initial.host +
                       ((size_t)c->rows * p + (size_t)first) *
                           (size_t)c->row_bytes,
                   bytes);
    ck_assert_int_eq(c->op->run(c, first, rows, out.data), cudaSuccess);
    report = device_finish();
    ck_assert_msg(report[0] == '\0', "%s: %s", c->op->name, report);
    device_download(got, out);
    device_release(out);
    return got;
}

static void
expect_row(const op_case *c, int64_t row, const char *got, int64_t at,
           int64_t rows, const char *expected, const char *what)
{
    const int64_t width = c->row_bytes;

    for (int64_t p = 0; p < op_case_planes(c); p++)
        ck_assert_msg(
            memcmp(got + (p * rows + at) * width,
                   expected + (p * c->rows + row) * width, (size_t)width) == 0,
            "%s: row %d has other bytes %s", c->op->name, (int)row, what);
}

static const struct {
    int32_t small, blocks, pairs, skew;
} others[] = {{0, 1, 0, 0}, {0, 3, 0, 1}, {0, 132, 0, 0},
              {1, 1, 0, 0}, {1, 5, 0, 0}, {1, 132, 0, 0},
              {0, 1, 1, 0}, {0, 4, 1, 1}, {0, 132, 1, 0}};

/* Whatever the tile, the number of blocks, pairs of them, the place and the
   neighbours; on tensor cores that group and truncate. */
START_TEST(rows_are_their_own)
{
    const op_hopper h = kind_of(_i);
    op_shape shape = some_rows;
    op_case c;
    char *expected, *got;
    uint16_t *x;

    if (kinds[_i].few)
        return; /* all of it is among 'others' */
    device_set_adversarial(true);
    shape.wide = kinds[_i].wide;
    shape.dtype = kinds[_i].dtype;
    c = op_check_make(&h.op, &shape, 11);
    expected = run_once(&c, 0, c.rows);
    for (size_t i = 0; i < COUNT(others); i++) {
        op_hopper other =
            op_hopper_make(kinds[_i].of, others[i].small, others[i].blocks);

        other.pairs = others[i].pairs;
        other.skew = others[i].skew;
        if (others[i].small && h.which == ORIEL_HOPPER_SWIGLU)
            continue; /* it has one size of tiles */
        c.op = &other.op;
        got = run_once(&c, 0, c.rows);
        ck_assert_mem_eq(got, expected, op_case_out_bytes(&c));
        free(got);
    }
    c.op = &h.op;
    for (int64_t r = 3; r < c.rows; r += 61) {
        got = run_once(&c, r, 1);
        expect_row(&c, r, got, 0, 1, expected, "alone");
        free(got);
    }
    x = c.x.host;
    for (int64_t r = 0; r < c.rows; r++)
        for (int32_t k = 0; r % 61 != 3 && k < c.depth; k++)
            x[r * c.depth + k] = k % 3 ? 0x7f80 : 0x7fc0;
    op_check_send(&c.x);
    got = run_once(&c, 0, c.rows);
    for (int64_t r = 3; r < c.rows; r += 61)
        expect_row(&c, r, got, r, c.rows, expected, "beside NaN and infinity");
    free(got);
    free(expected);
    op_case_free(&c);
    device_set_adversarial(false);
}
END_TEST

/* ---- Sizes of tiles ---------------------------------------------------------------- */

/* By hand: tiles of the fullest of 132 times the clocks of a step (resources.txt). */
static const struct {
    oriel_hopper_op op;
    int32_t rows, columns, small;
} sizes[] = {
    {ORIEL_HOPPER_LINEAR, 192, 3840, 1},    /* 1 x 384, 1 x 1024 */
    {ORIEL_HOPPER_LINEAR, 1024, 3840, 0},   /* 4 x 384, 1 x 1024 */
    {ORIEL_HOPPER_LINEAR, 65536, 3840, 0},  /* 233 x 384, 59 x 1024 */
    {ORIEL_HOPPER_RESIDUAL, 1024, 1280, 1}, /* 1 x 448, 1 x 736 */
    {ORIEL_HOPPER_RESIDUAL, 2048, 1280, 0}, /* 2 x 448, 1 x 736 */
    {ORIEL_HOPPER_SWIGLU, 4, 6912, 0},
    {ORIEL_HOPPER_GELU, 256, 5120, 1},  /* 1 x 448, 1 x 1024 */
    {ORIEL_HOPPER_GELU, 1369, 5120, 0}, /* 6 x 448, 2 x 1024 */
    {ORIEL_HOPPER_ROWS, 1369, 3584, 1}, /* 5 x 384, 2 x 1024 */
};

START_TEST(the_faster_tiles_are_taken)
{
    ck_assert_int_eq(oriel_cuda_hopper_small(sizes[_i].op, sizes[_i].rows,
                                             sizes[_i].columns, 132),
                     sizes[_i].small);
}
END_TEST

/* ---- Refusals ---------------------------------------------------------------------- */

START_TEST(what_is_out_of_limits_is_refused)
{
    static CUtensorMap map;
    static uint16_t memory[64] __attribute__((aligned(16)));
    const oriel_hopper_product good = {&map, &map, &map, &map, 0, 1, 0, 0};
    const oriel_linear_args fits = {memory, memory, memory, memory, 1,
                                    8,      8,      NULL,   {0}};
    const oriel_linear_swiglu_args gate = {memory, memory, memory, memory,
                                           1,      8,      8,      {0}};

    for (int i = 0; i < 9; i++) {
        oriel_hopper_product by = good;
        oriel_linear_args args = fits;

        switch (i) {
        case 0:
            args.columns = 12;
            break;
        case 1:
            args.depth = 4;
            break;
        case 2:
            args.out++;
            break;
        case 3:
            args.bias = (const uint16_t *)((const char *)memory + 1);
            break;
        case 4:
            args.rows = INT64_C(0x7fffff01);
            break;
        case 5:
            by.blocks = 0;
            break;
        case 6:
            by.x = NULL;
            break;
        case 7:
            args.counted.count = (const int32_t *)((const char *)memory + 2);
            break;
        default:
            by.weight = NULL;
        }
        ck_assert_int_eq(oriel_cuda_hopper_linear(&args, &by, NULL),
                         cudaErrorInvalidValue);
        ck_assert_int_eq(oriel_cuda_hopper_linear_gelu(&args, &by, NULL),
                         cudaErrorInvalidValue);
        ck_assert_int_eq(oriel_cuda_hopper_linear_residual(&args, &by, NULL),
                         cudaErrorInvalidValue);
    }
    oriel_hopper_product by = good;
    oriel_linear_args args = fits;

    by.hi = NULL;
    ck_assert_int_eq(oriel_cuda_hopper_linear_residual(&args, &by, NULL),
                     cudaErrorInvalidValue);
    by = good;
    by.lo = NULL;
    args.lo = memory;
    ck_assert_int_eq(oriel_cuda_hopper_linear_residual(&args, &by, NULL),
                     cudaErrorInvalidValue);
    by = good;
    by.small = 1;
    ck_assert_int_eq(oriel_cuda_hopper_linear_swiglu(&gate, &by, NULL),
                     cudaErrorInvalidValue);
    by.pairs = 1; /* of small tiles there are none */
    ck_assert_int_eq(oriel_cuda_hopper_linear(&fits, &by, NULL),
                     cudaErrorInvalidValue);
    args = fits;
    args.rows = 0; /* nothing to do is no fault */
    ck_assert_int_eq(oriel_cuda_hopper_linear(&args, &good, NULL), cudaSuccess);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("hopper_products");
    TCase *tc = tcase_create("products");

    device_skip_unless(9, 0);
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, products_are_exact, 0, SHAPES * KINDS);
    tcase_add_loop_test(tc, rows_are_counted_on_the_device, 0, COUNT(kinds));
    tcase_add_loop_test(tc, rows_go_where_row_index_says, 0, 6);
    tcase_add_loop_test(tc, rows_are_their_own, 0, COUNT(kinds));
    tcase_add_loop_test(tc, the_faster_tiles_are_taken, 0, COUNT(sizes));
    tcase_add_test(tc, what_is_out_of_limits_is_refused);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
