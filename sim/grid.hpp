/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grid.hpp - blocks, warps and threads of a running launch
 *
 * Several blocks are resident at once and their threads take turns: each runs
 * until it meets the others of its warp or block.  The order of turns, the
 * number of resident blocks and the moment at which asynchronous copies land
 * are part of a schedule, and no result may depend on them.
 */
#pragma once

#include "clocks.hpp"
#include "cluster.hpp"
#include "fiber.hpp"
#include "mbarrier.hpp"
#include "paths.hpp"
#include "registers.hpp"
#include "shadow.hpp"
#include "tensor_map.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace sim
{

enum class Order { FORWARD, REVERSE, RANDOM };
/* When the bytes of an asynchronous copy arrive: a GPU promises only that it
   is between the issue and the end of the wait. */
enum class Landing { AT_WAIT, AT_ISSUE, RANDOM };

struct Schedule {
    Order order = Order::FORWARD;
    Landing landing = Landing::AT_WAIT;
    uint64_t seed = 1;
};
void set_schedule(const Schedule &schedule);
const Schedule &schedule_in_use();
/* Run these blocks of a launch, and no others; empty: all.  For grids that are
   too large to be run whole. */
void set_only_blocks(const std::vector<uint32_t> &blocks);

/* The limits of a simulated device, by its number; an H100's unless set. */
struct DeviceLimits {
    int architecture;      /* 80, 86, 90 */
    uint32_t shared_bytes; /* a block's most, opted in */
    uint32_t multiprocessors;
};
DeviceLimits device_limits(int device);
/* Give a device the limits of a GPU of this architecture. */
void set_architecture(int device, int architecture);
/* All of them have so many multiprocessors; 0: as many as their kind. */
void set_multiprocessors(uint32_t n);
struct Launch;
/* Whether its device can run it; else a host_violation(). */
bool within_limits(const Launch &launch);

/* A place in a kernel's source where threads meet. */
struct Site {
    const char *kind; /* "sync_block" */
    const char *file;
    int line;
    bool operator==(const Site &other) const
    {
        return kind == other.kind && line == other.line && file == other.file;
    }
    std::string text() const;
};

struct Block;

/* One 16-byte (or shorter) copy on its way from global to shared memory. */
struct AsyncCopy {
    size_t offset; /* in shared memory */
    const void *source;
    uint32_t bytes;       /* of the destination */
    uint32_t valid_bytes; /* read from the source; the rest becomes zero */
    bool landed;
    unsigned char seen[16]; /* the source when the copy was issued */
};

struct Thread {
    Fiber fiber;
    Block *block = nullptr;
    uint32_t index = 0;
    bool done = false;
    bool waiting = false;
    Site site{}; /* where it meets others, or met them last */
    std::deque<std::vector<AsyncCopy>> copy_groups;
    std::vector<AsyncCopy> open_copies;
    bool in_cluster_barrier = false; /* between its arrival and its wait */
    uint32_t cluster_phase = 0;      /* in which it arrived */
    bool waited_for_grid = false;    /* that the kernel before has ended */

    /* Its number among the threads of the cluster. */
    uint32_t clock() const;
    uint32_t lane() const
    {
        return index % 32;
    }
};

/* Threads that have arrived at a meeting, and what each brought. */
struct Meeting {
    std::vector<uint32_t> arrived; /* indices of threads, which wait */
    struct Passer {                /* arrived too, but does not wait */
        uint32_t thread;
        Site site;
    };
    std::vector<Passer> passed;
    Known released; /* by these */
    uint32_t expected = 0;
    Site site{};
};

struct Warpgroup; /* wgmma.hpp */

struct Block {
    Block(Launch &launch, uint32_t index, Cluster &cluster, uint32_t rank);
    ~Block();

    Launch &launch;
    uint32_t index;
    Cluster &cluster;
    uint32_t rank;          /* in the cluster */
    uint32_t first_thread;  /* its number among the cluster's */
    bool checked = false;   /* since it ended */
    bool lets_next = false; /* begin, as far as it is concerned */
    std::vector<Thread> threads;
    char *shared = nullptr;
    char *room = nullptr; /* in which it lies */
    bool asked = false;   /* for where it begins */
    bool aligned = false; /* at a multiple of 1,024 */
    Clocks &clocks;       /* the cluster's */
    SharedShadow shadow;
    Mbarriers mbarriers;
    std::deque<TensorCopy> tensor_copies;
    std::vector<std::unique_ptr<Warpgroup>> warpgroups;
    Registers registers;
    Paths paths;
    struct Warp {
        Meeting meeting;
        void *brought[32] = {};
    };
    std::vector<Warp> warps;
    Meeting barriers[16];
    uint32_t n_done = 0;

    /* The address of its first byte in the shared window. */
    uint32_t window() const;
    /* Where it begins is what a kernel declares: the first to ask says it. */
    char *begin(bool at_1024);
};

struct Launch {
    const char *name = "";
    const char *op = ""; /* the file of kernels, where it was told */
    int device = 0, context = 0;
    void (*make)(const void *) = nullptr; /* the kernel, called with ... */
    struct alignas(128) Words {           /* as a tensor map is aligned */
        char bytes[128];
    };
    std::vector<Words> call; /* ... these arguments */
    uint32_t blocks = 0;
    uint32_t threads = 0;
    uint32_t shared_bytes = 0;
    uint32_t cluster = 1;  /* blocks that are resident together */
    bool overlaps = false; /* it may begin before the one before it has ended */
    uint32_t number = 0;   /* no two launches have the same */
    int architecture = 0;  /* of the device, while it runs */
};

inline uint32_t
Thread::clock() const
{
    return block->first_thread + index;
}

/* How often a thread took its turn since the program began. */
uint64_t turns_so_far();

/* Run all blocks of kernels in sequence, each of which after the first overlaps the
   one before.  False when a violation ended it (report.hpp). */
bool run(const std::vector<Launch *> &launches);

/* ---- For the instructions (ptx_sim.hpp, access.cpp) -------------------- */

/* The thread that runs now; null in host code. */
Thread *current();
/* From the schedule's seed; while a launch runs. */
uint64_t draw();

/* Until the kernel before has ended; and: the next may begin. */
void grid_wait(const Site &site);
void grid_launch_dependents();
/* Whether these are two kernels that overlap and run. */
bool overlap_now(uint32_t launch, uint32_t other);

/* Wait until all lanes of the warp are at this site; the last to arrive runs
   meet(brought by lane 0, ..., brought by lane 31). */
void meet_warp(const Site &site, void *brought,
               void (*meet)(Block &, uint32_t warp, void **brought));
/* bar.sync: wait until 'n_threads' threads, whole warps, have arrived. */
void meet_block(const Site &site, uint32_t barrier, uint32_t n_threads,
                bool same_site);
/* bar.arrive: be counted there, and go on. */
void pass_block(const Site &site, uint32_t barrier, uint32_t n_threads);
/* A violation of which no thread that runs is guilty. */
void launch_fault(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* A thread's access, checked; false: the address is not of shared memory. */
bool shared_access(Thread &thread, const void *address, size_t bytes,
                   bool write, const void *where);

void copy_issue(size_t offset, const void *source, uint32_t bytes,
                uint32_t valid_bytes, const void *where);
void copy_commit();
void copy_wait(uint32_t groups_left);
/* At a random moment some of what is on its way arrives. */
void copy_land_some(Thread &thread);

} // namespace sim
