/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registers.hpp - registers that warps give back and take (setmaxnreg)
 *
 * A block has those that it is launched with: as many for each thread as its
 * launch bounds allow.  A warp that takes more waits until others gave some back.
 */
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sim
{

struct Block;
struct Site;

struct Registers {
    struct Warp {
        uint32_t each = 0;    /* of its threads has so many; 0: as launched */
        uint32_t wanted = 0;  /* more, until there are some */
        uint32_t changes = 0; /* so often */
    };
    std::vector<Warp> warps = {};
    struct Change {
        uint32_t registers;
        const char *file;
        int line;
    };
    std::vector<std::vector<Change>> changes = {}; /* of each warpgroup */
    int64_t free = 0;
    std::vector<uint32_t> waiting = {}; /* threads */
};

/* By the warp of the thread that runs now: 'more' than it has, or fewer. */
void registers_change(const Site &site, uint32_t registers, bool more);
/* Warpgroups that are not of one mind when a block ends, in words; else "". */
std::string registers_left(const Block &block);

} // namespace sim
