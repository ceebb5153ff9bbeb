/* SPDX-License-Identifier: Apache-2.0 */
/* faulty.h - kernels that the simulator must catch, and must not */
#ifndef TESTS_SIM_FAULTY_H
#define TESTS_SIM_FAULTY_H

#include <cuda_runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct faulty_args {
    const float *in; /* [256] */
    float *out;      /* [256] */
} faulty_args;

enum {
    FAULTY_REVERSE,
    FAULTY_REVERSE_WARP,
    FAULTY_COPY,
    FAULTY_PIPELINE,
    FAULTY_OVERRUN_SHARED,
    FAULTY_OVERRUN_GLOBAL,
    FAULTY_DIVERGE,
    FAULTY_SKIP_ROUND,
    FAULTY_SKIP_LATE_ROUND,
    FAULTY_LEAVE,
    FAULTY_COLLIDE,
    FAULTY_REVERSE_GLOBAL,
    FAULTY_SHIFT_GLOBAL,
    FAULTY_HALVES,
    FAULTY_MISALIGN,
    FAULTY_OVERRUN_REGISTERS,
    FAULTY_SHIFT,
    FAULTY_CONVERT,
    FAULTY_HALF_WARPS,
    FAULTY_TWO_BARRIERS,
    FAULTY_UNWAITED,
    FAULTY_SOURCE,
    FAULTY_NOWHERE,
    /* No report, but other bytes: only where fresh memory holds large numbers. */
    FAULTY_UNWRITTEN,
    /* No report, but other bytes: from an adversarial tensor core alone. */
    FAULTY_PACKED,
    FAULTY_SPLIT,
    FAULTY_KERNELS
};

/* Enqueue kernel 'which', with its mistake or without. */
cudaError_t faulty_run(int which, int wrong, const faulty_args *args);

/* A right one, on a stream. */
cudaError_t faulty_run_on(cudaStream_t stream, const faulty_args *args);
/* Make a kernel ready to be launched with so much shared memory. */
cudaError_t faulty_prepare(size_t shared_bytes);

/* One warp moves in -> shared memory -> out, 'bytes' (4, 8 or 16) a lane, lanes
   'stride' such vectors apart: what the counters are tried on. */
cudaError_t strided_run(int bytes, int stride, const faulty_args *args);

#ifdef __cplusplus
}
#endif
#endif /* TESTS_SIM_FAULTY_H */
