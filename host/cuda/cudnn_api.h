/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cudnn_api.h - what we use of cuDNN 9's backend API, in declarations of our own
 *
 * The library is loaded at run time and its header is not on every machine that
 * builds us.  Names are cuDNN's with another prefix; where its header is at hand,
 * tests/cuda/cudnn_agree.c compiles only if every value and prototype here is the
 * header's.
 */
#ifndef ORIEL_CUDA_CUDNN_API_H
#define ORIEL_CUDA_CUDNN_API_H

#include <stddef.h>
#include <stdint.h>

#define ORIEL_CUDNN_MODULE "libcudnn.so.9"
/* Of cudnnGetVersion(): the single node of attention appeared in 9.13. */
/* Those that have rows in cudnn_plan.c, in words. */
#define ORIEL_CUDNN_KNOWN "9.19"
enum { ORIEL_CUDNN_MAJOR = 9, ORIEL_CUDNN_LEAST = 91300 };

/* V(name here, name there, value) */
#define ORIEL_CUDNN_VALUES(V) \
    V(SUCCESS, CUDNN_STATUS_SUCCESS, 0) \
    V(NOT_INITIALIZED, CUDNN_STATUS_NOT_INITIALIZED, 1001) \
    V(BAD_PARAM, CUDNN_STATUS_BAD_PARAM, 2000) \
    V(NOT_SUPPORTED, CUDNN_STATUS_NOT_SUPPORTED, 3000) \
    V(INTERNAL_ERROR, CUDNN_STATUS_INTERNAL_ERROR, 4000) \
    V(HOST_ALLOCATION_FAILED, \
      CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED, 4003) \
    V(DEVICE_ALLOCATION_FAILED, \
      CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED, 4004) \
    V(EXECUTION_FAILED, CUDNN_STATUS_EXECUTION_FAILED, 5000) \
    V(IS_HANDLE, CUDNN_TYPE_HANDLE, 0) \
    V(IS_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1) \
    V(IS_BOOLEAN, CUDNN_TYPE_BOOLEAN, 2) \
    V(IS_INT64, CUDNN_TYPE_INT64, 3) \
    V(IS_POINTER, CUDNN_TYPE_VOID_PTR, 6) \
    V(IS_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 9) \
    V(IS_DESCRIPTOR, CUDNN_TYPE_BACKEND_DESCRIPTOR, 15) \
    V(IS_CHAR, CUDNN_TYPE_CHAR, 24) \
    V(DATA_FLOAT, CUDNN_DATA_FLOAT, 0) \
    V(DATA_INT32, CUDNN_DATA_INT32, 4) \
    V(DATA_BFLOAT16, CUDNN_DATA_BFLOAT16, 9) \
    V(DATA_INT64, CUDNN_DATA_INT64, 10) \
    V(ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR, 2) \
    V(ENGINE_CONFIG, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, 3) \
    V(PLAN, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, 5) \
    V(KNOB_CHOICE, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, 7) \
    V(GRAPH, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, 15) \
    V(PACK, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, 16) \
    V(TENSOR, CUDNN_BACKEND_TENSOR_DESCRIPTOR, 17) \
    V(DEVICE, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, 38) \
    V(ATTENTION, CUDNN_BACKEND_OPERATION_SDPA_FWD_DESCRIPTOR, 41) \
    V(CONFIG_ENGINE, CUDNN_ATTR_ENGINECFG_ENGINE, 300) \
    V(CONFIG_KNOBS, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, 302) \
    V(PLAN_HANDLE, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, 400) \
    V(PLAN_CONFIG, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, 401) \
    V(PLAN_WORKSPACE, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, 402) \
    V(PLAN_DEVICE, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, 407) \
    V(KNOB_TYPE, CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, 600) \
    V(KNOB_VALUE, CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, 601) \
    V(KNOB_KERNEL_CONFIG, CUDNN_KNOB_TYPE_KERNEL_CFG, 24) \
    V(GRAPH_HANDLE, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, 800) \
    V(GRAPH_OPERATIONS, CUDNN_ATTR_OPERATIONGRAPH_OPS, 801) \
    V(TENSOR_ALIGNMENT, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, 900) \
    V(TENSOR_DATA_TYPE, CUDNN_ATTR_TENSOR_DATA_TYPE, 901) \
    V(TENSOR_DIMENSIONS, CUDNN_ATTR_TENSOR_DIMENSIONS, 902) \
    V(TENSOR_STRIDES, CUDNN_ATTR_TENSOR_STRIDES, 903) \
    V(TENSOR_ID, CUDNN_ATTR_TENSOR_UNIQUE_ID, 906) \
    V(TENSOR_BY_VALUE, CUDNN_ATTR_TENSOR_IS_BY_VALUE, 908) \
    V(TENSOR_OFFSETS, CUDNN_ATTR_TENSOR_RAGGED_OFFSET_DESC, 913) \
    V(PACK_IDS, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, 1000) \
    V(PACK_POINTERS, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, 1001) \
    V(PACK_WORKSPACE, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, 1003) \
    V(ENGINE_GRAPH, CUDNN_ATTR_ENGINE_OPERATION_GRAPH, 1300) \
    V(ENGINE_INDEX, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, 1301) \
    V(ENGINE_DEVICE, CUDNN_ATTR_ENGINE_DEVICEPROP, 1307) \
    V(DEVICE_JSON, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, 2702) \
    V(ATTENTION_Q, CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC, 2800) \
    V(ATTENTION_K, CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC, 2801) \
    V(ATTENTION_V, CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC, 2802) \
    V(ATTENTION_O, CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC, 2803) \
    V(ATTENTION_SCALE, CUDNN_ATTR_OPERATION_SDPA_FWD_SCALEDESC, 2805) \
    V(ATTENTION_LENGTHS_Q, CUDNN_ATTR_OPERATION_SDPA_FWD_SEQ_LEN_QDESC, 2809) \
    V(ATTENTION_LENGTHS_KV, CUDNN_ATTR_OPERATION_SDPA_FWD_SEQ_LEN_KVDESC, 2810)

