/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runtime_state.hpp - what the files of the stand-in runtime share
 *
 * runtime.cpp has errors and devices, runtime_memory.cpp memory and copies,
 * runtime_streams.cpp the queues, events and kernels, runtime_graphs.cpp captures
 * and graphs.
 */
#pragma once

#include "runtime.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace sim
{

/* One piece of enqueued work; 'ready' is false while it must wait for an
   event. */
struct Operation {
    std::function<bool()> ready;
    std::function<void()> run;
};

} // namespace sim

struct CUstream_st {
    int device = 0;
    unsigned flags = 0;
    std::deque<sim::Operation> queue;
    bool held = false;
    cudaStreamCaptureStatus capture = cudaStreamCaptureStatusNone;
    cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
    std::thread::id capturer; /* the thread that began it */
    std::vector<sim::Operation> captured;
};

namespace sim
{

/* Behind the lock of Entrance, but for what tests steer before they start
   threads. */
struct RuntimeState {
    std::recursive_mutex lock;
    int device_count = 1, driver = 13000;
    cudaError_t sticky = cudaSuccess;
    Tally tally = {};
    CUstream_st default_stream;
    std::set<CUstream_st *> streams = {&default_stream};
};
RuntimeState &runtime();
/* Of this thread. */
int current_device();
cudaStreamCaptureMode &capture_mode();

/* Note an error as the thread's last one. */
cudaError_t result(cudaError_t error);

/* Every call begins with one: injected failures, absent devices, old faults.  While
   it lives, other threads wait, so that they meet between calls alone. */
class Entrance
{
    std::lock_guard<std::recursive_mutex> alone;

  public:
    const cudaError_t error;
    Entrance();
};

/* What a capture forbids also spoils it.  A relaxed capture forbids nothing, one of
   a thread nothing to other threads, and nothing is forbidden to a relaxed
   thread. */
cudaError_t forbidden_in_capture();
/* The default stream would wait for a blocking stream that is captured. */
cudaError_t implicit_in_capture();

/* What the runtime cannot do without a context makes one on the current
   device. */
void use_context();

bool is_default(cudaStream_t stream);
/* nullptr for what is not a stream. */
CUstream_st *resolve(cudaStream_t stream);
cudaError_t enqueue(cudaStream_t stream, Operation operation);
/* Run enqueued work until 'done', or until nothing is left. */
void drain(const std::function<bool()> &done);
void drain_all();

} // namespace sim

/* The calls that give something back do so all the same: their failure may be
   an earlier one. */
#define ENTER() \
    const sim::Entrance entered; \
    if (entered.error != cudaSuccess) \
    return entered.error

#define NOT_IN_CAPTURE() \
    do { \
        cudaError_t forbidden = sim::forbidden_in_capture(); \
        if (forbidden != cudaSuccess) \
            return forbidden; \
    } while (0)
