/* SPDX-License-Identifier: Apache-2.0 */
/* verify_implementations.h - what can run an op's case: own kernels, libraries */
#ifndef ORIEL_CUDA_VERIFY_IMPLEMENTATIONS_H
#define ORIEL_CUDA_VERIFY_IMPLEMENTATIONS_H

#include "cuda/verify.h"

#include "ops/library.h"

/* What can run an op's case, once for all ops: a new one is a row. */
typedef struct oriel_cuda_implemented {
    const char *name;
    bool (*has)(const op_case *c);
    /* Why it cannot be asked at all; "": it can.  NULL: it always can. */
    void (*find)(char *why, size_t bytes);
    /* 0, or -1 with a complaint; what it made goes with 'close'. */
    int (*open)(const op_case *c, op_library *library);
    cudaError_t (*run)(const op_case *c, const op_library *library,
                       int64_t first, int64_t rows, void *out);
    void (*close)(op_library *library);
    /* Its bound, of the row's exact results, where it is not the kernel's. */
    void (*loosen)(const op_case *c, const double *exact, double *bound);
} oriel_cuda_implemented;

enum { ORIEL_CUDA_IMPLEMENTED = 6 };
extern const oriel_cuda_implemented
    oriel_cuda_implementations[ORIEL_CUDA_IMPLEMENTED];

#endif /* ORIEL_CUDA_VERIFY_IMPLEMENTATIONS_H */
