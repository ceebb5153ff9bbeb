/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify_exact.c - kernels that move values and compute places: every byte is known
 *
 * resample.cu is checked with a whole network's first step (host/encode/verify.c).
 */
#include "cuda/verify.h"

#include "base/half.h"
#include "cuda/records.h"
#include "cuda/shapes.h"

#include "ops/op.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARRAYS_MOST = 6 };

/* A kernel's operands and result, taken back together. */
typedef struct arrays {
    op_array array[ARRAYS_MOST];
} arrays;

static void
free_arrays(arrays *a)
{
    for (int i = 0; i < ARRAYS_MOST; i++) {
        free(a->array[i].host);
        if (a->array[i].device.data)
            (void)cudaFree(a->array[i].device.data);
    }
}

/* An array that a kernel fills; NaN until then. */
static int
make_result(op_array *a, size_t bytes)
{
    return op_array_make(a, bytes) ||
           op_must(cudaMemsetAsync(a->device.data, 0xff, bytes, NULL),
                   "cudaMemsetAsync");
}

/* After what was enqueued: a result's bytes against those expected; 'why' names the
   first value of 'value_bytes' that differs. */
static int
expect(op_array *a, const void *expected, size_t value_bytes, const char *what,
       char *why, size_t why_bytes)
{
    if (op_must(cudaDeviceSynchronize(), what) ||
        op_must(cudaMemcpy(a->host, a->device.data, a->device.bytes,
                           cudaMemcpyDeviceToHost),
                "cudaMemcpy"))
        return -1;
    for (size_t i = 0; i < a->device.bytes; i += value_bytes)
        if (memcmp((char *)a->host + i, (const char *)expected + i,
                   value_bytes) != 0) {
            snprintf(why, why_bytes, "%s: value %zu of %zu is not the host's",
                     what, i / value_bytes, a->device.bytes / value_bytes);
            return -1;
        }
    return 0;
}

/* ---- The plan ---------------------------------------------------------------- */

static void
put_record(void *array, const oriel_plan_record *record)
{
    oriel_plan_record **at = array;

    *(*at)++ = *record;
}

/* The four orders that the host's plan has too. */
static void
check_plan(const oriel_verify_job *job, oriel_cuda_check_result *check)
{
    enum { RECORDS, INDEX, INVERSE, POSITIONS, WINDOWS, TILES };
    const oriel_plan_info *info = &job->plan->info;
    const size_t tokens = (size_t)info->tokens * sizeof(int32_t);
    const size_t positions = (size_t)info->patches * 2 * sizeof(int32_t);
    const size_t windows = ((size_t)info->n_windows + 1) * sizeof(int32_t);
    const size_t records = (size_t)info->n_items * sizeof(oriel_plan_record);
    const oriel_network *n = &job->plan->network;
    arrays a = {0};
    oriel_cuda_work_counts counts;
    int result;

    oriel_cuda_count(&counts, job->plan, true);
    result =
        op_array_make(&a.array[RECORDS], records) ||
        make_result(&a.array[INDEX], tokens) ||
        make_result(&a.array[INVERSE], tokens) ||
        make_result(&a.array[POSITIONS], positions) ||
        make_result(&a.array[WINDOWS], windows) ||
        make_result(&a.array[TILES], (size_t)counts.n_frame_tiles *
                                         ORIEL_TILE_COLUMNS * sizeof(int32_t));

    if (!result) {
        oriel_plan_record *at = a.array[RECORDS].host;

        oriel_cuda_make_records(job->plan, true, put_record, &at);
        result = op_array_send(&a.array[RECORDS]);
    }
    if (!result) {
        oriel_expand_plan_args args = {
            .records = a.array[RECORDS].device.data,
            .n_records = info->n_items,
            .tokens = (int32_t)info->tokens,
            .n_windows = info->n_windows,
            .side = n->window_size / (n->patch_size * n->spatial_merge_size),
            .window_index = a.array[INDEX].device.data,
            .window_inverse = a.array[INVERSE].device.data,
            .positions = a.array[POSITIONS].device.data,
            .cu_window = a.array[WINDOWS].device.data,
            .frame_tiles = a.array[TILES].device.data};

        memcpy(args.windows_of, counts.windows_of, sizeof(args.windows_of));
        result = op_must(oriel_cuda_expand_plan(&args, NULL), "expand_plan");
    }
#define EXPECT(array_, field) \
    expect(&a.array[array_], info->field, sizeof(int32_t), #field, check->why, \
           sizeof(check->why))
    if (!result)
        (void)(EXPECT(INDEX, window_index) || EXPECT(INVERSE, window_inverse) ||
               EXPECT(POSITIONS, positions) ||
               EXPECT(WINDOWS, cu_window_seqlens));
#undef EXPECT
    free_arrays(&a);
}

/* ---- Stores -------------------------------------------------------------------- */

enum { TOKENS = 37, MERGE2 = 4, ROWS = TOKENS * MERGE2, COLUMNS = 40 };

