/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wgmma_operand.hpp - what a descriptor says of an operand in shared memory
 *
 * By the PTX manual's section on matrix descriptors, and by the canonical layouts
 * of CUTLASS's mma_traits_sm90_gmma.hpp, which agree.
 */
#pragma once

#include <cstdint>
#include <string>

namespace sim
{

struct WgmmaOperand {
    uint32_t start, leading, stride; /* bytes */
    uint32_t span;                   /* of the swizzle; 16: none */
    bool mn_major;

    WgmmaOperand(uint64_t descriptor, bool is_mn_major);
    /* Why the descriptor is none, or "". */
    std::string trouble() const;
    /*
     * The address of the chunk of 16 bytes with the value at row or column 'mn', a
     * multiple of 8 if MN-major, and depth 'k', a multiple of 8 if not.
     */
    uint32_t chunk(uint32_t mn, uint32_t k) const;

  private:
    uint64_t unknown_; /* bits that mean nothing here */
};

} // namespace sim
