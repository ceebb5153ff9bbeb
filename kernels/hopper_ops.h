/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hopper_ops.h - products that sm_90a alone runs, as host code calls them
 *
 * Each stands in the place of the op of ops.h whose arguments it takes, with the
 * same roundings; but wgmma may sum in another order, so its bytes are its own.
 * Tensor copies read the operands by maps (cuTensorMapEncodeTiled), which stay
 * valid as long as what they describe stays where it is.  Rows of a map beyond
 * those of a call are read, and stored nowhere.
 *
 * There are two sizes of tiles, for many rows and for few.  A row's bytes depend on
 * neither, nor on how many blocks there are.
 */
#ifndef ORIEL_KERNELS_HOPPER_OPS_H
#define ORIEL_KERNELS_HOPPER_OPS_H

#include "hopper_list.h"
#include "ops.h"

#include <cuda.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ORIEL_DECLARE_PREPARE(name) \
    cudaError_t oriel_cuda_##name##_prepare(oriel_cuda_loaded *loaded);
ORIEL_HOPPER_KERNELS(ORIEL_DECLARE_PREPARE)
#undef ORIEL_DECLARE_PREPARE

/* How a product is run. */
typedef struct oriel_hopper_product {
    const CUtensorMap *x, *weight; /* by _map_x and _map_weight; read before the
                                      launcher returns */
    const CUtensorMap *hi, *lo; /* of linear_residual alone, by _map_residual:
                                      args->out and, if it is wide, args->lo */
    int32_t small;              /* tiles for few rows; of all four maps too */
    int32_t blocks; /* at most so many: of multiprocessors, 1 or more */
    /* No byte depends on these.  Not 0: pairs of blocks bring each half of the
       weight's tile for both, large tiles alone; one warpgroup begins two stages
       after the other. */
    int32_t pairs, skew;
} oriel_hopper_product;

cudaError_t oriel_cuda_hopper_linear(const oriel_linear_args *args,
                                     const oriel_hopper_product *by,
                                     cudaStream_t stream);
cudaError_t oriel_cuda_hopper_linear_residual(const oriel_linear_args *args,
                                              const oriel_hopper_product *by,
                                              cudaStream_t stream);
cudaError_t oriel_cuda_hopper_linear_swiglu(
    const oriel_linear_swiglu_args *args, const oriel_hopper_product *by,
    cudaStream_t stream);
cudaError_t oriel_cuda_hopper_linear_gelu(const oriel_linear_args *args,
                                          const oriel_hopper_product *by,
                                          cudaStream_t stream);
cudaError_t oriel_cuda_hopper_linear_rows(const oriel_linear_rows_args *args,
                                          const oriel_hopper_product *by,
                                          cudaStream_t stream);

/* How full attention is run, of heads of 80 alone. */
typedef struct oriel_hopper_attention {
    const CUtensorMap *box, *rest; /* by _map_qkv */
    int32_t blocks;                /* at most so many: of multiprocessors */
} oriel_hopper_attention;

cudaError_t oriel_cuda_hopper_full_attention(
    const oriel_full_attention_args *args, const oriel_hopper_attention *by,
    cudaStream_t stream);

/* ---- Maps ------------------------------------------------------------------- */

/* The driver's cuTensorMapEncodeTiled. */
typedef CUresult (*oriel_hopper_encode)(
    CUtensorMap *map, CUtensorMapDataType type, cuuint32_t rank, void *matrix,
    const cuuint64_t *dims, const cuuint64_t *strides, const cuuint32_t *box,
    const cuuint32_t *steps, CUtensorMapInterleave interleave,
    CUtensorMapSwizzle swizzle, CUtensorMapL2promotion promotion,
    CUtensorMapFloatOOBfill fill);

/* Whose weight it is: tiles of ops differ in their columns. */
typedef enum oriel_hopper_op {
    ORIEL_HOPPER_LINEAR,
    ORIEL_HOPPER_RESIDUAL,
    ORIEL_HOPPER_SWIGLU,
    ORIEL_HOPPER_GELU,
    ORIEL_HOPPER_ROWS
} oriel_hopper_op;

/* Whether small tiles take less time than large ones, by the clocks of a step of each
   (resources.txt) and how many tiles the fullest of 'blocks' has: 0 or 1.  columns
   are the weight's. */
int32_t oriel_cuda_hopper_small(oriel_hopper_op op, int64_t rows,
                                int32_t columns, int32_t blocks);

/* Of bf16 matrices, 16-byte aligned: x [rows, depth], weight [columns, depth], a
   plane of a residual [rows, columns].  cudaErrorInvalidValue where the driver
   refuses. */
cudaError_t oriel_cuda_hopper_map_x(CUtensorMap *map,
                                    oriel_hopper_encode encode,
                                    const uint16_t *x, int64_t rows,
                                    int32_t depth, int32_t small);
cudaError_t oriel_cuda_hopper_map_weight(
    CUtensorMap *map, oriel_hopper_encode encode, oriel_hopper_op op,
    const uint16_t *weight, int32_t columns, int32_t depth, int32_t small);
cudaError_t oriel_cuda_hopper_map_residual(CUtensorMap *map,
                                           oriel_hopper_encode encode,
                                           const uint16_t *plane, int64_t rows,
                                           int32_t columns, int32_t small);

/* qkv [rows, 3 heads 80], in boxes of 128 rows: of 64 columns and of 16. */
cudaError_t oriel_cuda_hopper_map_qkv(CUtensorMap *box, CUtensorMap *rest,
                                      oriel_hopper_encode encode,
                                      const uint16_t *qkv, int64_t rows,
                                      int32_t heads);

#ifdef __cplusplus
}
#endif
#endif /* ORIEL_KERNELS_HOPPER_OPS_H */
