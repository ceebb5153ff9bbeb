/* SPDX-License-Identifier: Apache-2.0 */
#include "wgmma_operand.hpp"

#include "plants.hpp"

namespace sim
{
namespace
{

constexpr uint32_t ROWS = 8, VALUE_BYTES = 2, CHUNK_VALUES = 8;
constexpr uint64_t FIELD = 0x3fff;

} // namespace

WgmmaOperand::WgmmaOperand(uint64_t descriptor, bool is_mn_major)
    : start(static_cast<uint32_t>(descriptor & FIELD) << 4),
      leading(static_cast<uint32_t>(descriptor >> 16 & FIELD) << 4),
      stride(static_cast<uint32_t>(descriptor >> 32 & FIELD) << 4),
      span(descriptor >> 62 ? 256u >> (descriptor >> 62) : 16),
      mn_major(is_mn_major),
      unknown_(descriptor &
               ~(FIELD | FIELD << 16 | FIELD << 32 | uint64_t{3} << 62))
{
    if (planted == Plant::WGMMA_STRIDE)
        stride = 0;
    if (planted == Plant::WGMMA_LEADING)
        leading = 0;
}

/* Bits 49 to 51 are for a swizzle that begins elsewhere than at a multiple of its
   eight rows: no kernel of ours has one. */
std::string
WgmmaOperand::trouble() const
{
    if (unknown_)
        return "has bits outside of its fields";
    if (span > 16 && start % (ROWS * span) >= span)
        return "names address " + std::to_string(start) +
               ", which is not in the first of a swizzle's 8 rows of " +
               std::to_string(span) + " bytes";
    return "";
}

uint32_t
WgmmaOperand::chunk(uint32_t mn, uint32_t k) const
{
    const uint32_t tile = span / VALUE_BYTES; /* values of a row */
    uint32_t at = start;

    if (span == 16)
        at += mn / ROWS * stride + k / CHUNK_VALUES * leading +
              (mn_major ? k : mn) % ROWS * span;
    else if (mn_major)
        at += mn / tile * leading + k / ROWS * stride + k % ROWS * span +
              mn % tile * VALUE_BYTES;
    else
        at += mn / ROWS * stride + mn % ROWS * span + k * VALUE_BYTES;
    return at ^ (at >> 7 & (span / 16 - 1)) << 4;
}

} // namespace sim
