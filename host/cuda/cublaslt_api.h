/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cublaslt_api.h - what we use of cuBLASLt 13, in declarations of our own
 *
 * The library is loaded at run time and its header is not on every machine that
 * builds us.  Names are cublasLt's with another prefix; where its header is at
 * hand, tests/cuda/cublaslt_agree.c compiles only if every value, layout and
 * prototype here is the header's.
 *
 * Matrices are column-major: one of [rows, columns] has its columns one after
 * the other, 'ld' values apart.
 */
#ifndef ORIEL_CUDA_CUBLASLT_API_H
#define ORIEL_CUDA_CUBLASLT_API_H

#include <cuda_runtime.h>
#include <stddef.h>
#include <stdint.h>

#define ORIEL_LT_MODULE "libcublasLt.so.13"
enum { ORIEL_LT_MAJOR = 13 }; /* of cublasLtGetVersion() / 10000 */

/* V(name here, name there, value) */
#define ORIEL_LT_VALUES(V) \
    V(SUCCESS, CUBLAS_STATUS_SUCCESS, 0) \
    V(NOT_INITIALIZED, CUBLAS_STATUS_NOT_INITIALIZED, 1) \
    V(ALLOC_FAILED, CUBLAS_STATUS_ALLOC_FAILED, 3) \
    V(INVALID_VALUE, CUBLAS_STATUS_INVALID_VALUE, 7) \
    V(ARCH_MISMATCH, CUBLAS_STATUS_ARCH_MISMATCH, 8) \
    V(MAPPING_ERROR, CUBLAS_STATUS_MAPPING_ERROR, 11) \
    V(EXECUTION_FAILED, CUBLAS_STATUS_EXECUTION_FAILED, 13) \
    V(INTERNAL_ERROR, CUBLAS_STATUS_INTERNAL_ERROR, 14) \
    V(NOT_SUPPORTED, CUBLAS_STATUS_NOT_SUPPORTED, 15) \
    V(OP_N, CUBLAS_OP_N, 0) \
    V(OP_T, CUBLAS_OP_T, 1) \
    V(R_32F, CUDA_R_32F, 0) \
    V(R_16F, CUDA_R_16F, 2) \
    V(R_16BF, CUDA_R_16BF, 14) \
    V(COMPUTE_32F, CUBLAS_COMPUTE_32F, 68) \
    V(ORDER_COL, CUBLASLT_ORDER_COL, 0) \
    V(ORDER_ROW, CUBLASLT_ORDER_ROW, 1) \
    V(LAYOUT_TYPE, CUBLASLT_MATRIX_LAYOUT_TYPE, 0) \
    V(LAYOUT_ORDER, CUBLASLT_MATRIX_LAYOUT_ORDER, 1) \
    V(LAYOUT_ROWS, CUBLASLT_MATRIX_LAYOUT_ROWS, 2) \
    V(LAYOUT_COLS, CUBLASLT_MATRIX_LAYOUT_COLS, 3) \
    V(LAYOUT_LD, CUBLASLT_MATRIX_LAYOUT_LD, 4) \
    V(LAYOUT_BATCH_COUNT, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, 5) \
    V(DESC_COMPUTE_TYPE, CUBLASLT_MATMUL_DESC_COMPUTE_TYPE, 0) \
    V(DESC_SCALE_TYPE, CUBLASLT_MATMUL_DESC_SCALE_TYPE, 1) \
    V(DESC_POINTER_MODE, CUBLASLT_MATMUL_DESC_POINTER_MODE, 2) \
    V(DESC_TRANSA, CUBLASLT_MATMUL_DESC_TRANSA, 3) \
    V(DESC_TRANSB, CUBLASLT_MATMUL_DESC_TRANSB, 4) \
    V(DESC_TRANSC, CUBLASLT_MATMUL_DESC_TRANSC, 5) \
    V(DESC_EPILOGUE, CUBLASLT_MATMUL_DESC_EPILOGUE, 7) \
    V(DESC_BIAS_POINTER, CUBLASLT_MATMUL_DESC_BIAS_POINTER, 8) \
    V(DESC_BIAS_DATA_TYPE, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, 26) \
    V(POINTER_MODE_HOST, CUBLASLT_POINTER_MODE_HOST, 0) \
    V(EPILOGUE_DEFAULT, CUBLASLT_EPILOGUE_DEFAULT, 1) \
    V(EPILOGUE_BIAS, CUBLASLT_EPILOGUE_BIAS, 4) \
    V(REDUCTION_NONE, CUBLASLT_REDUCTION_SCHEME_NONE, 0) \
    V(REDUCTION_COMPUTE_TYPE, CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE, 2) \
    V(REDUCTION_MASK, CUBLASLT_REDUCTION_SCHEME_MASK, 7) \
    V(PREF_WORKSPACE_BYTES, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, 1) \
    V(PREF_REDUCTION_MASK, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, 3) \
    V(PREF_ALIGNMENT_A, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, 5) \
    V(PREF_ALIGNMENT_B, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, 6) \
    V(PREF_ALIGNMENT_C, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, 7) \
    V(PREF_ALIGNMENT_D, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, 8) \
    V(CONFIG_ID, CUBLASLT_ALGO_CONFIG_ID, 0) \
    V(CONFIG_TILE, CUBLASLT_ALGO_CONFIG_TILE_ID, 1) \
    V(CONFIG_SPLITK, CUBLASLT_ALGO_CONFIG_SPLITK_NUM, 2) \
    V(CONFIG_REDUCTION, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, 3) \
    V(CONFIG_SWIZZLE, CUBLASLT_ALGO_CONFIG_CTA_SWIZZLING, 4) \
    V(CONFIG_CUSTOM, CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION, 5) \
    V(CONFIG_STAGES, CUBLASLT_ALGO_CONFIG_STAGES_ID, 6) \
    V(CONFIG_INNER, CUBLASLT_ALGO_CONFIG_INNER_SHAPE_ID, 7) \
    V(CONFIG_CLUSTER, CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID, 8) \
    V(CLUSTER_AUTO, CUBLASLT_CLUSTER_SHAPE_AUTO, 0) \
    V(CLUSTER_1X1X1, CUBLASLT_CLUSTER_SHAPE_1x1x1, 2) \
    V(CLUSTER_2X1X1, CUBLASLT_CLUSTER_SHAPE_2x1x1, 3)

