/* SPDX-License-Identifier: Apache-2.0 */
/*
 * instructions.h - each instruction of ptx.cuh alone, on given inputs
 *
 * The same source runs on the simulated GPU and on hardware.  A case is one
 * launch: every thread has INSTRUCTION_IN words of input and gives
 * INSTRUCTION_OUT words back.
 */
#ifndef TESTS_KERNELS_INSTRUCTIONS_H
#define TESTS_KERNELS_INSTRUCTIONS_H

#include <cuda_runtime.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    INSTRUCTION_THREADS = 64, /* of a block: two warps */
    INSTRUCTION_IN = 12,
    INSTRUCTION_OUT = 4
};

/* What the input words are, and how close the output must be. */
typedef enum instruction_kind {
    INSTRUCTION_BITS,    /* any words; the same bits */
    INSTRUCTION_FLOATS,  /* floats of every kind; the same bits */
    INSTRUCTION_F16,     /* any words; the same floats, a NaN is a NaN */
    INSTRUCTION_INTEGER, /* small whole numbers in bf16; the same floats */
    INSTRUCTION_PRODUCT, /* bf16 numbers; close: 'bound' of sum |a b| + |d| */
    INSTRUCTION_APPROX   /* floats of every kind; 'bound' relative */
} instruction_kind;

typedef struct instruction {
    const char *name;
    instruction_kind kind;
    double bound;
    int blocks;
    /* in [threads, IN] for every block, out [blocks, threads, OUT] */
    cudaError_t (*run)(const uint32_t *in, uint32_t *out);
} instruction;

typedef struct instruction_list {
    const instruction *of;
    int n;
    int gpu; /* which alone has them, 90 for 9.0; 0: all have */
} instruction_list;

/* Of instructions.cu, and of instructions_hopper.cu. */
extern const instruction_list instructions, instructions_hopper;

#ifdef __cplusplus
}
#endif
#endif /* TESTS_KERNELS_INSTRUCTIONS_H */
