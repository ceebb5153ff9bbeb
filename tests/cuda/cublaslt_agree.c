/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cublaslt_agree.c - host/cuda/cublaslt_api.h against the toolkit's own header
 *
 * There is nothing to run: it compiles when values, layouts and prototypes are
 * the same.
 */
#include "cuda/cublaslt_api.h"

#include <cublasLt.h>
#include <stddef.h>

#define SAME_VALUE(here, there, value) \
    _Static_assert((int)(there) == (value), #there);
ORIEL_LT_VALUES(SAME_VALUE)

/* What passes for another type here must be passed like it. */
#define SAME_SIZE(here, there) \
    _Static_assert(sizeof(here) == sizeof(there) && \
                       _Alignof(here) == _Alignof(there), \
                   #there)
SAME_SIZE(oriel_lt_status, cublasStatus_t);
SAME_SIZE(oriel_lt_data_type, cudaDataType);
SAME_SIZE(oriel_lt_compute_type, cublasComputeType_t);
SAME_SIZE(oriel_lt_layout_attribute, cublasLtMatrixLayoutAttribute_t);
SAME_SIZE(oriel_lt_desc_attribute, cublasLtMatmulDescAttributes_t);
SAME_SIZE(oriel_lt_preference_attribute, cublasLtMatmulPreferenceAttributes_t);
SAME_SIZE(oriel_lt_config_attribute, cublasLtMatmulAlgoConfigAttributes_t);
SAME_SIZE(oriel_lt_handle, cublasLtHandle_t);
SAME_SIZE(oriel_lt_layout, cublasLtMatrixLayout_t);
SAME_SIZE(oriel_lt_desc, cublasLtMatmulDesc_t);
SAME_SIZE(oriel_lt_preference, cublasLtMatmulPreference_t);
SAME_SIZE(oriel_lt_algo, cublasLtMatmulAlgo_t);
SAME_SIZE(oriel_lt_heuristic, cublasLtMatmulHeuristicResult_t);

#define SAME_PLACE(here, there) \
    _Static_assert(offsetof(oriel_lt_heuristic, here) == \
                       offsetof(cublasLtMatmulHeuristicResult_t, there), \
                   #there)
SAME_PLACE(algo, algo);
SAME_PLACE(workspace_bytes, workspaceSize);
SAME_PLACE(state, state);
SAME_PLACE(waves, wavesCount);
SAME_PLACE(reserved, reserved);

_Static_assert(CUBLAS_VER_MAJOR == ORIEL_LT_MAJOR &&
                   CUBLAS_VERSION / 10000 == ORIEL_LT_MAJOR,
               "another major version: look at its header again");

/* The list once more, with the toolkit's types under our names. */
#define oriel_lt_status cublasStatus_t
#define oriel_lt_data_type cudaDataType
#define oriel_lt_compute_type cublasComputeType_t
#define oriel_lt_layout_attribute cublasLtMatrixLayoutAttribute_t
#define oriel_lt_desc_attribute cublasLtMatmulDescAttributes_t
#define oriel_lt_preference_attribute cublasLtMatmulPreferenceAttributes_t
#define oriel_lt_config_attribute cublasLtMatmulAlgoConfigAttributes_t
#define oriel_lt_handle cublasLtHandle_t
#define oriel_lt_layout cublasLtMatrixLayout_t
#define oriel_lt_desc cublasLtMatmulDesc_t
#define oriel_lt_preference cublasLtMatmulPreference_t
#define oriel_lt_algo cublasLtMatmulAlgo_t
#define oriel_lt_heuristic cublasLtMatmulHeuristicResult_t

#define SAME_PROTOTYPE(result, name, parameters) \
    _Static_assert(__builtin_types_compatible_p(__typeof__(cublasLt##name), \
                                                result parameters), \
                   "cublasLt" #name);
ORIEL_LT_FUNCTIONS(SAME_PROTOTYPE)
