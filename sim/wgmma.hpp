/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wgmma.hpp - products that the warps of a warpgroup have under way
 *
 * Each warp issues a product alone and goes on; it begins when all four have, and
 * is done when a schedule says: at the last issue, at a warp's wait, or between.
 * Its registers hold poison until the warp has waited, and a write to them is seen
 * then.  Shared memory is read when it is done; that nobody may write there from
 * the issue on, until each warp's wait is known, is shadow.hpp's.
 */
#pragma once

#include "clocks.hpp"
#include "grid.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

namespace sim
{

constexpr uint32_t WARP_LANES = 32, GROUP_WARPS = 4;

/* What an instruction says, in all lanes. */
struct ProductSaid {
    Site site;
    int columns;
    uint64_t a, b; /* descriptors; a is 0 where it is in registers */
    bool a_in_registers, a_mn_major, b_mn_major, add;
    const void *where;
};

/* The accumulators of one warp, from the first product until the wait. */
struct Accumulators {
    int columns;
    std::array<float *, WARP_LANES>
        lanes;                 /* the registers, [columns / 2] each */
    std::vector<float> values; /* [16, columns] */
    uint32_t last;             /* the last product's number */
};

/* An operand of one warp that is in registers. */
struct RegisterOperand {
    std::array<uint32_t *, WARP_LANES> lanes; /* four each */
    std::array<std::array<uint32_t, 4>, WARP_LANES> values;
    uint32_t last;
};

/* One product, and what each warp brought to it. */
struct Product {
    ProductSaid said;
    uint32_t warps = 0; /* one bit for each that has issued it */
    std::array<std::shared_ptr<Accumulators>, GROUP_WARPS> d;
    std::array<std::shared_ptr<RegisterOperand>, GROUP_WARPS> a;
    std::vector<Known> known; /* by the lanes that have issued it */
};

/* Products have numbers, from 1 on; each warp issues them in that order. */
struct Warpgroup {
    struct Warp {
        uint32_t agent;
        uint32_t issued = 0, waited = 0; /* up to these numbers */
        uint32_t wanted = 0;             /* by the wait that it is in */
        bool fenced = false;
        std::deque<uint32_t> groups = {}; /* their last products */
        std::vector<std::shared_ptr<Accumulators>> d = {};
        std::vector<std::shared_ptr<RegisterOperand>> a = {};
    };
    std::array<Warp, GROUP_WARPS> warps;
    std::deque<Product> products; /* not yet waited for by all */
    uint32_t first = 1;           /* the number of the front one */
    uint32_t begun = 0, done = 0;
    std::vector<uint32_t> waiting = {}; /* threads, until more have begun */
};

/* ---- By the warp of the thread that runs now ----------------------------- */

void wgmma_fence(const Site &site);
void wgmma_issue(const ProductSaid &said, float *d, uint32_t *a);
void wgmma_commit(const Site &site);
void wgmma_wait(const Site &site, uint32_t groups_left);
/* A thread touches its own registers: are they of a product? */
void check_registers(const Thread &thread, const void *address, size_t bytes,
                     const void *where);

/* ---- By nobody ----------------------------------------------------------- */

/* At a random moment a product that has begun is done. */
void products_done_perhaps(Block &block);
/* What a block never waited for, in words; else "". */
std::string products_left(const Block &block);

} // namespace sim
