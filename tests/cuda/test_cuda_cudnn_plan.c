/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_cudnn_plan.c - plans of which one thing is said wrong, which the stand-in
 * cuDNN must refuse
 */
#include "cuda/cudnn.h"
#include "sim/cudnn.h"
#include "support/device_case.h"
#include "support/suite.h"

#include <string.h>

/*
 * What is set goes through here, and one attribute is spoiled: value 'index' of it
 * is 'value'; or, with index -1, it is left out.  Of a tensor only that of this
 * number, which is the first thing that is said of it.
 */
static const struct spoil {
    int32_t attribute;
    int64_t tensor; /* 0: any */
    int index;
    int64_t value;
    oriel_status status;
} spoils[] = {
#define LEFT_OUT(attribute, tensor) \
    { \
        ORIEL_CUDNN_##attribute, ORIEL_CUDNN_ID_##tensor, -1, 0, \
            ORIEL_ERR_INTERNAL \
    }
#define WRONG(attribute, tensor, index, value, status) \
    { \
        ORIEL_CUDNN_##attribute, ORIEL_CUDNN_ID_##tensor, index, value, \
            ORIEL_ERR_##status \
    }
    WRONG(TENSOR_DIMENSIONS, Q, 0, 3, INTERNAL),
    WRONG(TENSOR_DIMENSIONS, K, 1, 4, INTERNAL),
    WRONG(TENSOR_DIMENSIONS, V, 2, 1023, INTERNAL),
    WRONG(TENSOR_DIMENSIONS, OUT, 3, 72, INTERNAL),
    WRONG(TENSOR_DIMENSIONS, K, 3, 0, INTERNAL),
    WRONG(TENSOR_DIMENSIONS, LENGTHS_Q, 0, 5, INTERNAL),
    WRONG(TENSOR_DIMENSIONS, LENGTHS_KV, 1, 2, INTERNAL),
    WRONG(TENSOR_DIMENSIONS, OFFSETS_QKV, 0, 4, INTERNAL),
    WRONG(TENSOR_DIMENSIONS, OFFSETS_OUT, 0, 6, INTERNAL),
    WRONG(TENSOR_DIMENSIONS, SCALE, 0, 2, UNSUPPORTED),
    WRONG(TENSOR_STRIDES, Q, 0, 480, UNSUPPORTED),
    WRONG(TENSOR_STRIDES, K, 1, 88, UNSUPPORTED),
    WRONG(TENSOR_STRIDES, V, 2, 152, UNSUPPORTED),
    WRONG(TENSOR_STRIDES, OUT, 3, 2, UNSUPPORTED),
    WRONG(TENSOR_STRIDES, OFFSETS_QKV, 0, 2, INTERNAL),
    WRONG(TENSOR_STRIDES, LENGTHS_Q, 0, 0, INTERNAL),
    WRONG(TENSOR_DATA_TYPE, Q, 0, ORIEL_CUDNN_DATA_FLOAT, UNSUPPORTED),
    WRONG(TENSOR_DATA_TYPE, V, 0, 2, UNSUPPORTED), /* fp16, which is not ours */
    WRONG(TENSOR_DATA_TYPE, SCALE, 0, ORIEL_CUDNN_DATA_BFLOAT16, UNSUPPORTED),
    WRONG(TENSOR_DATA_TYPE, LENGTHS_Q, 0, ORIEL_CUDNN_DATA_INT64, INTERNAL),
    WRONG(TENSOR_DATA_TYPE, OFFSETS_OUT, 0, ORIEL_CUDNN_DATA_INT32, INTERNAL),
    WRONG(TENSOR_ALIGNMENT, Q, 0, 1, INTERNAL),
    WRONG(TENSOR_ALIGNMENT, OUT, 0, 8, UNSUPPORTED),
    WRONG(TENSOR_ID, K, 0, ORIEL_CUDNN_ID_Q, INTERNAL),
    WRONG(TENSOR_ID, LENGTHS_KV, 0, ORIEL_CUDNN_ID_LENGTHS_Q, INTERNAL),
    LEFT_OUT(TENSOR_ID, Q),
    LEFT_OUT(TENSOR_DATA_TYPE, K),
    LEFT_OUT(TENSOR_DIMENSIONS, V),
    LEFT_OUT(TENSOR_STRIDES, OUT),
    LEFT_OUT(TENSOR_ALIGNMENT, LENGTHS_Q),
    LEFT_OUT(TENSOR_OFFSETS, Q),
    LEFT_OUT(TENSOR_OFFSETS, OUT),
    {ORIEL_CUDNN_TENSOR_BY_VALUE, ORIEL_CUDNN_ID_SCALE, -1, 0,
     ORIEL_ERR_UNSUPPORTED},
#define OF_NODE(attribute) \
    { \
        ORIEL_CUDNN_##attribute, 0, -1, 0, ORIEL_ERR_INTERNAL \
    }
    OF_NODE(ATTENTION_Q),
    OF_NODE(ATTENTION_K),
    OF_NODE(ATTENTION_V),
    OF_NODE(ATTENTION_O),
    OF_NODE(ATTENTION_SCALE),
    OF_NODE(ATTENTION_LENGTHS_Q),
    OF_NODE(ATTENTION_LENGTHS_KV),
    OF_NODE(GRAPH_HANDLE),
    OF_NODE(GRAPH_OPERATIONS),
    OF_NODE(ENGINE_GRAPH),
    OF_NODE(ENGINE_INDEX),
    OF_NODE(KNOB_TYPE),
    OF_NODE(KNOB_VALUE),
    OF_NODE(CONFIG_ENGINE),
    OF_NODE(CONFIG_KNOBS),
    OF_NODE(PLAN_CONFIG),
    OF_NODE(PLAN_HANDLE),
    {ORIEL_CUDNN_ENGINE_INDEX, 0, 0, 7, ORIEL_ERR_UNSUPPORTED},
    {ORIEL_CUDNN_ENGINE_INDEX, 0, 0, 10, ORIEL_ERR_UNSUPPORTED},
    {ORIEL_CUDNN_KNOB_VALUE, 0, 0, 6, ORIEL_ERR_UNSUPPORTED},
    {ORIEL_CUDNN_KNOB_TYPE, 0, 0, 25, ORIEL_ERR_UNSUPPORTED},
};

