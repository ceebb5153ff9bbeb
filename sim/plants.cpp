/* SPDX-License-Identifier: Apache-2.0 */
#include "plants.hpp"

#include "grid.hpp"

#include <cstring>
#include <string>

namespace sim
{

Plant planted = Plant::NONE;

namespace
{

/* "": no kernel.  It may be set before static objects are made. */
std::string &
loser()
{
    static std::string op;

    return op;
}

} // namespace

bool
plant(const char *name)
{
    static const char lost[] = "lost-block:";
    static const struct {
        const char *name;
        Plant plant;
    } all[] = {
#define PLANT(number, name) {name, Plant::number},
        SIM_PLANTS(PLANT)
#undef PLANT
    };

    planted = Plant::NONE;
    loser().clear();
    if (!name)
        return true;
    if (strncmp(name, lost, sizeof(lost) - 1) == 0)
        loser() = name + sizeof(lost) - 1;
    for (const auto &p : all)
        if (strcmp(p.name, name) == 0)
            planted = p.plant;
    return planted != Plant::NONE || !loser().empty();
}

bool
loses_block(const char *op)
{
    return !loser().empty() && loser() == op;
}

bool
is_on_second_sm(const Block &block)
{
    const DeviceLimits limits = device_limits(block.launch.device);

    return block.index % limits.multiprocessors == 1;
}

} // namespace sim
