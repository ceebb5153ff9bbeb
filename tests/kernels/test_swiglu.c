/* SPDX-License-Identifier: Apache-2.0 */
/* SiLU(gate) up of products in memory, against double precision. */
#include "oracle/oracle.h"
#include "support/device_case.h"
#include "support/suite.h"

#include "ops.h"

#include <math.h>
#include <stdlib.h>

/* Less than a block, a block and some, several; and the widest. */
static const struct {
    int rows, columns;
    double scale; /* of gate and up */
} shapes[] = {{1, 8, 4},     {3, 24, 1},      {20, 3456, 8},
              {129, 64, 40}, {257, 16, 2000}, {2, 64, 1e-3}};

struct swiglu_case {
    int64_t rows;
    int32_t columns;
    device_buffer gate_up;
};

static cudaError_t
run(void *context, void *out)
{
    const struct swiglu_case *c = context;
    oriel_swiglu_args args = {c->gate_up.data, out, c->rows, c->columns};

    return oriel_cuda_swiglu(&args, NULL);
}

static void
check(const uint16_t *gate_up, const uint16_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        /* Groups of 8 gates, each before its 8 ups. */
        double gate = bf16_value(gate_up[i / 8 * 16 + i % 8]);
        double up = bf16_value(gate_up[i / 8 * 16 + 8 + i % 8]);
        double value = bf16_value(out[i]), truth, bound;

        oracle_swiglu(&truth, &gate, &up, 1);
        bound =
            (0x1p-8 + 0x1p-20) * fabs(truth) + 0x1p-126 * (1 + fabs(gate * up));
        ck_assert_msg(fabs(value - truth) <= bound,
                      "value %zu: %g, not %g, of %g and %g", i, value, truth,
                      gate, up);
    }
}

START_TEST(matches_the_oracle)
{
    random_stream random = {(uint64_t)_i + 60};
    struct swiglu_case c = {shapes[_i].rows, shapes[_i].columns, {0}};
    size_t n = (size_t)(c.rows * c.columns);
    uint16_t *gate_up = random_bf16(&random, 2 * n, shapes[_i].scale, 0);
    uint16_t *out = malloc(n * 2);

    c.gate_up = device_upload(gate_up, n * 4);
    ck_assert_int_eq(oriel_cuda_swiglu_prepare(NULL), cudaSuccess);
    device_check_schedules(run, &c, out, n * 2, NULL);
    check(gate_up, out, n);
    device_release(c.gate_up);
    free(gate_up);
    free(out);
}
END_TEST

/* Each value is its own: what is not a number stays where it is. */
START_TEST(neighbours_do_not_matter)
{
    static const uint16_t strange[] = {0x7fff, 0x7f80, 0xff80};
    random_stream random = {70};
    struct swiglu_case c = {2, 16, {0}};
    uint16_t *gate_up = random_bf16(&random, 64, 4, 0);
    uint16_t out[32], before[32];

    ck_assert_int_eq(oriel_cuda_swiglu_prepare(NULL), cudaSuccess);
    c.gate_up = device_upload(gate_up, 128);
    device_check_schedules(run, &c, before, sizeof(before), NULL);
    device_release(c.gate_up);
    gate_up[3] = strange[_i];       /* gate of value 3 */
    gate_up[16 + 13] = strange[_i]; /* up of value 8 + 5 */
    c.gate_up = device_upload(gate_up, 128);
    device_check_schedules(run, &c, out, sizeof(out), NULL);
    for (size_t i = 0; i < COUNT(out); i++)
        if (i != 3 && i != 13)
            ck_assert_uint_eq(out[i], before[i]);
        else
            ck_assert_uint_ne(out[i], before[i]);
    device_release(c.gate_up);
    free(gate_up);
}
END_TEST

START_TEST(limits_are_checked)
{
    device_buffer memory = device_output(1024);
    char *at = memory.data;
    const oriel_swiglu_args wrong[] = {
        {(uint16_t *)at, (uint16_t *)(at + 512), -1, 8},
        {(uint16_t *)at, (uint16_t *)(at + 512), 1, 0},
        {(uint16_t *)at, (uint16_t *)(at + 512), 1, 12},
        {(uint16_t *)(at + 8), (uint16_t *)(at + 512), 1, 8},
        {(uint16_t *)at, (uint16_t *)(at + 520), 1, 8},
    };
    const oriel_swiglu_args empty = {NULL, NULL, 0, 8};

    ck_assert_int_eq(oriel_cuda_swiglu_prepare(NULL), cudaSuccess);
    for (size_t i = 0; i < COUNT(wrong); i++)
        ck_assert_int_eq(oriel_cuda_swiglu(&wrong[i], NULL),
                         cudaErrorInvalidValue);
    ck_assert_int_eq(oriel_cuda_swiglu(&empty, NULL), cudaSuccess);
    ck_assert_str_eq(device_finish(), "");
    device_release(memory);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("swiglu");
    TCase *tcase = tcase_create("swiglu");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, matches_the_oracle, 0, COUNT(shapes));
    tcase_add_loop_test(tcase, neighbours_do_not_matter, 0, 3);
    tcase_add_test(tcase, limits_are_checked);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
