/* SPDX-License-Identifier: Apache-2.0 */
/* cublaslt_attributes.h - what any cuBLASLt, ours or NVIDIA's, must take */
#ifndef TESTS_CUDA_CUBLASLT_ATTRIBUTES_H
#define TESTS_CUDA_CUBLASLT_ATTRIBUTES_H

#include "cuda/cublaslt_api.h"

/* Descriptors take each attribute that we set in its size and in no other, and
   algorithms give each that we read; fails the test otherwise.  No device is
   needed. */
void check_attributes(const oriel_lt_library *library);

#endif /* TESTS_CUDA_CUBLASLT_ATTRIBUTES_H */
