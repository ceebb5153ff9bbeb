/* SPDX-License-Identifier: Apache-2.0 */
/* cudnn.h - cuDNN in the place of our own attention over frames, on a case's operands */
#ifndef TESTS_OPS_CUDNN_H
#define TESTS_OPS_CUDNN_H

#include "cuda/cudnn.h"
#include "ops/op.h"

/* Zeroed: not open. */
typedef struct op_cudnn {
    oriel_cudnn cudnn;
    oriel_cudnn_plan plan;
    op_array lengths, qkv_offsets, out_offsets, workspace;
} op_cudnn;

/* Whether the library is here and has an engine that we know on the current device;
   without one 'why' says what is missing. */
bool op_cudnn_is_there(oriel_error *why);
/* Whether it is cuDNN's to run. */
bool op_cudnn_has(const op *which);
/* With the one engine that an encoder would have, and a plan of at least so many
   sequences and rows; 0: as many as the case has.  0, or -1 with a complaint; close it
   in both cases. */
int op_cudnn_open(const op_case *c, op_cudnn *by, int32_t sequences,
                  int32_t rows);
void op_cudnn_close(op_cudnn *by);
/* All rows, on the default stream. */
oriel_cudnn_args op_cudnn_args(const op_case *c, const op_cudnn *by, void *out);
cudaError_t op_cudnn_run(const op_case *c, const op_cudnn *by, void *out);
/* Its tiles of keys and its exponentials are its own: the bound twice. */
void op_cudnn_loosen(const op_case *c, const double *exact, double *bound);

#endif /* TESTS_OPS_CUDNN_H */