static const struct spoil *spoil;
static int64_t tensor; /* that is being described */
static oriel_cudnn_library real;

static oriel_cudnn_status
set_spoiled(oriel_cudnn_descriptor d, int32_t attribute, int32_t type,
            int64_t n, const void *values)
{
    unsigned char copy[64];
    const size_t value_bytes =
        type == ORIEL_CUDNN_IS_DATA_TYPE || type == ORIEL_CUDNN_IS_KNOB_TYPE
            ? 4
            : 8;

    if (attribute == ORIEL_CUDNN_TENSOR_ID)
        memcpy(&tensor, values, sizeof(tensor));
    if (attribute != spoil->attribute ||
        (spoil->tensor && spoil->tensor != tensor))
        return real.BackendSetAttribute(d, attribute, type, n, values);
    if (spoil->index < 0)
        return ORIEL_CUDNN_SUCCESS;
    memcpy(copy, values, (size_t)n * value_bytes);
    memcpy(copy + (size_t)spoil->index * value_bytes, &spoil->value,
           value_bytes);
    return real.BackendSetAttribute(d, attribute, type, n, copy);
}

static const oriel_cudnn_shape plain = {2, 80, 4, 1024};

START_TEST(refuses_what_is_wrong)
{
    oriel_cudnn cudnn;
    oriel_cudnn_plan plan;
    oriel_error err;

    ck_assert_int_eq(oriel_cudnn_open(&cudnn, 0, &err), ORIEL_OK);
    ck_assert_msg(!oriel_cudnn_make(&cudnn, &plan, &plain, &err), "%s",
                  err.message);
    oriel_cudnn_plan_destroy(&plan);
    real = cudnn.calls;
    spoil = &spoils[_i];
    cudnn.calls.BackendSetAttribute = set_spoiled;
    ck_assert_int_eq(oriel_cudnn_make(&cudnn, &plan, &plain, &err),
                     spoil->status);
    ck_assert_msg(strstr(err.message, "cuDNN, ") == err.message &&
                      strstr(err.message, "CUDNN_STATUS_"),
                  "%s", err.message);
    ck_assert_int_eq(plan.n_parts, 0);
    ck_assert_str_eq(device_finish(), "");
    cudnn.calls = real;
    oriel_cudnn_close(&cudnn);
    ck_assert_uint_eq(sim_cudnn_alive(), 0);
}
END_TEST

