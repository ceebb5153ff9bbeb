/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops.h - the operations on the GPU, as host code calls them
 *
 * Each has a struct of arguments and a launcher that checks its limits, enqueues
 * on the stream and returns; empty input enqueues nothing.  The launchers of a
 * file are made ready on the current device by its _prepare, once, outside of
 * any capture.  Pointers are to device memory; bf16 values are uint16_t.
 * Shapes, limits and error bounds stand at the head of each kernel.
 */
#ifndef ORIEL_KERNELS_OPS_H
#define ORIEL_KERNELS_OPS_H

#include <cuda_runtime.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* rms_norm.cu */
typedef struct oriel_rms_norm_args {
    const uint16_t *x;      /* bf16 [rows, columns] */
    const uint16_t *weight; /* bf16 [columns] */
    uint16_t *out;          /* bf16 [rows, columns] */
    int64_t rows;
    int32_t columns; /* a multiple of 8, at most 8192 */
} oriel_rms_norm_args;
cudaError_t oriel_cuda_rms_norm_prepare(void);
cudaError_t oriel_cuda_rms_norm(const oriel_rms_norm_args *args,
                                cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif /* ORIEL_KERNELS_OPS_H */
