/* SPDX-License-Identifier: Apache-2.0 */
/* library.h - a library of NVIDIA's in the place of our own kernel, on a case's operands:
   cuBLASLt's products here, cuDNN's attention in cudnn.h */
#ifndef TESTS_OPS_LIBRARY_H
#define TESTS_OPS_LIBRARY_H

#include "cuda/cublaslt.h"
#include "ops/cudnn.h"
#include "ops/op.h"

/* Zeroed: not open. */
typedef struct op_library {
    oriel_lt lt;
    oriel_lt_product product;
    uint16_t *gate_up; /* of all rows, where the gate is a kernel of its own */
    op_cudnn cudnn;    /* instead */
} op_library;

/* Whether it is a block's product; but it adds to no residual of two planes. */
bool op_library_has(const op *which);
/* With the one algorithm that an encoder would have.  0, or -1 with a complaint;
   close it in both cases. */
int op_library_open(const op_case *c, op_library *library);
void op_library_close(op_library *library);
/* As op.run. */
cudaError_t op_library_run(const op_case *c, const op_library *library,
                           int64_t first, int64_t rows, void *out);
/* It may sum in any order: the bound of a row [columns] is two roundings of itself
   and of the row's root mean square. */
void op_library_loosen(const op_case *c, const double *exact, double *bound);

#endif /* TESTS_OPS_LIBRARY_H */
