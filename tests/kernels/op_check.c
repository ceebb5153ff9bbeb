/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/op_check.h"

#include "ops/linear.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

op_case
op_check_make(const op *which, const op_shape *shape, uint64_t seed)
{
    op_case c;

    ck_assert_int_eq(op_case_make(&c, which, shape, seed), 0);
    return c;
}

void
op_check_send(op_array *a)
{
    ck_assert_int_eq(op_array_send(a), 0);
}

cudaError_t
op_run(void *context, void *out)
{
    const op_case *c = context;

    return c->op->run(c, 0, c->rows, out);
}

cudaError_t
op_run_rows(void *context, void *out)
{
    const op_rows *r = context;

    return r->c->op->run(r->c, r->first, r->rows, out);
}

void *
op_check_run_from(op_case *c, const void *initial)
{
    const size_t bytes = op_case_out_bytes(c);
    void *out = malloc(bytes + 1);

    device_check_schedules(op_run, c, out, bytes, initial);
    return out;
}

void *
op_check_run(op_case *c)
{
    return op_check_run_from(c, c->initial.host);
}

void
op_check_rows(const op_case *c, const void *out, int64_t first, int64_t rows)
{
    const size_t n = (size_t)(rows * c->columns);
    double *exact = malloc(n * sizeof(*exact) + 1);
    double *bound = malloc(n * sizeof(*bound) + 1);

    c->op->exact(c, first, rows, exact, bound);
    for (int64_t r = 0; r < rows; r++) {
        const int64_t place = op_case_place(c, first + r);
        const char *row = (const char *)out + place * c->row_bytes;

        for (int32_t j = 0; place >= 0 && j < c->columns; j++) {
            const size_t i = (size_t)(r * c->columns + j);
            const double value = op_case_value(c, row, j);

            ck_assert_msg(fabs(value - exact[i]) <= bound[i],
                          "%s, row %d column %d: %g, not %g within %g",
                          c->op->name, (int)(first + r), (int)j, value,
                          exact[i], bound[i]);
        }
    }
    free(exact);
    free(bound);
}

void
op_check_case(op_case *c)
{
    void *out = op_check_run(c);

    op_check_rows(c, out, 0, c->rows);
    free(out);
}

void
op_check(const op *which, const op_shape *shape, uint64_t seed)
{
    op_case c = op_check_make(which, shape, seed);

    op_check_case(&c);
    op_case_free(&c);
}

void
op_check_counted(op_case *c, int32_t more)
{
    void *expected = op_check_run(c), *got;

    ck_assert_int_eq(op_case_count(c, more), 0);
    got = op_check_run(c);
    ck_assert_mem_eq(got, expected, op_case_out_bytes(c));
    free(got);
    free(expected);
}

op_shape
product_shape_at(const product_shape *chosen, size_t n, int i)
{
    random_stream random = {(uint64_t)i};
    product_shape s;

    if ((size_t)i < n)
        s = chosen[i];
    else
        s = (product_shape){.rows = (int)random_between(&random, 1, 300),
                            .columns = 8 * (int)random_between(&random, 1, 24),
                            .depth = 8 * (int)random_between(&random, 1, 60)};
    return (op_shape){.rows = s.rows, .columns = s.columns, .depth = s.depth};
}

uint64_t
product_seed(const op_shape *shape)
{
    return (uint64_t)(shape->rows * 7 + shape->columns);
}

/* ---- Rows that go to places ------------------------------------------------ */

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

void
op_check_places(const op *which, const op_shape *given, bool outliers,
                bool indexed)
{
    int32_t places[ROWS_MOST], row_index[ROWS_MOST];
    op_shape shape = *given;
    random_stream random = {6};
    char *out, *initial;
    op_case c;

    ck_assert_int_le(shape.rows, ROWS_MOST);
    make_places(places, shape.rows);
    shape.places = places;
    shape.row_bytes = (shape.columns * (shape.dtype == ORIEL_CUDA_F32 ? 4 : 2) +
                       GAP_BYTES + 15) /
                      16 * 16;
    if (indexed)
        make_row_index(row_index, &shape);
    c = op_check_make(which, &shape, product_seed(&shape));
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

/* ---- Attention --------------------------------------------------------------- */

op_case
attention_make(bool windows, int heads, int head_dim, const int *lengths, int n,
               double scale, double v_mean)
{
    int32_t cu[SEGMENTS_MOST + 1] = {0};
    const op_shape shape = {.heads = heads,
                            .head_dim = head_dim,
                            .cu = cu,
                            .n_segments = n,
                            .scale = scale,
                            .v_mean = v_mean};

    ck_assert_int_le(n, SEGMENTS_MOST);
    for (int s = 0; s < n; s++)
        cu[s + 1] = cu[s] + lengths[s];
    return op_check_make(windows ? &op_window_attention : &op_full_attention,
                         &shape, (uint64_t)(head_dim * 100 + n));
}

int32_t *
attention_cu(const op_case *c)
{
    return c->index[OP_SEGMENTS].host;
}

uint16_t *
attention_qkv(const op_case *c)
{
    return c->x.host;
}

void
attention_choose_tiles(op_case *c, const int32_t (*tiles)[3], int n)
{
    ck_assert_ptr_eq(c->op, &op_full_attention);
    ck_assert_int_le(n, c->n_work);
    memcpy(c->index[OP_WORK].host, tiles, (size_t)n * sizeof(*tiles));
    c->n_work = n;
    op_check_send(&c->index[OP_WORK]);
}

void
attention_check_tiles(const op_case *c, const uint16_t *out, int64_t step)
{
    enum { QUERIES = 128 };
    const int32_t(*tiles)[3] = c->index[OP_WORK].host;
    bool *has = calloc((size_t)c->rows, sizeof(*has));

    for (int32_t t = 0; t < c->n_work; t++) {
        const int64_t first = tiles[t][0] + tiles[t][2];
        const int64_t rest = tiles[t][1] - tiles[t][2];
        const int64_t n = rest < QUERIES ? rest : QUERIES;

        memset(has + first, true, (size_t)n);
        if (step == 1)
            op_check_rows(c, out, first, n);
        for (int64_t q = 0; step > 1 && q < n; q += step)
            op_check_rows(c, out, first + q, 1);
    }
    for (int64_t i = 0; i < c->rows * c->columns; i++)
        if (!has[i / c->columns])
            ck_assert_uint_eq(out[i], 0xffff);
    free(has);
}
