/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failing_call.h - the nth call fails, for every n: one driver for all scenarios
 *
 * A scenario is three words whose letters are steps: what is done before, what is
 * done while the nth call fails, and what must then work all the same.  A call is
 * one of CUDA's runtime, of cuBLASLt or of cuDNN, or a hook that lends memory.  Whatever
 * fails: a status that stands for the error and a line, or results that are
 * right; no memory left; the caller's device.
 */
#ifndef TESTS_CUDA_FAILING_CALL_H
#define TESTS_CUDA_FAILING_CALL_H

#include "cuda/input_case.h"

#include <stdbool.h>

/* Which calls are counted. */
typedef enum calls {
    RUNTIME,
    CUBLASLT,
    CUDNN,
    HOST_MEMORY,
    DEVICE_MEMORY
} calls;

typedef struct scenario {
    const char *name;
    /* Steps: c create, e encode, r reserve, p prepare, s status, d destroy. */
    const char *before, *failing, *after;
    calls calls;
    cudaError_t error; /* of RUNTIME */
    input_kind input;
    int32_t resample, kernels, residual, attention, graphs, checks,
        results; /* ORIEL_* */
    bool whole;  /* the tiny network with all of its blocks */
    bool pair;   /* with one of each kind; else with one */
    bool state;  /* a hidden state too */
    bool kept;   /* one encoder for all n, until it is lost */
    int32_t device, profile;
    uint64_t first, apart; /* n is first, first + apart and so on; 0: 1 */
    uint64_t told;         /* failures that are told, at least ... */
    uint64_t told_most;    /* ... and at most; 0: any number */
    int warnings;          /* of graphs, in all; 0: they are not counted */
    const char *words;     /* in each failure's message; NULL: any */
} scenario;

/* Fails the test where the scenario does not hold. */
void failing_call_check(const scenario *s);

#endif /* TESTS_CUDA_FAILING_CALL_H */
