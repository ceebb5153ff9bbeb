/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_ring.c - segments cut into work, and bytes through the ring
 */
#include "cuda/ring.h"
#include "support/device_case.h"
#include "support/random.h"
#include "support/segments.h"
#include "support/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { SEGMENTS = 500, ROWS_MOST = 4096 };

typedef struct rows {
    int32_t values[ROWS_MOST][4];
    int32_t columns;
    int64_t n;
} rows;

static void
put(void *context, const int32_t *row)
{
    rows *r = context;

    ck_assert_int_lt(r->n, ROWS_MOST);
    memcpy(r->values[r->n++], row, (size_t)r->columns * sizeof(*row));
}

/* n segments of unit x (1 .. most) patches. */
static void
make_segments(int32_t *cu, int32_t n, int32_t unit, int32_t most, uint64_t seed)
{
    random_stream random = {seed};

    cu[0] = 0;
    for (int32_t i = 0; i < n; i++)
        cu[i + 1] = cu[i] + unit * (int32_t)random_between(&random, 1, most);
}

/* ---- Packs ----------------------------------------------------------------- */

/* Each window has its slots once, side by side, in one block. */
START_TEST(a_window_has_its_place)
{
    static const int32_t counts[] = {0, 1, 2, 7, SEGMENTS};
    int32_t cu[SEGMENTS + 1], slots[SEGMENTS] = {0}, n = counts[_i];
    rows *r = calloc(1, sizeof(*r));
    int64_t wanted = 0;

    make_segments(cu, n, 4, 16, 3);
    r->columns = ORIEL_PACK_COLUMNS;
    ck_assert_int_eq(oriel_cuda_pack_windows(cu, n, put, r), r->n);
    ck_assert_int_eq(oriel_cuda_pack_windows(cu, n, NULL, NULL), r->n);
    for (int64_t p = 0; p < r->n; p++)
        for (int s = 0; s < 4; s++) {
            int32_t window = r->values[p][s];

            ck_assert_int_ge(window, -1);
            ck_assert_int_lt(window, n);
            if (window < 0)
                continue;
            /* Its first slot, or the one after its last. */
            ck_assert(slots[window] == 0 ||
                      (s > 0 && r->values[p][s - 1] == window));
            slots[window]++;
        }
    for (int32_t w = 0; w < n; w++) {
        int32_t own = (cu[w + 1] - cu[w] + 15) / 16;

        ck_assert_int_eq(slots[w], own);
        wanted += own;
    }
    /* No arrangement has fewer than the slots of all, nor than windows of three
       and more; ours has at most the waste of the last block above that. */
    int64_t large = 0, small = 0, least;
    for (int32_t w = 0; w < n; w++) {
        large += slots[w] >= 3;
        small += slots[w] == 1;
    }
    least = (wanted + 3) / 4 > large ? (wanted + 3) / 4 : large;
    ck_assert_int_ge(r->n, least);
    if (small >= large)
        ck_assert_int_le(r->n, least + 1);
    free(r);
}
END_TEST

/* ---- Tiles ----------------------------------------------------------------- */

START_TEST(a_segment_has_its_tiles)
{
    static const int32_t counts[] = {0, 1, 3, 200};
    int32_t cu[SEGMENTS + 1], n = counts[_i], before = INT32_MAX;
    int64_t queries = 0;
    rows *r = calloc(1, sizeof(*r));
    char *seen;

    make_segments(cu, n, 4, 300, 5);
    r->columns = ORIEL_TILE_COLUMNS;
    ck_assert_int_eq(oriel_cuda_tile_segments(cu, n, put, r), r->n);
    ck_assert_int_eq(oriel_cuda_tile_segments(cu, n, NULL, NULL), r->n);
    seen = calloc(1, (size_t)cu[n] + 1);
    for (int64_t t = 0; t < r->n; t++) {
        const int32_t *tile = r->values[t];
        int32_t segment = 0;

        while (segment < n && cu[segment] != tile[0])
            segment++;
        ck_assert_int_lt(segment, n);
        ck_assert_int_eq(tile[1], cu[segment + 1] - cu[segment]);
        ck_assert_int_eq(tile[2] % 128, 0);
        ck_assert_int_lt(tile[2], tile[1]);
        for (int32_t q = tile[2]; q < tile[1] && q < tile[2] + 128; q++) {
            ck_assert_int_eq(seen[tile[0] + q], 0);
            seen[tile[0] + q] = 1;
            queries++;
        }
        /* Long ones first, to a factor of two. */
        ck_assert_int_lt(tile[1] / 2, before);
        before = tile[1] < before ? tile[1] : before;
    }
    ck_assert_int_eq(queries, cu[n]);
    free(seen);
    free(r);
}
END_TEST

/* ---- The ring -------------------------------------------------------------- */

enum { SLOTS = 2, SLOT_BYTES = 512 };

