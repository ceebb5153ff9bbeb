/* SPDX-License-Identifier: Apache-2.0 */
/* Tensor maps: what the driver encodes, and what it refuses. */
#include "tensor_map.hpp"

#include "report.hpp"
#include "runtime_state.hpp"

#include <cstring>
#include <type_traits>

namespace sim
{
namespace
{

constexpr uint64_t MAGIC = 0x70616d726f736e74; /* of a map that was encoded */
constexpr uint32_t BOX_MOST = 256;
constexpr uint64_t DIM_MOST = uint64_t{1} << 32, STRIDE_END = uint64_t{1} << 40;

struct Encoded {
    uint64_t magic;
    TensorMap map;
};
static_assert(sizeof(Encoded) <= sizeof(CUtensorMap), "it must hold ours");
static_assert(std::is_trivially_copyable<Encoded>::value, "it is copied");

uint32_t
value_bytes(CUtensorMapDataType type)
{
    switch (type) {
    case CU_TENSOR_MAP_DATA_TYPE_UINT8:
        return 1;
    case CU_TENSOR_MAP_DATA_TYPE_UINT16:
    case CU_TENSOR_MAP_DATA_TYPE_FLOAT16:
    case CU_TENSOR_MAP_DATA_TYPE_BFLOAT16:
        return 2;
    case CU_TENSOR_MAP_DATA_TYPE_UINT32:
    case CU_TENSOR_MAP_DATA_TYPE_FLOAT32:
        return 4;
    }
    return 0;
}

} // namespace

uint32_t
swizzle_span(CUtensorMapSwizzle swizzle)
{
    switch (swizzle) {
    case CU_TENSOR_MAP_SWIZZLE_32B:
        return 32;
    case CU_TENSOR_MAP_SWIZZLE_64B:
        return 64;
    case CU_TENSOR_MAP_SWIZZLE_128B:
        return 128;
    case CU_TENSOR_MAP_SWIZZLE_NONE:
        break;
    }
    return UINT32_MAX;
}

bool
decode(const CUtensorMap &encoded, TensorMap *map)
{
    Encoded ours;

    memcpy(&ours, &encoded, sizeof(ours));
    *map = ours.map;
    return ours.magic == MAGIC;
}

/* The 16-byte chunks of a row change places by the number of the row, in rows of
   128 bytes: of 2, 4 or 8 chunks that are together. */
uint32_t
swizzled(CUtensorMapSwizzle swizzle, uint32_t address)
{
    if (swizzle == CU_TENSOR_MAP_SWIZZLE_NONE)
        return address;
    return address ^ ((address >> 7 & (swizzle_span(swizzle) / 16 - 1)) << 4);
}

} // namespace sim

using namespace sim;

extern "C" CUresult
sim_tensor_map_encode_tiled(CUtensorMap *map, CUtensorMapDataType type,
                            cuuint32_t rank, void *base, const cuuint64_t *dims,
                            const cuuint64_t *strides, const cuuint32_t *box,
                            const cuuint32_t *element_strides,
                            CUtensorMapInterleave interleave,
                            CUtensorMapSwizzle swizzle,
                            CUtensorMapL2promotion promotion,
                            CUtensorMapFloatOOBfill fill)
{
    const uint32_t bytes = value_bytes(type);
    Encoded ours;
    bool right = true;

    if (rank != 2 || bytes == 0 ||
        interleave != CU_TENSOR_MAP_INTERLEAVE_NONE ||
        element_strides[0] != 1 || element_strides[1] != 1 ||
        fill != CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) {
        host_violation("a tensor map of a kind that is not emulated: two "
                       "dimensions, whole and in sequence, zeros outside");
        return CUDA_ERROR_INVALID_VALUE;
    }
    right &= reinterpret_cast<uintptr_t>(map) % 64 == 0;
    right &= reinterpret_cast<uintptr_t>(base) % 16 == 0;
    for (int i = 0; i < 2; i++) {
        right &= dims[i] > 0 && dims[i] <= DIM_MOST;
        right &= box[i] > 0 && box[i] <= BOX_MOST;
    }
    right &= strides[0] % 16 == 0 && strides[0] < STRIDE_END;
    right &= strides[0] >= dims[0] * bytes;
    right &=
        box[0] * bytes % 16 == 0 && box[0] * bytes <= swizzle_span(swizzle);
    right &= swizzle >= CU_TENSOR_MAP_SWIZZLE_NONE &&
             swizzle <= CU_TENSOR_MAP_SWIZZLE_128B;
    right &= promotion >= CU_TENSOR_MAP_L2_PROMOTION_NONE &&
             promotion <= CU_TENSOR_MAP_L2_PROMOTION_L2_256B;
    if (!right)
        return CUDA_ERROR_INVALID_VALUE;
    ours = {MAGIC,
            {static_cast<const char *>(base), dims[0], dims[1], strides[0],
             box[0], box[1], bytes, swizzle}};
    runtime().tally.tensor_maps++;
    memset(map, 0, sizeof(*map));
    memcpy(map, &ours, sizeof(ours));
    return CUDA_SUCCESS;
}
