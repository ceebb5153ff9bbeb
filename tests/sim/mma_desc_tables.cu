/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mma_desc_tables.cu - descriptors and maps against numbers written down
 *
 * Compiling is the test.  The fields are those of the PTX manual's table of matrix
 * descriptors: address / 16 in bits 0-13, leading distance / 16 in 16-29, stride
 * distance / 16 in 32-45, swizzle in 62-63: 1 of 128 bytes, 2 of 64, 3 of 32.
 */
#include <mma_desc.cuh>

namespace
{

using namespace mma_desc;

constexpr uint64_t
fields(uint64_t address, uint64_t leading, uint64_t stride, uint64_t swizzle)
{
    return address | leading << 16 | stride << 32 | swizzle << 62;
}

/* 1,024 bytes from 8 rows to the next, 16 of the depth in 32 bytes. */
static_assert(k_major(0x400, Swizzle::B128) == fields(0x40, 1, 64, 1), "");
static_assert(k_major(0x400 + 3 * k_major_step(), Swizzle::B128) ==
                  fields(0x46, 1, 64, 1),
              "");
static_assert(k_major(0x12400, Swizzle::B64) == fields(0x1240, 1, 32, 2), "");
static_assert(k_major(0x800, Swizzle::B32) == fields(0x80, 1, 16, 3), "");
/* 128 steps of the depth in a tile; 16 of them are 2,048 bytes. */
static_assert(mn_major(0, Swizzle::B128, 128) == fields(0, 1024, 64, 1), "");
static_assert(mn_major_step(Swizzle::B128) == 2048, "");
static_assert(mn_major(0, Swizzle::B32, 128) == fields(0, 256, 16, 3), "");
static_assert(mn_major_step(Swizzle::B32) == 512, "");
/* Core matrices of 8 rows x 16 bytes. */
static_assert(operand(0x3fff0, 128, 256, Swizzle::NONE) ==
                  fields(0x3fff, 8, 16, 0),
              "");
static_assert(row_bytes(Swizzle::B128) == 128 &&
                  row_bytes(Swizzle::B64) == 64 &&
                  row_bytes(Swizzle::B32) == 32,
              "");

/* Bits 4 to 6 by bits 7 to 9, or 4 and 5 by 7 and 8, or 4 by 7. */
static_assert(swizzled(0x3b2, Swizzle::B128) == 0x3c2 &&
                  swizzled(0x3b2, Swizzle::B64) == 0x382 &&
                  swizzled(0x3b2, Swizzle::B32) == 0x3a2 &&
                  swizzled(0x3b2, Swizzle::NONE) == 0x3b2,
              "");

/* 5,476 rows of 1,280 values in boxes of 128 rows. */
constexpr Map A = map_2d(5476, 1280, 1280, 128, Swizzle::B128);
static_assert(A.dims[0] == 1280 && A.dims[1] == 5476 && A.pitch == 2560, "");
static_assert(A.box[0] == 64 && A.box[1] == 128 && A.swizzle == 3, "");
static_assert(A.steps[0] == 1 && A.steps[1] == 1, "");
static_assert(A.box_bytes() == 16384, "");
static_assert(map_2d(1, 64, 64, 8, Swizzle::B64).swizzle == 2 &&
                  map_2d(1, 64, 64, 8, Swizzle::B64).box[0] == 32,
              "");
static_assert(map_2d(1, 64, 64, 8, Swizzle::B32).swizzle == 1 &&
                  map_2d(1, 64, 64, 8, Swizzle::B32).box[0] == 16,
              "");
/* A residual tile: 80 columns as they come, of rows of 1,280. */
constexpr Map R = map_2d(1024, 1280, 1280, 128, Swizzle::NONE, 80);
static_assert(R.swizzle == 0 && R.box[0] == 80 && R.box_bytes() == 20480, "");

} // namespace
