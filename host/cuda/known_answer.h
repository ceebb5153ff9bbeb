/* SPDX-License-Identifier: Apache-2.0 */
/*
 * known_answer.h - a small computation whose result is known beforehand
 *
 * Before an encoder uses an implementation on a device, that implementation must
 * give the right answer there: a wrong image, a broken instruction, operands in
 * the wrong order or a wrong epilogue are found before they spoil an embedding.
 * It takes some milliseconds, once a process, device and implementation; cuDNN's as
 * long as the library builds a plan, which is about a second.  A debug line of the log
 * tells.
 */
#ifndef ORIEL_CUDA_KNOWN_ANSWER_H
#define ORIEL_CUDA_KNOWN_ANSWER_H

#include "cuda/cublaslt.h"
#include "cuda/cudnn.h"
#include "cuda/hopper.h"

/* What can take another's place as a whole, once for all who ask: number, name. */
#define ORIEL_CUDA_IMPLEMENTATIONS(X) \
    X(KERNELS, "own kernels")   /* the steps that nothing else can run */ \
    X(PRODUCTS, "own products") /* a block's four */ \
    X(CUBLASLT, "cuBLASLt")     /* the same four */ \
    X(CUDNN, "cuDNN")           /* attention over frames */ \
    X(WIDE, "own kernels of a wide residual") /* which no library has */ \
    X(HOPPER, "Hopper products") /* all of an encoder's, in large tiles */ \
    X(HOPPER_SMALL, "Hopper products of few rows")   /* in small ones */ \
    X(HOPPER_FRAMES, "Hopper attention over frames") /* of heads of 80 */

typedef enum oriel_cuda_implementation {
#define X(number, name) ORIEL_CUDA_##number,
    ORIEL_CUDA_IMPLEMENTATIONS(X)
#undef X
        ORIEL_CUDA_N_IMPLEMENTATIONS
} oriel_cuda_implementation;

const char *oriel_cuda_implementation_name(oriel_cuda_implementation which);

typedef struct oriel_cuda_tested {
    oriel_cuda_implementation which;
    int32_t device_index;
    int32_t head_dim; /* of attention, whose kernels have an instance a size */
    const oriel_lt *lt;              /* an open library; CUBLASLT alone */
    const oriel_cudnn *cudnn;        /* likewise; CUDNN alone */
    const oriel_cuda_hopper *hopper; /* that is on; HOPPER... alone */
    const oriel_hooks *hooks;        /* its memory */
} oriel_cuda_tested;

/*
 * Run it on the current device, which is tested->device_index and whose kernels
 * were made ready, unless it ran in this process; on a stream of its own, and it
 * waits.  *wrong tells a wrong answer, which is ORIEL_ERR_FAULT and is kept, from
 * a test that could not run.  Threads: any.
 */
oriel_status oriel_cuda_known_answer(const oriel_cuda_tested *tested,
                                     bool *wrong, oriel_error *err);

#endif /* ORIEL_CUDA_KNOWN_ANSWER_H */
