/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runtime.hpp - the stand-in CUDA runtime: what tests set and read
 *
 * Nothing runs when it is enqueued.  At a synchronisation the streams are
 * interleaved in an order drawn from a seed, subject to their events alone, and
 * pinned memory is read only then; so code that relied on anything else fails.
 */
#pragma once

#include "include/cuda_runtime.h"

#include <cstdint>
#include <cstdio>

namespace sim
{

/* What launch.cuh calls; make(call) is the kernel with its arguments, and
   'call' is copied. */
struct Shape {
    uint32_t cluster = 1;
    bool overlaps = false;
};
cudaError_t enqueue_kernel(const void *kernel, int64_t blocks,
                           const Shape &shape, uint32_t threads,
                           size_t shared_bytes, cudaStream_t stream,
                           void (*make)(const void *), const void *call,
                           size_t call_bytes);
/* 'op' is the file that the kernel is of, or null. */
cudaError_t prepare_kernel(const void *kernel, const char *op,
                           size_t shared_bytes, cudaFuncAttributes *attributes);
/* How many blocks of a kernel with so much shared memory a multiprocessor of the
   current device holds, as the driver would tell: of the registers and threads that
   nvcc gave it, by kernels/resources.txt.  A kernel with an instance a size of head
   is found by its shared memory.  0 for an unknown one. */
int blocks_held(const char *kernel, size_t shared_bytes);
/* The nth kernel that is prepared from now on has another image than its device
   takes: machine code of 'binary', compiled from PTX of 'ptx'; 0: none has. */
void set_image(uint64_t nth, int binary, int ptx);

/* Which stream goes next is drawn from this. */
void set_interleaving(uint64_t seed);
/* The nth call from now returns 'error' instead of doing its work; 0: none. */
void fail_call(uint64_t nth, cudaError_t error);
/* The nth operation that runs from now on faults, as a kernel does that goes
   astray: every later call returns 'error', and nothing runs any more; 0: none
   does. */
void fault_operation(uint64_t nth, cudaError_t error);
/* What faulted is forgotten, as by a new process. */
void recover();
/* How many calls there were since the last fail_call(). */
uint64_t calls_made();
/* Run so many operations of a stream and none after them, until it is held no
   more: as if it waited for somebody else's work. */
void hold_stream(cudaStream_t stream, int operations);
void release_stream(cudaStream_t stream);
/* What calls did since the program began. */
struct Tally {
    uint64_t waits;       /* for the device: not if it was there already */
    uint64_t allocations; /* of device memory and of pinned */
    uint64_t pointer_queries;
    uint64_t graph_launches;
    uint64_t graphs_made, graph_uploads, tensor_maps;
};
Tally tally();
/* Where to write what is enqueued and waited for; nullptr: nowhere. */
void set_log(FILE *file);
/* Whether a context was made on the device; and as if none ever was. */
bool has_context(int device);
void forget_contexts();
/* 0: as on a machine without a GPU; the driver is said to be 'driver'. */
void set_devices(int count, int driver_version);

} // namespace sim
