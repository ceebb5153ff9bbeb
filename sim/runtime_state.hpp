/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runtime_state.hpp - what the files of the stand-in runtime share
 *
 * runtime.cpp has errors and devices, runtime_contexts.cpp contexts,
 * runtime_memory.cpp memory and copies, runtime_streams.cpp the queues and kernels,
 * runtime_events.cpp events, runtime_captures.cpp captures, runtime_graphs.cpp
 * graphs and runtime_log.cpp the log of calls.
 */
#pragma once

#include "runtime.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace sim
{

/* One piece of enqueued work; 'ready' is false while it must wait for an event. */
struct Launch;
struct Operation {
    std::function<bool()> ready;
    std::function<void()> run;
    std::shared_ptr<Launch> kernel = nullptr; /* in the place of 'run' */
};

/* Captured work, and the work that comes before it, by number. */
using Nodes = std::vector<size_t>;
struct Node {
    Operation operation;
    Nodes after;
};

/* What one stream began to capture; others join it by waiting for its events. */
struct Capture {
    CUstream_st *origin;
    cudaStreamCaptureMode mode;
    std::thread::id thread;
    bool spoilt = false, over = false;
    std::vector<Node> nodes = {};
};

} // namespace sim

/* The first number of those that callers make; a device's number is that of its
   primary context. */
enum { CONTEXTS_CREATED = 64 };
struct CUctx_st {
    int device = 0, number = 0;
};

struct CUstream_st {
    CUctx_st *context = nullptr; /* of a default stream: whichever is current */
    int number = 0; /* from 1 on, in the order in which they were made */
    unsigned flags = 0;
    std::deque<sim::Operation> queue;
    bool held = false;
    std::shared_ptr<sim::Capture> capture; /* null: none */
    sim::Nodes last = {}; /* the captured work that the next comes after */
};

struct CUevent_st {
    CUctx_st *context = nullptr;
    uint64_t recorded = 0; /* the last record that was enqueued ... */
    uint64_t reached = 0;  /* ... and the last that was run */
    bool timed = false;
    double reached_at = 0;         /* milliseconds, where it is timed */
    CUstream_st *stream = nullptr; /* of the last record; it may be gone */
    /* If the last record of all was captured: where, and after what. */
    std::shared_ptr<sim::Capture> capture;
    sim::Nodes last = {};
};

struct CUgraph_st {
    std::vector<sim::Node> nodes;
};

namespace sim
{

/* Guarded by the lock of Entrance, but for what tests set before they start
   threads. */
struct RuntimeState {
    std::recursive_mutex lock;
    int device_count = 1, driver = 13000;
    cudaError_t sticky = cudaSuccess;
    Tally tally = {};
    CUstream_st default_stream;
    std::set<CUstream_st *> streams = {&default_stream};
    int streams_made = 0;
};
RuntimeState &runtime();
/* State of this thread. */
CUctx_st *current_context();
int current_device();
cudaStreamCaptureMode &capture_mode();

/* Note an error as the thread's last one. */
cudaError_t result(cudaError_t error);

/* Every call begins with one: injected failures, absent devices, old faults.  While
   it exists, other threads wait, so that they meet between calls alone. */
class Entrance
{
    std::lock_guard<std::recursive_mutex> alone;

  public:
    const cudaError_t error;
    Entrance();
};

/* ---- Captures: what they forbid also spoils them ------------------------ */

/* A call that might conflict with a capture, unless this thread's mode or the
   capture's own is relaxed about it. */
cudaError_t forbidden_in_capture();
/* Use of the default stream, which would wait for a blocking stream that is
   captured. */
cudaError_t implicit_in_capture();
/* A wait for all of a device, on which a stream is captured. */
cudaError_t device_in_capture(int device);
/* What conflicts with this capture whatever the modes: it is spoilt, if it was
   not, and 'error' is why. */
cudaError_t spoil(Capture &capture, cudaError_t error);
/* Add to a stream's capture, which is not spoilt. */
void capture_operation(CUstream_st &stream, Operation operation);
/* In one of the orders that what was captured leaves open. */
std::vector<Operation> captured_order(const std::vector<Node> &nodes);

/* ---- Contexts ----------------------------------------------------------- */

/* What the runtime cannot do without a context makes the primary one of the
   device, and makes it current, where none is. */
void use_context();
/* By its number. */
bool is_primary(int context);
/* Of a stream that there is. */
CUctx_st *context_of(cudaStream_t stream);

/* ---- Streams ------------------------------------------------------------ */

bool is_default(cudaStream_t stream);
/* nullptr for what is not a stream. */
CUstream_st *resolve(cudaStream_t stream);
cudaError_t enqueue(cudaStream_t stream, Operation operation);
/* Run enqueued work until 'done', or until nothing is left. */
void drain(const std::function<bool()> &done);
void drain_all();
/* From the seed of set_interleaving(). */
uint64_t draw_interleaving();

/* ---- The log of control.h: work that is captured is not in it ------------- */

void log_work(const char *what, const CUstream_st *stream);
void log_copy(const char *what, const CUstream_st *stream, size_t bytes,
              bool is_pinned);

} // namespace sim

extern "C" int sim_pointer_get_attributes(unsigned int n, int *attributes,
                                          void **values, uintptr_t pointer);

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
