/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver.h - functions of the driver that the runtime has no name for
 *
 * The runtime finds them: nothing is linked with libcuda.so.
 */
#ifndef ORIEL_CUDA_DRIVER_H
#define ORIEL_CUDA_DRIVER_H

#include "oriel.h"

#include "hopper_ops.h"

#include <cuda_runtime.h>

struct CUctx_st; /* a context */
struct CUgreenCtx_st;

/* Attributes of a pointer, by their numbers in cuda.h. */
enum {
    ORIEL_DRIVER_RANGE_START = 11, /* of its allocation or registration */
    ORIEL_DRIVER_RANGE_SIZE = 12
};

typedef struct oriel_cuda_driver {
    int (*get_device)(int *device, int ordinal);
    int (*retain)(struct CUctx_st **context, int device);
    int (*get_current)(struct CUctx_st **context);
    int (*push)(struct CUctx_st *context);
    int (*pop)(struct CUctx_st **context);
    /* For a stream of a green context, the primary context that it shares. */
    int (*get_stream_context)(cudaStream_t stream, struct CUctx_st **context,
                              struct CUgreenCtx_st **green);
    /* Zeros of memory that CUDA does not know. */
    int (*get_pointer_attributes)(unsigned n, int *attributes, void **values,
                                  uintptr_t pointer);
    oriel_hopper_encode encode_tensor_map;
} oriel_cuda_driver;

/* Found once a process.  Threads: any. */
oriel_status oriel_cuda_find_driver(const oriel_cuda_driver **driver,
                                    oriel_error *err);

#endif /* ORIEL_CUDA_DRIVER_H */
