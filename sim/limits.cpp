/* SPDX-License-Identifier: Apache-2.0 */
/* What each kind of device can do, and which launches that rules out. */
#include "grid.hpp"
#include "report.hpp"

#include <map>

namespace sim
{
namespace
{

/* Of devices that are no H100.  It may be set before static objects are made. */
std::map<int, int> &
architectures()
{
    static std::map<int, int> map;

    return map;
}

const DeviceLimits known_limits[] = {
    {90, 227 * 1024, 132}, {80, 163 * 1024, 108},  {86, 99 * 1024, 84},
    {89, 99 * 1024, 128},  {100, 227 * 1024, 148}, {120, 99 * 1024, 170},
    {75, 64 * 1024, 72},
};

uint32_t multiprocessors_set; /* of every device; 0: its kind's */

} // namespace

DeviceLimits
device_limits(int device)
{
    auto it = architectures().find(device);
    DeviceLimits limits = known_limits[0];

    for (const DeviceLimits &l : known_limits)
        if (it != architectures().end() && l.architecture == it->second)
            limits = l;
    if (multiprocessors_set)
        limits.multiprocessors = multiprocessors_set;
    return limits;
}

void
set_multiprocessors(uint32_t n)
{
    multiprocessors_set = n;
}

void
set_architecture(int device, int architecture)
{
    architectures()[device] = architecture;
}

bool
within_limits(const Launch &launch)
{
    const DeviceLimits limits = device_limits(launch.device);

    if (launch.threads == 0 || launch.threads > 1024 || launch.threads % 32)
        host_violation("%s: %u threads a block, expected whole warps, at "
                       "most 1024",
                       launch.name, launch.threads);
    else if (launch.blocks == 0 || launch.blocks > 0x7fffffffu)
        host_violation("%s: a grid of %u blocks", launch.name, launch.blocks);
    else if (launch.shared_bytes > limits.shared_bytes)
        host_violation("%s: %u bytes of shared memory a block, but sm_%d has "
                       "%u",
                       launch.name, launch.shared_bytes, limits.architecture,
                       limits.shared_bytes);
    else
        return true;
    return false;
}

} // namespace sim