/* Shapes that no engine takes. */
START_TEST(refuses_other_heads)
{
    static const int32_t widths[] = {4, 20, 136};
    const oriel_cudnn_shape shape = {2, widths[_i], 1, 1024};
    oriel_cudnn cudnn;
    oriel_cudnn_plan plan;

    ck_assert_int_eq(oriel_cudnn_open(&cudnn, 0, NULL), ORIEL_OK);
    ck_assert_int_eq(oriel_cudnn_make(&cudnn, &plan, &shape, NULL),
                     ORIEL_ERR_UNSUPPORTED);
    oriel_cudnn_close(&cudnn);
}
END_TEST

/* A device that the table lacks; which versions it lacks: test_cuda_attention.c. */
START_TEST(refuses_other_devices)
{
    oriel_cudnn cudnn;
    oriel_cudnn_plan plan;
    oriel_error err;

    ck_assert_int_eq(oriel_cudnn_open(&cudnn, 0, NULL), ORIEL_OK);
    cudnn.capability = 75;
    ck_assert_int_eq(oriel_cudnn_make(&cudnn, &plan, &plain, &err),
                     ORIEL_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(
        strstr(err.message, "cuDNN 9.19 on a device of capability 7.5"));
    oriel_cudnn_close(&cudnn);
}
END_TEST

/* Types and numbers of attributes, and names that do not exist. */
START_TEST(refuses_unknown_attributes)
{
    const int64_t value[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    oriel_cudnn_descriptor d, none;
    oriel_cudnn cudnn;
    const oriel_cudnn_library *l = &cudnn.calls;
    int64_t n, got;

    ck_assert_int_eq(oriel_cudnn_open(&cudnn, 0, NULL), ORIEL_OK);
    ck_assert_int_eq(l->BackendCreateDescriptor(4, &none),
                     ORIEL_CUDNN_NOT_SUPPORTED); /* a heuristic */
    ck_assert_int_eq(l->BackendCreateDescriptor(ORIEL_CUDNN_TENSOR, &d),
                     ORIEL_CUDNN_SUCCESS);
#define SET(attribute, type, n, status) \
    ck_assert_int_eq( \
        l->BackendSetAttribute(d, attribute, ORIEL_CUDNN_IS_##type, n, value), \
        ORIEL_CUDNN_##status)
    SET(ORIEL_CUDNN_TENSOR_ID, INT64, 1, SUCCESS);
    SET(ORIEL_CUDNN_TENSOR_ID, DATA_TYPE, 1, BAD_PARAM);
    SET(ORIEL_CUDNN_TENSOR_ID, INT64, 2, BAD_PARAM);
    SET(ORIEL_CUDNN_TENSOR_ID, INT64, 0, BAD_PARAM);
    SET(ORIEL_CUDNN_TENSOR_DIMENSIONS, INT64, 5, BAD_PARAM);
    SET(ORIEL_CUDNN_ENGINE_INDEX, INT64, 1, NOT_SUPPORTED);
    SET(999, INT64, 1, NOT_SUPPORTED);
#undef SET
    ck_assert_int_eq(l->BackendGetAttribute(d, ORIEL_CUDNN_TENSOR_ID,
                                            ORIEL_CUDNN_IS_INT64, 1, &n, &got),
                     ORIEL_CUDNN_BAD_PARAM);
    ck_assert_int_eq(l->BackendDestroyDescriptor(d), ORIEL_CUDNN_SUCCESS);
    ck_assert_str_eq(device_finish(), "");
    ck_assert_int_eq(l->BackendFinalize(d), ORIEL_CUDNN_BAD_PARAM);
    ck_assert_ptr_nonnull(
        strstr(device_finish(), "something that is not a descriptor"));
    oriel_cudnn_close(&cudnn);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_cudnn_plan");
    TCase *tc = tcase_create("plan");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, refuses_what_is_wrong, 0, COUNT(spoils));
    tcase_add_loop_test(tc, refuses_other_heads, 0, 3);
    tcase_add_test(tc, refuses_other_devices);
    tcase_add_test(tc, refuses_unknown_attributes);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