static unsigned char *
make_bytes(size_t n)
{
    random_stream random = {n};
    unsigned char *bytes = malloc(n + 1);

    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)random_u64(&random);
    return bytes;
}

/* More than all slots hold, in pieces of any size; in a capture, by launches. */
START_TEST(bytes_arrive)
{
    enum { BYTES = 10000, PADDED = 10240 };
    unsigned char *bytes = make_bytes(BYTES), *found = malloc(PADDED);
    device_buffer out = device_output(PADDED);
    random_stream random = {2};
    oriel_cuda_ring ring;
    oriel_cuda_upload upload;
    cudaStream_t stream;
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    oriel_error err;

    ck_assert_int_eq(oriel_cuda_ring_create(&ring, SLOTS, SLOT_BYTES, &err),
                     ORIEL_OK);
    ck_assert_int_eq(oriel_cuda_store_bytes_prepare(NULL), cudaSuccess);
    ck_assert_int_eq(cudaStreamCreateWithFlags(&stream, 0), cudaSuccess);
    if (_i)
        ck_assert_int_eq(
            cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal),
            cudaSuccess);
    oriel_cuda_upload_begin(&upload, _i ? NULL : &ring, stream, out.data);
    for (size_t at = 0; at < BYTES;) {
        size_t n = (size_t)random_between(&random, 1, 1500);

        n = n < BYTES - at ? n : BYTES - at;
        oriel_cuda_upload_put(&upload, bytes + at, n);
        at += n;
    }
    oriel_cuda_upload_pad(&upload, PADDED);
    ck_assert_int_eq(oriel_cuda_upload_end(&upload, &err), ORIEL_OK);
    if (_i) {
        ck_assert_int_eq(cudaStreamEndCapture(stream, &graph), cudaSuccess);
        ck_assert_int_eq(cudaGraphInstantiate(&exec, graph, 0), cudaSuccess);
        memset(&upload, 0, sizeof(upload)); /* the graph has its own */
        ck_assert_int_eq(cudaGraphLaunch(exec, stream), cudaSuccess);
    }
    ck_assert_str_eq(device_finish(), "");
    device_download(found, out);
    ck_assert_mem_eq(found, bytes, BYTES);
    for (size_t i = BYTES; i < PADDED; i++)
        ck_assert_int_eq(found[i], 0);
    if (_i) {
        ck_assert_int_eq(cudaGraphExecDestroy(exec), cudaSuccess);
        ck_assert_int_eq(cudaGraphDestroy(graph), cudaSuccess);
    }
    oriel_cuda_ring_destroy(&ring);
    ck_assert_int_eq(cudaStreamDestroy(stream), cudaSuccess);
    device_release(out);
    free(bytes);
    free(found);
}
END_TEST

/* Rows with gaps, then tight ones: what is between stays as it is. */
START_TEST(rows_leave_what_is_between)
{
    enum { WIDTH = 48, PITCH = 80, N = 40, BYTES = N * PITCH + N * PITCH };
    unsigned char *bytes = make_bytes(BYTES), *found = malloc(BYTES);
    unsigned char *initial = malloc(BYTES), *at = bytes;
    device_buffer out;
    oriel_cuda_ring ring;
    oriel_cuda_upload upload;
    oriel_error err;

    memset(initial, 0xa5, BYTES);
    out = device_upload(initial, BYTES);
    ck_assert_int_eq(oriel_cuda_ring_create(&ring, SLOTS, SLOT_BYTES, &err),
                     ORIEL_OK);
    oriel_cuda_upload_begin(&upload, &ring, NULL, out.data);
    for (int row = 0; row < 2 * N; row++) {
        size_t width = row < N ? WIDTH : PITCH;
        void *space;

        oriel_cuda_upload_rows(&upload, width, PITCH);
        space = oriel_cuda_upload_space(&upload, width);
        ck_assert_ptr_nonnull(space);
        memcpy(space, at, width);
        at += width;
    }
    ck_assert_int_eq(oriel_cuda_upload_end(&upload, &err), ORIEL_OK);
    ck_assert_str_eq(device_finish(), "");
    device_download(found, out);
    at = bytes;
    for (int row = 0; row < 2 * N; row++) {
        size_t width = row < N ? WIDTH : PITCH;

        ck_assert_mem_eq(found + row * PITCH, at, width);
        ck_assert_mem_eq(found + (size_t)row * PITCH + width, initial,
                         PITCH - width);
        at += width;
    }
    oriel_cuda_ring_destroy(&ring);
    device_release(out);
    free(bytes);
    free(found);
    free(initial);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_ring");
    TCase *tc = tcase_create("parts");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, a_window_has_its_place, 0, 5);
    tcase_add_loop_test(tc, a_segment_has_its_tiles, 0, 4);
    tcase_add_loop_test(tc, bytes_arrive, 0, 2);
    tcase_add_test(tc, rows_leave_what_is_between);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
