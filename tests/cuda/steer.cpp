/* SPDX-License-Identifier: Apache-2.0 */
extern "C" {
#include "cuda/steer.h"
}

#include "sim/grid.hpp"
#include "sim/memory.hpp"
#include "sim/runtime.hpp"

extern "C" {

void
steer_fail_call(uint64_t nth, cudaError_t error)
{
    sim::fail_call(nth, error);
}

void
steer_fault_operation(uint64_t nth, cudaError_t error)
{
    sim::fault_operation(nth, error);
}

void
steer_recover(void)
{
    sim::recover();
}

uint64_t
steer_calls(void)
{
    return sim::calls_made();
}

void
steer_interleave(uint64_t seed)
{
    sim::set_interleaving(seed);
}

void
steer_devices(int count, int driver)
{
    sim::set_devices(count, driver);
}

int
steer_has_context(int device)
{
    return sim::has_context(device);
}

void
steer_forget_contexts(void)
{
    sim::forget_contexts();
}

void
steer_architecture(int device, int architecture)
{
    sim::set_architecture(device, architecture);
}

void
steer_image(uint64_t nth, int binary, int ptx)
{
    sim::set_image(nth, binary, ptx);
}

void
steer_hold(cudaStream_t stream, int operations)
{
    sim::hold_stream(stream, operations);
}

void
steer_release(cudaStream_t stream)
{
    sim::release_stream(stream);
}

uint64_t
steer_waits(void)
{
    return sim::tally().waits;
}

uint64_t
steer_allocations(void)
{
    return sim::tally().allocations;
}

uint64_t
steer_graph_launches(void)
{
    return sim::tally().graph_launches;
}

size_t
steer_device_bytes(void)
{
    return sim::device_bytes_in_use();
}
}
