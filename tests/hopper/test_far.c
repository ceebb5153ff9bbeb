/* SPDX-License-Identifier: Apache-2.0 */
/* As tests/kernels/test_far.c, of the products by wgmma. */
#include "kernels/row_case.h"
#include "ops/hopper.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

enum { OURS = 8, MOST_BYTES = OURS * 1024 };
enum { LARGE_ROWS = 128, SMALL_ROWS = 64 }; /* of a tile */
/* The last tile of either size is not full. */
static const int64_t many = 40000020;

static const struct {
    enum row_op which;
    int32_t small;
} products[] = {
    {ROW_LINEAR, 0},   {ROW_LINEAR, 1},        {ROW_RESIDUAL, 0},
    {ROW_RESIDUAL, 1}, {ROW_RESIDUAL_WIDE, 0}, {ROW_RESIDUAL_WIDE, 1},
    {ROW_GELU, 0},     {ROW_GELU, 1},          {ROW_SWIGLU, 0},
    {ROW_ROWS, 0},     {ROW_ROWS, 1},
};

/* A block a tile, and one column of tiles. */
static void
make_last_rows(unsigned char *got, int product, int64_t rows,
               const unsigned char *ours)
{
    const enum row_op which = products[product].which;
    const int32_t small = products[product].small;
    const int64_t tile = small ? SMALL_ROWS : LARGE_ROWS;
    const op_hopper by = op_hopper_make(row_op_of(which), small,
                                        (int32_t)((rows + tile - 1) / tile));
    row_case c = row_case_make_by(which, rows, &by.op, tile);

    row_case_run_last(&c, OURS, ours, got);
    row_case_free(&c);
}

START_TEST(rows_beyond_32_bits)
{
    row_case shape = row_case_make(products[_i].which, OURS);
    unsigned char near[MOST_BYTES], far[MOST_BYTES];
    unsigned char *ours = row_case_input(&shape, OURS, 12);
    const size_t bytes = OURS * shape.out_bytes;

    ck_assert_uint_le(bytes, MOST_BYTES);
    ck_assert_uint_gt((uint64_t)many * shape.in_bytes / 2, UINT64_C(1) << 31);
    ck_assert_uint_gt((uint64_t)many * shape.out_bytes / 2, UINT64_C(1) << 31);
    make_last_rows(near, _i, OURS, ours);
    for (int i = 0; i < device_schedules(); i++) {
        device_set_schedule(i);
        make_last_rows(far, _i, many, ours);
        ck_assert_msg(memcmp(near, far, bytes) == 0, "%s: %s",
                      row_op_name(products[_i].which), device_schedule_name(i));
    }
    device_set_schedule(0);
    free(ours);
    row_case_free(&shape);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("hopper_far");
    TCase *tc = tcase_create("far");

    device_skip_unless(9, 0);
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, rows_beyond_32_bits, 0, COUNT(products));
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
