/* SPDX-License-Identifier: Apache-2.0 */
extern "C" {
#include "sim/control.h"
}

#include "sim/grid.hpp"
#include "sim/memory.hpp"
#include "sim/plants.hpp"
#include "sim/runtime.hpp"

extern "C" {

void
sim_fail_call(uint64_t nth, cudaError_t error)
{
    sim::fail_call(nth, error);
}

void
sim_fault_operation(uint64_t nth, cudaError_t error)
{
    sim::fault_operation(nth, error);
}

int
sim_plant(const char *fault)
{
    return sim::plant(fault);
}

void
sim_recover(void)
{
    sim::recover();
}

uint64_t
sim_calls(void)
{
    return sim::calls_made();
}

void
sim_interleave(uint64_t seed)
{
    sim::set_interleaving(seed);
}

void
sim_devices(int count, int driver)
{
    sim::set_devices(count, driver);
}

int
sim_has_context(int device)
{
    return sim::has_context(device);
}

void
sim_forget_contexts(void)
{
    sim::forget_contexts();
}

void
sim_architecture(int device, int architecture)
{
    sim::set_architecture(device, architecture);
}

void
sim_multiprocessors(int n)
{
    sim::set_multiprocessors(static_cast<uint32_t>(n));
}

void
sim_image(uint64_t nth, int binary, int ptx)
{
    sim::set_image(nth, binary, ptx);
}

void
sim_hold(cudaStream_t stream, int operations)
{
    sim::hold_stream(stream, operations);
}

void
sim_release(cudaStream_t stream)
{
    sim::release_stream(stream);
}

uint64_t
sim_waits(void)
{
    return sim::tally().waits;
}

uint64_t
sim_allocations(void)
{
    return sim::tally().allocations;
}

uint64_t
sim_pointer_queries(void)
{
    return sim::tally().pointer_queries;
}

uint64_t
sim_graphs_made(void)
{
    return sim::tally().graphs_made;
}

uint64_t
sim_graph_uploads(void)
{
    return sim::tally().graph_uploads;
}

uint64_t
sim_tensor_maps(void)
{
    return sim::tally().tensor_maps;
}

uint64_t
sim_graph_launches(void)
{
    return sim::tally().graph_launches;
}

size_t
sim_device_bytes(void)
{
    return sim::device_bytes_in_use();
}

void
sim_log(FILE *file)
{
    sim::set_log(file);
}
}
