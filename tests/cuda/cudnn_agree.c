/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cudnn_agree.c - host/cuda/cudnn_api.h against the library's own header
 *
 * There is nothing to run: it compiles when values are the same and the functions
 * take what we give them.
 */
#include "cuda/cudnn_api.h"

#include <cudnn.h>
#include <stddef.h>

#define SAME_VALUE(here, there, value) \
    _Static_assert((int)(there) == (value), #there);
ORIEL_CUDNN_VALUES(SAME_VALUE)

/* What passes for another type here must be passed like it. */
#define SAME_SIZE(here, there) \
    _Static_assert(sizeof(here) == sizeof(there) && \
                       _Alignof(here) == _Alignof(there), \
                   #there)
SAME_SIZE(oriel_cudnn_status, cudnnStatus_t);
SAME_SIZE(oriel_cudnn_descriptor, cudnnBackendDescriptor_t);
SAME_SIZE(oriel_cudnn_handle, cudnnHandle_t);
SAME_SIZE(int32_t, cudnnBackendDescriptorType_t);
SAME_SIZE(int32_t, cudnnBackendAttributeName_t);
SAME_SIZE(int32_t, cudnnBackendAttributeType_t);
SAME_SIZE(int32_t, cudnnBackendKnobType_t);
SAME_SIZE(int32_t, cudnnDataType_t);

_Static_assert(CUDNN_MAJOR == ORIEL_CUDNN_MAJOR,
               "another major version: look at its header again");

/* Each call as we make it; nothing is evaluated. */
#define RETURNS(type, call) \
    _Static_assert(__builtin_types_compatible_p(__typeof__(call), type), #call)
RETURNS(size_t, cudnnGetVersion());
RETURNS(const char *, cudnnGetErrorString(CUDNN_STATUS_SUCCESS));
RETURNS(void, cudnnGetLastErrorString((char *)NULL, (size_t)0));
RETURNS(cudnnStatus_t, cudnnCreate((cudnnHandle_t *)NULL));
RETURNS(cudnnStatus_t, cudnnDestroy((cudnnHandle_t)NULL));
RETURNS(cudnnStatus_t,
        cudnnSetStream((cudnnHandle_t)NULL, (struct CUstream_st *)NULL));
RETURNS(cudnnStatus_t,
        cudnnBackendExecute((cudnnHandle_t)NULL, (cudnnBackendDescriptor_t)NULL,
                            (cudnnBackendDescriptor_t)NULL));
RETURNS(cudnnStatus_t,
        cudnnBackendCreateDescriptor(CUDNN_BACKEND_TENSOR_DESCRIPTOR,
                                     (cudnnBackendDescriptor_t *)NULL));
RETURNS(cudnnStatus_t,
        cudnnBackendDestroyDescriptor((cudnnBackendDescriptor_t)NULL));
RETURNS(cudnnStatus_t, cudnnBackendFinalize((cudnnBackendDescriptor_t)NULL));
RETURNS(cudnnStatus_t,
        cudnnBackendSetAttribute((cudnnBackendDescriptor_t)NULL,
                                 CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64,
                                 (int64_t)1, (const void *)NULL));
RETURNS(cudnnStatus_t,
        cudnnBackendGetAttribute((cudnnBackendDescriptor_t)NULL,
                                 CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                 CUDNN_TYPE_INT64, (int64_t)1, (int64_t *)NULL,
                                 (void *)NULL));