#define ORIEL_LT_ENUMERATOR(here, there, value) ORIEL_LT_##here = (value),
enum { ORIEL_LT_VALUES(ORIEL_LT_ENUMERATOR) };
#undef ORIEL_LT_ENUMERATOR

/* Enumerations there, four bytes each. */
typedef int32_t oriel_lt_status, oriel_lt_data_type, oriel_lt_compute_type,
    oriel_lt_layout_attribute, oriel_lt_desc_attribute,
    oriel_lt_preference_attribute, oriel_lt_config_attribute;

typedef struct oriel_lt_context *oriel_lt_handle;
typedef struct oriel_lt_layout_opaque *oriel_lt_layout;
typedef struct oriel_lt_desc_opaque *oriel_lt_desc;
typedef struct oriel_lt_preference_opaque *oriel_lt_preference;

/* An algorithm with its configuration: bytes to be kept and handed back. */
typedef struct oriel_lt_algo {
    uint64_t data[8];
} oriel_lt_algo;
typedef struct oriel_lt_heuristic {
    oriel_lt_algo algo;
    size_t workspace_bytes;
    oriel_lt_status state;
    float waves;
    int reserved[4];
} oriel_lt_heuristic;

/* F(result, name without cublasLt, parameters) */
#define ORIEL_LT_FUNCTIONS(F) \
    F(size_t, GetVersion, (void)) \
    F(const char *, GetStatusString, (oriel_lt_status)) \
    F(oriel_lt_status, Create, (oriel_lt_handle *)) \
    F(oriel_lt_status, Destroy, (oriel_lt_handle)) \
    F(oriel_lt_status, MatrixLayoutCreate, \
      (oriel_lt_layout *, oriel_lt_data_type, uint64_t rows, uint64_t columns, \
       int64_t ld)) \
    F(oriel_lt_status, MatrixLayoutDestroy, (oriel_lt_layout)) \
    F(oriel_lt_status, MatrixLayoutSetAttribute, \
      (oriel_lt_layout, oriel_lt_layout_attribute, const void *, \
       size_t bytes)) \
    F(oriel_lt_status, MatmulDescCreate, \
      (oriel_lt_desc *, oriel_lt_compute_type, oriel_lt_data_type scale)) \
    F(oriel_lt_status, MatmulDescDestroy, (oriel_lt_desc)) \
    F(oriel_lt_status, MatmulDescSetAttribute, \
      (oriel_lt_desc, oriel_lt_desc_attribute, const void *, size_t bytes)) \
    F(oriel_lt_status, MatmulPreferenceCreate, (oriel_lt_preference *)) \
    F(oriel_lt_status, MatmulPreferenceDestroy, (oriel_lt_preference)) \
    F(oriel_lt_status, MatmulPreferenceSetAttribute, \
      (oriel_lt_preference, oriel_lt_preference_attribute, const void *, \
       size_t bytes)) \
    F(oriel_lt_status, MatmulAlgoGetHeuristic, \
      (oriel_lt_handle, oriel_lt_desc, oriel_lt_layout a, oriel_lt_layout b, \
       oriel_lt_layout c, oriel_lt_layout d, oriel_lt_preference, int most, \
       oriel_lt_heuristic found[], int *n_found)) \
    F(oriel_lt_status, MatmulAlgoCheck, \
      (oriel_lt_handle, oriel_lt_desc, oriel_lt_layout a, oriel_lt_layout b, \
       oriel_lt_layout c, oriel_lt_layout d, const oriel_lt_algo *, \
       oriel_lt_heuristic *result)) \
    F(oriel_lt_status, MatmulAlgoConfigGetAttribute, \
      (const oriel_lt_algo *, oriel_lt_config_attribute, void *, size_t bytes, \
       size_t *written)) \
    F(oriel_lt_status, MatmulAlgoConfigSetAttribute, \
      (oriel_lt_algo *, oriel_lt_config_attribute, const void *, \
       size_t bytes)) \
    /* D = alpha op(A) op(B) + beta C, then the epilogue */ \
    F(oriel_lt_status, Matmul, \
      (oriel_lt_handle, oriel_lt_desc, const void *alpha, const void *a, \
       oriel_lt_layout a_layout, const void *b, oriel_lt_layout b_layout, \
       const void *beta, const void *c, oriel_lt_layout c_layout, void *d, \
       oriel_lt_layout d_layout, const oriel_lt_algo *, void *workspace, \
       size_t workspace_bytes, cudaStream_t))

/* The functions as members: library->Matmul(...). */
typedef struct oriel_lt_library {
#define ORIEL_LT_MEMBER(result, name, parameters) result(*name) parameters;
    ORIEL_LT_FUNCTIONS(ORIEL_LT_MEMBER)
#undef ORIEL_LT_MEMBER
} oriel_lt_library;

#endif /* ORIEL_CUDA_CUBLASLT_API_H */
