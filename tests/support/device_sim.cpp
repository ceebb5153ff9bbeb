/* SPDX-License-Identifier: Apache-2.0 */
/* device_sim.cpp - the schedules of the simulated GPU */
extern "C" {
#include "support/device_case.h"
}

#include "sim/grid.hpp"
#include "sim/memory.hpp"
#include "sim/report.hpp"
#include "sim/tensor_core.hpp"

#include <string>

namespace
{

using sim::Landing;
using sim::Order;
using sim::Poison;

/* Every order with every moment of landing; each of them meets both poisons. */
const struct {
    sim::Schedule schedule;
    Poison poison;
    const char *name;
} schedules[] = {
    {{Order::FORWARD, Landing::AT_WAIT, 1},
     Poison::NAN_BYTES,
     "forward, copies land at the wait"},
    {{Order::REVERSE, Landing::AT_ISSUE, 2},
     Poison::LARGE_FINITE,
     "reverse, copies land at issue"},
    {{Order::RANDOM, Landing::RANDOM, 3},
     Poison::NAN_BYTES,
     "random order and landing"},
    {{Order::RANDOM, Landing::RANDOM, 4},
     Poison::LARGE_FINITE,
     "random order and landing, again"},
    {{Order::FORWARD, Landing::AT_ISSUE, 5},
     Poison::NAN_BYTES,
     "forward, copies land at issue"},
    {{Order::FORWARD, Landing::RANDOM, 6},
     Poison::LARGE_FINITE,
     "forward, copies land at random"},
    {{Order::REVERSE, Landing::AT_WAIT, 7},
     Poison::NAN_BYTES,
     "reverse, copies land at the wait"},
    {{Order::REVERSE, Landing::RANDOM, 8},
     Poison::NAN_BYTES,
     "reverse, copies land at random"},
    {{Order::RANDOM, Landing::AT_WAIT, 9},
     Poison::LARGE_FINITE,
     "random order, copies land at the wait"},
    {{Order::RANDOM, Landing::AT_ISSUE, 10},
     Poison::NAN_BYTES,
     "random order, copies land at issue"},
};

/* What takes more turns than this is large, and is worth only the first few, in
   which each order, each moment and each poison comes once or twice. */
constexpr uint64_t SMALL_TURNS = 200000;
constexpr int FEW = 4;

uint64_t turns_before;

} // namespace

extern "C" {

void
device_skip_unless(int, int)
{
}

int
device_schedules(void)
{
    return sizeof(schedules) / sizeof(schedules[0]);
}

void
device_set_schedule(int i)
{
    sim::set_schedule(schedules[i].schedule);
    sim::set_poison(schedules[i].poison);
    turns_before = sim::turns_so_far();
}

int
device_schedules_worth(void)
{
    return sim::turns_so_far() - turns_before > SMALL_TURNS
               ? FEW
               : device_schedules();
}

const char *
device_schedule_name(int i)
{
    return schedules[i].name;
}

void
device_set_adversarial(bool on)
{
    sim::set_tensor_core(on ? sim::TensorCore::ADVERSARIAL
                            : sim::TensorCore::PLAIN);
}

size_t
device_guard_bytes(void)
{
    return 0;
}

void
device_only_blocks(const uint32_t *blocks, size_t n)
{
    sim::set_only_blocks(std::vector<uint32_t>(blocks, blocks + n));
}

cudaError_t
device_malloc_zeros(void **memory, size_t bytes)
{
    sim::set_sparse(true);
    cudaError_t error = cudaMalloc(memory, bytes);
    sim::set_sparse(false);

    return error;
}

const char *
device_finish(void)
{
    static std::string report;
    cudaError_t error = cudaDeviceSynchronize();

    report = sim::take_report();
    if (report.empty() && error != cudaSuccess)
        report = cudaGetErrorString(error);
    return report.c_str();
}
}
