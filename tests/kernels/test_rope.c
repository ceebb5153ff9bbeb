/* SPDX-License-Identifier: Apache-2.0 */
/* The rotary embedding on the GPU, against double precision. */
#include "oracle/oracle.h"
#include "support/device_case.h"
#include "support/suite.h"

#include "ops.h"

#include <math.h>
#include <stdlib.h>

typedef struct rope_shape {
    int rows, heads, head_dim;
} rope_shape;

static const rope_shape shapes[] = {
    {1, 1, 8}, {3, 2, 16}, {5, 3, 80}, {2, 16, 80}, {2, 2, 128}};
enum { RANDOM_SHAPES = 6 };

static rope_shape
shape_at(int i)
{
    random_stream random = {(uint64_t)i};

    if (i < (int)COUNT(shapes))
        return shapes[i];
    return (rope_shape){(int)random_between(&random, 1, 9),
                        (int)random_between(&random, 1, 16),
                        8 * (int)random_between(&random, 1, 16)};
}

enum { POSITIONS = 1430 }; /* the farthest a picture reaches */

struct rope_case {
    int64_t rows;
    int32_t heads, head_dim;
    device_buffer table, positions;
};

static cudaError_t
run(void *context, void *out)
{
    const struct rope_case *c = context;
    oriel_rope_args args = {out,     c->table.data, c->positions.data,
                            c->rows, c->heads,      c->head_dim};

    return oriel_cuda_rope(&args, NULL);
}

/* The reference's angles: fp32 products of position and fp32 frequency. */
static float *
make_table(int32_t head_dim)
{
    int32_t quarter = head_dim / 4;
    float *table = malloc((size_t)(POSITIONS * quarter * 2) * sizeof(float));

    for (int p = 0; p < POSITIONS; p++)
        for (int j = 0; j < quarter; j++) {
            float frequency = (float)pow(10000.0, -(double)j / quarter);
            double angle = (double)((float)p * frequency);

            table[(p * quarter + j) * 2] = (float)cos(angle);
            table[(p * quarter + j) * 2 + 1] = (float)sin(angle);
        }
    return table;
}

START_TEST(matches_the_oracle)
{
    random_stream random = {(uint64_t)_i + 40};
    rope_shape shape = shape_at(_i);
    struct rope_case c = {
        .rows = shape.rows, .heads = shape.heads, .head_dim = shape.head_dim};
    size_t hidden = (size_t)(c.heads * c.head_dim);
    size_t n = (size_t)c.rows * 3 * hidden;
    uint16_t *qkv = random_bf16(&random, n, 8, 0), *out = malloc(n * 2);
    double *exact = bf16_values(qkv, n);
    int32_t *positions = malloc((size_t)c.rows * 2 * sizeof(int32_t));
    float *table = make_table(c.head_dim);

    for (int64_t i = 0; i < 2 * c.rows; i++)
        positions[i] = (int32_t)random_between(&random, 0, POSITIONS - 1);
    c.table = device_upload(table, (size_t)(POSITIONS * c.head_dim / 2) *
                                       sizeof(float));
    c.positions =
        device_upload(positions, (size_t)c.rows * 2 * sizeof(int32_t));
    ck_assert_int_eq(oriel_cuda_rope_prepare(NULL), cudaSuccess);
    device_check_schedules(run, &c, out, n * 2, qkv);
    for (int64_t r = 0; r < c.rows; r++) {
        double *row = exact + (size_t)r * 3 * hidden;

        oracle_rope(row, 2 * c.heads, c.head_dim, 10000, positions[2 * r],
                    positions[2 * r + 1], 0);
        for (size_t i = 0; i < 3 * hidden; i++) {
            double value = bf16_value(out[(size_t)r * 3 * hidden + i]);
            /* One rounding of a value within the pair's length, 8 sqrt 2, and
               a table good to 2^-23 of each factor. */
            double bound =
                i < 2 * hidden ? fabs(row[i]) * 0x1p-8 + 12 * 0x1p-21 : 0;

            ck_assert_msg(fabs(value - row[i]) <= bound,
                          "row %d value %zu: %g, not %g", (int)r, i, value,
                          row[i]);
        }
    }
    device_release(c.table);
    device_release(c.positions);
    free(qkv);
    free(out);
    free(exact);
    free(positions);
    free(table);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("rope");
    TCase *tcase = tcase_create("rope");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, matches_the_oracle, 0,
                        COUNT(shapes) + RANDOM_SHAPES);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
