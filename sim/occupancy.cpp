/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many blocks a multiprocessor holds, by the driver's arithmetic: the simulator
 * compiles kernels for the host, so registers and threads come from what nvcc made,
 * kernels/resources.txt, whose own counts of blocks are not read.
 */
#include "grid.hpp"
#include "plants.hpp"
#include "runtime_state.hpp"

#include <algorithm>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

__asm__(".section .rodata\n"
        "sim_resources:\n"
        ".incbin \"" SIM_RESOURCES "\"\n"
        ".byte 0\n"
        ".previous\n");
extern "C" const char sim_resources[] __attribute__((visibility("hidden")));

namespace
{

/* Of a multiprocessor: "Technical Specifications per Compute Capability" of the CUDA
   C++ Programming Guide. */
struct Multiprocessor {
    int architecture, threads, blocks, shared;
};
const Multiprocessor multiprocessors[] = {
    {80, 2048, 32, 164 << 10},  {86, 1536, 16, 100 << 10},
    {89, 1536, 24, 100 << 10},  {90, 2048, 32, 228 << 10},
    {100, 2048, 32, 228 << 10}, {120, 1536, 24, 100 << 10},
};
constexpr int WARP = 32;
constexpr int SCHEDULERS = 4, REGISTERS = 16384; /* of a scheduler */
constexpr int REGISTER_UNIT = 256;               /* of a warp */
constexpr int SHARED_UNIT = 128, SHARED_RESERVED = 1024;

int
round_up(int n, int unit)
{
    return (n + unit - 1) / unit * unit;
}

struct Kernel {
    int threads = 0, registers = 0;
};

/* "linear  128  49152  222 / 2 r  -  ...": a column an architecture, each of four
   words, or of one where the kernel is not compiled for it. */
Kernel
find(const std::string &name, int shared, size_t column)
{
    std::istringstream lines(sim_resources);
    std::string line;

    while (std::getline(lines, line)) {
        std::istringstream words(line);
        std::string word, registers, slash, count, by;
        Kernel k;
        int bytes = 0;

        words >> word >> k.threads >> bytes;
        if (!words || bytes != shared ||
            (word != name && word.rfind(name + "<", 0) != 0))
            continue;
        for (size_t i = 0; i <= column && words >> registers; i++)
            if (registers != "-")
                words >> slash >> count >> by;
        if (words && registers != "-") {
            k.registers = std::stoi(registers);
            return k;
        }
    }
    return {};
}

} // namespace

int
sim::blocks_held(const char *kernel, size_t shared_bytes)
{
    const int architecture = device_limits(current_device()).architecture;
    const Multiprocessor *m =
        std::find_if(std::begin(multiprocessors), std::end(multiprocessors),
                     [=](const Multiprocessor &p) {
                         return p.architecture == architecture;
                     });
    const int shared = static_cast<int>(shared_bytes);

    if (m == std::end(multiprocessors))
        return 0;
    const Kernel k =
        find(kernel, shared, static_cast<size_t>(m - multiprocessors));
    if (k.threads == 0)
        return 0;
    const int warps = k.threads / WARP;
    const int of_a_scheduler =
        REGISTERS / round_up(k.registers * WARP, REGISTER_UNIT);
    const int blocks = std::min(
        {of_a_scheduler * SCHEDULERS / warps, m->threads / k.threads, m->blocks,
         m->shared / (round_up(shared, SHARED_UNIT) + SHARED_RESERVED)});

    return planted == Plant::OCCUPANCY ? blocks - 1 : blocks;
}
