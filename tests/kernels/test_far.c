/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last rows of forty million, so that their values are beyond 2^31: they must come out as they do where they come first.
 * Nearly all of the memory is zeros that are never touched, and on the simulator
 * the blocks that would are left out.
 */
#include "kernels/op_check.h"
#include "kernels/row_case.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

enum { OURS = 8, MOST_BYTES = OURS * 1024 };
/* The last tile of 128 is not full. */
static const int64_t many = 40000020;

static void
must_run(device_run *run, void *context, device_buffer out, const char *what)
{
    const char *report;

    ck_assert_int_eq(run(context, out.data), cudaSuccess);
    report = device_finish();
    ck_assert_msg(report[0] == '\0', "%s: %s", what, report);
}

/* The last rows of 'rows', which hold 'ours', under the schedule that is set. */
static void
make_last_rows(unsigned char *got, enum row_op which, int64_t rows,
               const unsigned char *ours)
{
    row_case c = row_case_make(which, rows);

    row_case_run_last(&c, OURS, ours, got);
    row_case_free(&c);
}

START_TEST(rows_beyond_32_bits)
{
    const enum row_op which = (enum row_op)_i;
    row_case shape = row_case_make(which, OURS);
    unsigned char near[MOST_BYTES], far[MOST_BYTES];
    unsigned char *ours = row_case_input(&shape, OURS, 12);

    ck_assert_uint_le(OURS * shape.out_bytes, MOST_BYTES);
    ck_assert_uint_gt((uint64_t)many * shape.in_bytes / 2, UINT64_C(1) << 31);
    ck_assert_uint_gt((uint64_t)many * shape.out_bytes / 2, UINT64_C(1) << 31);
    make_last_rows(near, which, OURS, ours);
    for (int i = 0; i < device_schedules(); i++) {
        device_set_schedule(i);
        make_last_rows(far, which, many, ours);
        ck_assert_msg(memcmp(near, far, OURS * shape.out_bytes) == 0, "%s: %s",
                      row_op_name(which), device_schedule_name(i));
    }
    device_set_schedule(0);
    free(ours);
    row_case_free(&shape);
}
END_TEST

/* ---- Segments --------------------------------------------------------------- */

enum { HEADS = 2, HEAD_DIM = 80 };
static const int lengths[] = {12, 40, 7};

static device_buffer
far_copy(const void *host, size_t bytes, size_t before)
{
    device_buffer buffer = device_sparse(before + bytes);

    device_put(buffer, before, host, bytes);
    return buffer;
}

/* The same segments after 'before' rows of zeros: arrays of its own on the
   device, but for the table of angles and the packs. */
static op_case
moved(const op_case *c, int32_t before)
{
    const size_t row = 3 * HEADS * HEAD_DIM * 2;
    const op_array *segments = &c->index[OP_SEGMENTS];
    const op_array *work = &c->index[OP_WORK];
    int32_t cu[COUNT(lengths) + 1], tiles[COUNT(lengths)][3];
    op_case far = *c;

    for (size_t s = 0; s < COUNT(cu); s++)
        cu[s] = attention_cu(c)[s] + before;
    ck_assert_uint_eq(segments->device.bytes, sizeof(cu));
    far.index[OP_SEGMENTS].device = device_upload(cu, sizeof(cu));
    if (c->op == &op_full_attention) {
        ck_assert_uint_eq(work->device.bytes, sizeof(tiles));
        memcpy(tiles, work->host, sizeof(tiles));
        for (size_t t = 0; t < COUNT(tiles); t++)
            tiles[t][0] += before;
        far.index[OP_WORK].device = device_upload(tiles, sizeof(tiles));
    }
    far.x.device =
        far_copy(c->x.host, (size_t)c->rows * row, (size_t)before * row);
    far.index[OP_POSITIONS].device = far_copy(
        c->index[OP_POSITIONS].host, (size_t)c->rows * 8, (size_t)before * 8);
    return far;
}

/* _i: the window kernel, or the one of frames. */
START_TEST(segments_beyond_32_bits)
{
    op_case c =
        attention_make(_i, HEADS, HEAD_DIM, lengths, COUNT(lengths), 2, 0);
    const size_t bytes = op_case_out_bytes(&c);
    const size_t before = (size_t)(many - c.rows);
    unsigned char *near = op_check_run(&c), *got = malloc(bytes);
    op_case far = moved(&c, (int32_t)before);

    ck_assert_uint_gt(far.x.device.bytes / 2, UINT64_C(1) << 31);
    for (int i = 0; i < device_schedules(); i++) {
        size_t at = before * HEADS * HEAD_DIM * 2;
        device_buffer out = device_sparse(at + bytes);

        device_set_schedule(i);
        must_run(op_run, &far, out, device_schedule_name(i));
        device_get(got, out, at, bytes);
        ck_assert_mem_eq(got, near, bytes);
        device_check_guard(out);
        device_release(out);
    }
    device_set_schedule(0);
    device_release(far.x.device);
    device_release(far.index[OP_POSITIONS].device);
    device_release(far.index[OP_SEGMENTS].device);
    if (!_i)
        device_release(far.index[OP_WORK].device);
    free(near);
    free(got);
    op_case_free(&c);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("far");
    TCase *tcase = tcase_create("far");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, rows_beyond_32_bits, 0, ROW_OPS);
    tcase_add_loop_test(tcase, segments_beyond_32_bits, 0, 2);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
