/* SPDX-License-Identifier: Apache-2.0 */
/* hopper_maps.cu - the maps by which tensor copies bring the operands of products */
#include "hopper_ops.h"

#include "hopper_gemm.cuh"
#include "mma_desc.cuh"

namespace
{

using namespace hopper_gemm;

cudaError_t
encode_map(CUtensorMap *map, oriel_hopper_encode encode, const void *matrix,
           const mma_desc::Map &m)
{
    const CUresult result = encode(
        map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, (void *)matrix, m.dims,
        &m.pitch, m.box, m.steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
        (CUtensorMapSwizzle)m.swizzle, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
        CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);

    return result == CUDA_SUCCESS ? cudaSuccess : cudaErrorInvalidValue;
}

int
rows_of(int32_t small)
{
    return small ? Small::ROWS : Large::ROWS;
}

/* In which the weight's part of a tile comes. */
int
boxes_of(int32_t small)
{
    return small ? Small::B_BOXES : Large::B_BOXES;
}

int
columns_of(oriel_hopper_op op, int32_t small)
{
    switch (op) {
    case ORIEL_HOPPER_RESIDUAL:
        return small ? SmallResidual::COLUMNS : LargeResidual::COLUMNS;
    case ORIEL_HOPPER_GELU:
        return small ? SmallMerger::COLUMNS : Large::COLUMNS;
    case ORIEL_HOPPER_SWIGLU:
        return Large::COLUMNS;
    case ORIEL_HOPPER_LINEAR:
    case ORIEL_HOPPER_ROWS:
        break;
    }
    return small ? Small::COLUMNS : Large::COLUMNS;
}

/* Of a step of a tile: those of the tensor cores or of shared memory, as
   resources.txt counts them. */
template <class T>
constexpr int
step_clocks()
{
    constexpr int products = T::GROUPS * STEPS;
    constexpr int tensor = products * T::COLUMNS / 2;
    constexpr int read = products * (GROUP_ROWS + T::COLUMNS) * 32;
    constexpr int shared = (read + T::STAGE_BYTES) / 128;

    return tensor > shared ? tensor : shared;
}

template <class T>
int64_t
clocks(int64_t rows, int32_t columns, int32_t blocks)
{
    const int64_t tiles = tile_order::count<T::ROWS, T::COLUMNS>(rows, columns);

    return (tiles + blocks - 1) / blocks * step_clocks<T>();
}

template <class SmallTile, class LargeTile>
bool
small_is_faster(int64_t rows, int32_t columns, int32_t blocks)
{
    return clocks<SmallTile>(rows, columns, blocks) <
           clocks<LargeTile>(rows, columns, blocks);
}

} // namespace

extern "C" int32_t
oriel_cuda_hopper_small(oriel_hopper_op op, int64_t rows, int32_t columns,
                        int32_t blocks)
{
    switch (op) {
    case ORIEL_HOPPER_RESIDUAL:
        return small_is_faster<SmallResidual, LargeResidual>(rows, columns,
                                                             blocks);
    case ORIEL_HOPPER_GELU:
        return small_is_faster<SmallMerger, Large>(rows, columns, blocks);
    case ORIEL_HOPPER_SWIGLU:
        return 0; /* it has none */
    case ORIEL_HOPPER_LINEAR:
    case ORIEL_HOPPER_ROWS:
        break;
    }
    return small_is_faster<Small, Large>(rows, columns, blocks);
}

extern "C" cudaError_t
oriel_cuda_hopper_map_x(CUtensorMap *map, oriel_hopper_encode encode,
                        const uint16_t *x, int64_t rows, int32_t depth,
                        int32_t small)
{
    return encode_map(
        map, encode, x,
        mma_desc::map_2d(rows, depth, depth, rows_of(small), SWIZZLE));
}

extern "C" cudaError_t
oriel_cuda_hopper_map_weight(CUtensorMap *map, oriel_hopper_encode encode,
                             oriel_hopper_op op, const uint16_t *weight,
                             int32_t columns, int32_t depth, int32_t small)
{
    return encode_map(map, encode, weight,
                      mma_desc::map_2d(columns, depth, depth,
                                       columns_of(op, small) / boxes_of(small),
                                       SWIZZLE));
}

extern "C" cudaError_t
oriel_cuda_hopper_map_residual(CUtensorMap *map, oriel_hopper_encode encode,
                               const uint16_t *plane, int64_t rows,
                               int32_t columns, int32_t small)
{
    return encode_map(map, encode, plane,
                      mma_desc::map_2d(rows, columns, columns, rows_of(small),
                                       mma_desc::Swizzle::NONE, BOX_COLUMNS));
}

extern "C" cudaError_t
oriel_cuda_hopper_map_qkv(CUtensorMap *box, CUtensorMap *rest,
                          oriel_hopper_encode encode, const uint16_t *qkv,
                          int64_t rows, int32_t heads)
{
    const int64_t columns = int64_t{3} * heads * 80;
    cudaError_t error = encode_map(
        box, encode, qkv,
        mma_desc::map_2d(rows, columns, columns, 128, mma_desc::Swizzle::B128));

    return error != cudaSuccess
               ? error
               : encode_map(rest, encode, qkv,
                            mma_desc::map_2d(rows, columns, columns, 128,
                                             mma_desc::Swizzle::B32));
}
