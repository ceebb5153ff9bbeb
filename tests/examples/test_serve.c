/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_serve.c - what examples/serve.c stores, held against plain encodes
 *
 *   test_serve CHECKPOINT
 *
 * The example is included whole.  Its calls are counted by status, and its matrix
 * begins as FILL, so that it is seen which rows are stored.
 */
#include "support/suite.h"

#include <oriel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef SERVE_CUDA
#include "support/device_case.h"
#include <cuda_runtime.h>
#endif

enum { FILL = 0xa5 };

static int encodes[ORIEL_ERR_BUSY + 1], encoders_made, reserves;
static int halved;        /* runs that found no memory */
static int32_t run_items; /* of the last encode */

static oriel_status
counted_encode(oriel_encoder *encoder, const oriel_plan *plan,
               const oriel_input *input, const oriel_output *output,
               struct CUstream_st *stream, oriel_error *err)
{
    oriel_status status =
        oriel_encode(encoder, plan, input, output, stream, err);
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;

    ck_assert_int_eq(oriel_plan_get_info(plan, &info, NULL), ORIEL_OK);
    run_items = info.n_items;
    encodes[status]++;
    return status;
}

static oriel_status
counted_create(oriel_encoder **out, const oriel_model *model,
               const oriel_encoder_options *options, oriel_error *err)
{
    encoders_made++;
    return oriel_encoder_create(out, model, options, err);
}

/* The first run of several finds no memory. */
static oriel_status
counted_reserve(oriel_encoder *encoder, size_t bytes, oriel_error *err)
{
    reserves++;
    if (halved || run_items == 1)
        return oriel_encoder_reserve(encoder, bytes, err);
    halved++;
    *err = (oriel_error){.status = ORIEL_ERR_MEMORY, .item = -1};
    return err->status;
}

#ifdef SERVE_CUDA
static cudaError_t
filled_device(void **memory, size_t bytes)
{
    cudaError_t error = cudaMalloc(memory, bytes);

    return error ? error : cudaMemsetAsync(*memory, FILL, bytes, NULL);
}
#define cudaMalloc(memory, bytes) filled_device(memory, bytes)
#else
static void *
filled(size_t bytes)
{
    void *memory = malloc(bytes);

    return memory ? memset(memory, FILL, bytes) : NULL;
}
#define malloc(bytes) filled(bytes)
#endif

#define oriel_encode counted_encode
#define oriel_encoder_create counted_create
#define oriel_encoder_reserve counted_reserve
#define main serve_main
#include "examples/serve.c"
#undef oriel_encode
#undef oriel_encoder_create
#undef oriel_encoder_reserve
#undef main
#undef malloc

static char *checkpoint;

/* All embeddings, as one call of a new encoder makes them: tight and of pageable
   pixels.  The caller frees. */
static unsigned char *
encode_plainly(const oriel_plan *plan, const oriel_model *opened)
{
    oriel_encoder_options chosen = ORIEL_ENCODER_OPTIONS_INIT;
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    oriel_input input = ORIEL_INPUT_INIT;
    oriel_output output = ORIEL_OUTPUT_INIT;
    oriel_result result = {.kind = ORIEL_RESULT_EMBEDDINGS,
                           .dtype = ORIEL_DTYPE_BF16};
    oriel_encoder *encoder;
    oriel_error err;

    chosen.device = DEVICE;
    ck_assert_int_eq(oriel_plan_get_info(plan, &info, NULL), 0);
    ck_assert_msg(!oriel_plan_workspace_bytes(plan, &chosen,
                                              &chosen.workspace_bytes, &err) &&
                      !oriel_encoder_create(&encoder, opened, &chosen, &err),
                  "%s", err.message);
    result.bytes = (size_t)(info.tokens * info.out_hidden_size * 2);
    result.data = calloc(1, result.bytes);
    input.frames = frames;
    output.results = &result;
    output.n_results = 1;
    ck_assert_msg(!oriel_encode(encoder, plan, &input, &output, NULL, &err),
                  "%s", err.message);
    oriel_encoder_destroy(encoder);
    return result.data;
}

static unsigned char *
matrix_on_the_host(void)
{
    unsigned char *copy = calloc(1, matrix.bytes);

#ifdef SERVE_CUDA
    ck_assert_str_eq(device_finish(), "");
    ck_assert_int_eq(
        cudaMemcpy(copy, matrix.data, matrix.bytes, cudaMemcpyDeviceToHost),
        cudaSuccess);
#else
    memcpy(copy, matrix.data, matrix.bytes);
#endif
    return copy;
}

/* Request after request: the rows of its text as they were, then its picture's. */
static void
check_rows(void)
{
    const size_t row_bytes = matrix.bytes / n_rows;
    unsigned char *found = matrix_on_the_host(), *next = found, *plain;
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    oriel_model *opened;
    oriel_plan *plan;

    ck_assert_int_eq(oriel_model_open(&opened, checkpoint, NULL, NULL), 0);
    ck_assert_int_eq(oriel_plan_create(&plan, opened, items, n, NULL, NULL), 0);
    ck_assert_int_eq(oriel_plan_get_info(plan, &info, NULL), 0);
    plain = encode_plainly(plan, opened);
    for (size_t i = 0; i < n; i++) {
        size_t at = (size_t)info.offsets[i] * row_bytes;
        size_t bytes = (size_t)info.offsets[i + 1] * row_bytes - at;

        for (size_t k = 0; k < TEXT_ROWS * row_bytes; k++)
            ck_assert_uint_eq(*next++, FILL);
        ck_assert_msg(memcmp(next, plain + at, bytes) == 0,
                      "request %zu has other embeddings", i);
        next += bytes;
    }
    ck_assert_ptr_eq(next, found + matrix.bytes);
    oriel_plan_destroy(plan);
    oriel_model_destroy(opened);
    free(plain);
    free(found);
}

START_TEST(rows_are_those_of_plain_encodes)
{
    char *arguments[] = {"serve", checkpoint, NULL};
    int capacity, runs;

    ck_assert_int_eq(serve_main(2, arguments), 0);
    ck_assert_uint_gt(n, REQUESTS / 2);
    ck_assert_uint_lt(n, REQUESTS); /* some are refused */
    check_rows();

    /* Every encoder began without scratch; the run that found no memory was
       halved; on CUDA one was busy. */
    capacity = encodes[ORIEL_ERR_CAPACITY];
    runs = encodes[ORIEL_OK];
    ck_assert_int_eq(encoders_made, ENCODERS);
    ck_assert_int_gt(capacity, ENCODERS);
    ck_assert_int_eq(reserves, capacity);
    ck_assert_int_eq(halved, 1);
    ck_assert_int_gt(runs, ENCODERS);
#ifdef SERVE_CUDA
    ck_assert_int_gt(encodes[ORIEL_ERR_BUSY], 0);
#endif
    printf("encodes: %d done, %d busy, %d short of scratch\n", runs,
           encodes[ORIEL_ERR_BUSY], capacity);
}
END_TEST

int
main(int argc, char **argv)
{
    Suite *s = suite_create("serve");
    TCase *tc = tcase_create("serve");

    if (argc != 2)
        errx(2, "usage: test_serve CHECKPOINT");
    checkpoint = argv[1];
    tcase_set_timeout(tc, 590);
    tcase_add_test(tc, rows_are_those_of_plain_encodes);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