/* Row r of the result, by the host; lo may be NULL. */
static void
put_row(const uint16_t *x, const uint16_t *lo, int32_t dtype, void *to,
        int64_t place)
{
    for (int j = 0; j < COLUMNS; j++) {
        const float value =
            oriel_bf16_to_f32(x[j]) + (lo ? oriel_bf16_to_f32(lo[j]) : 0.0f);
        const int64_t at = place * COLUMNS + j;

        if (dtype == ORIEL_CUDA_F32)
            ((float *)to)[at] = value;
        else
            ((uint16_t *)to)[at] = dtype == ORIEL_CUDA_F16
                                       ? oriel_f32_to_f16(value)
                                       : oriel_f32_to_bf16(value);
    }
}

/* Every other value so small that fp16 rounds it: what is large it holds exactly. */
static int
shrink(op_array *a)
{
    uint16_t *x = a->host;

    for (int i = 0; i < ROWS * COLUMNS; i += 2)
        x[i] = oriel_f32_to_bf16(oriel_bf16_to_f32(x[i]) * 0x1p-28f);
    return op_array_send(a);
}

static void
check_rows_of(int32_t dtype, bool wide, oriel_cuda_check_result *check)
{
    enum { X, LO, PLACES, OUT };
    const size_t value = dtype == ORIEL_CUDA_F32 ? 4 : 2;
    const size_t bytes = (size_t)ROWS * COLUMNS * value;
    random_stream random = {11};
    int32_t places[TOKENS];
    arrays a = {0};
    void *expected = malloc(bytes);
    int result;

    for (int32_t t = 0; t < TOKENS; t++)
        places[t] = (5 * t + 2) % TOKENS;
    result =
        expected
            ? op_array_random(&a.array[X], &random, (size_t)ROWS * COLUMNS, 300,
                              0) ||
                  shrink(&a.array[X]) ||
                  (wide && op_array_random(&a.array[LO], &random,
                                           (size_t)ROWS * COLUMNS, 0.5, 0)) ||
                  op_array_copy(&a.array[PLACES], places, sizeof(places)) ||
                  make_result(&a.array[OUT], bytes)
            : op_complain("store_rows", "out of memory");

    if (!result) {
        const oriel_store_rows_args args = {
            .x = a.array[X].device.data,
            .tokens = a.array[PLACES].device.data,
            .out = a.array[OUT].device.data,
            .row_bytes = (int64_t)(COLUMNS * value),
            .rows = ROWS,
            .columns = COLUMNS,
            .merge2 = MERGE2,
            .dtype = dtype,
            .lo = a.array[LO].device.data};
        const uint16_t *x = a.array[X].host, *lo = a.array[LO].host;

        for (int64_t r = 0; r < ROWS; r++)
            put_row(x + r * COLUMNS, lo ? lo + r * COLUMNS : NULL, dtype,
                    expected,
                    (int64_t)places[r / MERGE2] * MERGE2 + r % MERGE2);
        result = op_must(oriel_cuda_store_rows(&args, NULL), "store_rows");
    }
    if (!result)
        (void)expect(&a.array[OUT], expected, value, "a row", check->why,
                     sizeof(check->why));
    free(expected);
    free_arrays(&a);
}

static void
check_bytes(oriel_cuda_check_result *check)
{
    enum { BYTES = ORIEL_CUDA_STORE_BYTES };
    unsigned char bytes[BYTES];
    arrays a = {0};

    for (int i = 0; i < BYTES; i++)
        bytes[i] = (unsigned char)(i * 131 >> 3);
    if (make_result(&a.array[0], BYTES) == 0) {
        const oriel_store_bytes_args args = {a.array[0].device.data, bytes,
                                             BYTES};

        if (op_must(oriel_cuda_store_bytes(&args, NULL), "store_bytes") == 0)
            (void)expect(&a.array[0], bytes, 1, "a byte", check->why,
                         sizeof(check->why));
    }
    free_arrays(&a);
}

/* ---- All ----------------------------------------------------------------------- */

static oriel_status
tell(const oriel_verify_job *job, oriel_cuda_check_result *check,
     oriel_error *err)
{
    if (!check->why[0])
        snprintf(check->why, sizeof(check->why), "%s", oriel_cuda_complaint());
    return oriel_cuda_tell(job, check, err);
}

oriel_status
oriel_cuda_verify_exact(const oriel_verify_job *job, oriel_error *err)
{
    static const struct {
        const char *name;
        int32_t dtype;
        bool wide;
    } stores[] = {{"store_rows, f32", ORIEL_CUDA_F32, false},
                  {"store_rows, bf16", ORIEL_CUDA_BF16, false},
                  {"store_rows, f16", ORIEL_CUDA_F16, false},
                  {"store_rows, f32 of a wide residual", ORIEL_CUDA_F32, true}};
    const oriel_cuda_check_result empty = {.implementation = "own kernels",
                                           .kind = ORIEL_CHECK_KERNEL};
    oriel_cuda_check_result check = empty;
    oriel_status status;

    check.name = "expand_plan";
    check_plan(job, &check);
    status = tell(job, &check, err);
    for (size_t i = 0; i < sizeof(stores) / sizeof(stores[0]) && !status; i++) {
        check = empty;
        check.name = stores[i].name;
        check_rows_of(stores[i].dtype, stores[i].wide, &check);
        status = tell(job, &check, err);
    }
    if (status)
        return status;
    check = empty;
    check.name = "store_bytes";
    check_bytes(&check);
    return tell(job, &check, err);
}