enum {
#define V(here, there, value) ORIEL_CUDNN_##here = (value),
    ORIEL_CUDNN_VALUES(V)
#undef V
};

/* Enums there; opaque pointers. */
typedef int32_t oriel_cudnn_status;
typedef void *oriel_cudnn_descriptor;
typedef void *oriel_cudnn_handle;
struct CUstream_st;

/* F(name, result, parameters): cudnnNAME. */
#define ORIEL_CUDNN_FUNCTIONS(F) \
    F(GetVersion, size_t, (void)) \
    F(GetErrorString, const char *, (int32_t status)) \
    F(GetLastErrorString, void, (char *message, size_t bytes)) \
    F(Create, oriel_cudnn_status, (oriel_cudnn_handle * handle)) \
    F(Destroy, oriel_cudnn_status, (oriel_cudnn_handle handle)) \
    F(SetStream, oriel_cudnn_status, \
      (oriel_cudnn_handle handle, struct CUstream_st * stream)) \
    F(BackendCreateDescriptor, oriel_cudnn_status, \
      (int32_t type, oriel_cudnn_descriptor * descriptor)) \
    F(BackendDestroyDescriptor, oriel_cudnn_status, \
      (oriel_cudnn_descriptor descriptor)) \
    F(BackendFinalize, oriel_cudnn_status, \
      (oriel_cudnn_descriptor descriptor)) \
    F(BackendSetAttribute, oriel_cudnn_status, \
      (oriel_cudnn_descriptor descriptor, int32_t attribute, int32_t type, \
       int64_t n, const void *values)) \
    F(BackendGetAttribute, oriel_cudnn_status, \
      (oriel_cudnn_descriptor descriptor, int32_t attribute, int32_t type, \
       int64_t room, int64_t * n, void *values)) \
    F(BackendExecute, oriel_cudnn_status, \
      (oriel_cudnn_handle handle, oriel_cudnn_descriptor plan, \
       oriel_cudnn_descriptor pack))

typedef struct oriel_cudnn_library {
#define F(name, result, parameters) result(*name) parameters;
    ORIEL_CUDNN_FUNCTIONS(F)
#undef F
} oriel_cudnn_library;

#endif /* ORIEL_CUDA_CUDNN_API_H */
