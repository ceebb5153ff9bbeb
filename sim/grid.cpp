/* SPDX-License-Identifier: Apache-2.0 */
#include "grid.hpp"

#include "counters.h"
#include "memory.hpp"
#include "plants.hpp"
#include "report.hpp"
#include "wgmma.hpp"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>

namespace sim
{
namespace
{

constexpr uint32_t RESIDENT_MOST = 3;
/* What the two declarations of shared memory promise. */
constexpr uint32_t SHARED_ALIGNMENT = 16, SHARED_ALIGNMENT_MORE = 1024;
/* Shared addresses start here, so that a null or a global one stands out. */
constexpr uint32_t WINDOW = 0x400;

Schedule schedule;
std::vector<uint32_t> only_blocks;

/* splitmix64: drawn from at every meeting, so it must be quick. */
struct Random {
    using result_type = uint64_t;
    uint64_t state;

    static constexpr uint64_t min()
    {
        return 0;
    }
    static constexpr uint64_t max()
    {
        return UINT64_MAX;
    }
    uint64_t operator()()
    {
        uint64_t x = state += 0x9E3779B97F4A7C15u;

        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
        return x ^ (x >> 31);
    }
};

/* How far one kernel of a run() is. */
struct Grid {
    Launch *launch;
    uint32_t n_blocks;
    uint32_t most;          /* clusters at once */
    uint32_t next = 0;      /* block */
    uint32_t resident = 0;  /* clusters */
    uint32_t let = 0;       /* blocks that let the next kernel begin */
    bool has_ended = false; /* after those before it */
};

/* The state of one run(). */
struct Machine {
    std::vector<Grid> grids;
    Random random;
    std::vector<std::unique_ptr<Cluster>> resident;
    std::vector<Thread *> waiting; /* until a kernel has ended */
    bool failed = false;
};
Machine *machine;
thread_local Thread *running;
uint64_t turns_taken;

/* ---- Turns ------------------------------------------------------------- */

void
thread_main(void *argument)
{
    Thread *thread = static_cast<Thread *>(argument);

    const Launch &launch = thread->block->launch;

    launch.make(launch.call.data());
    if (!thread->open_copies.empty() || !thread->copy_groups.empty())
        violation("thread %u ends with asynchronous copies that it never "
                  "waited for",
                  thread->index);
    thread->block->paths.end(thread->index);
    thread->done = true;
    thread->fiber.suspend();
}

/* The order in which the threads of a block take their turns. */
std::vector<uint32_t>
turns(uint32_t n)
{
    std::vector<uint32_t> order(n);

    std::iota(order.begin(), order.end(), 0u);
    if (schedule.order == Order::REVERSE)
        std::reverse(order.begin(), order.end());
    else if (schedule.order == Order::RANDOM)
        std::shuffle(order.begin(), order.end(), machine->random);
    return order;
}

/* One turn for each thread that can run; whether any could. */
bool
step_block(Block &block)
{
    bool progress = false;

    for (uint32_t i : turns(block.launch.threads)) {
        Thread &thread = block.threads[i];

        if (thread.done || thread.waiting)
            continue;
        if (!block.tensor_copies.empty())
            tensor_copy_lands_perhaps(block);
        if (!block.warpgroups.empty())
            products_done_perhaps(block);
        running = &thread;
        block.paths.resume(i);
        turns_taken++;
        thread.fiber.resume();
        Paths::suspend();
        running = nullptr;
        if (machine->failed)
            return true;
        progress = true;
        if (thread.done) {
            block.n_done++;
            cluster_leave(thread);
        }
    }
    return progress;
}

std::vector<Block *>
resident_blocks()
{
    std::vector<Block *> blocks;

    for (auto &cluster : machine->resident)
        for (auto &block : cluster->blocks)
            blocks.push_back(block.get());
    return blocks;
}

void
report_deadlock()
{
    std::string text;

    for (Block *block : resident_blocks()) {
        std::vector<std::string> seen;
        for (Thread &thread : block->threads) {
            std::string line =
                thread.done ? "has ended" : "waits at " + thread.site.text();
            if (std::find(seen.begin(), seen.end(), line) != seen.end())
                continue;
            seen.push_back(line);
            text += "\n  block " + std::to_string(block->index) + ", thread " +
                    std::to_string(thread.index) + " (and others) " + line;
        }
    }
    machine->failed = true;
    host_violation("deadlock in %s:%s", machine->grids[0].launch->name,
                   text.c_str());
}

/* First of all, since it may be why the launch ended badly. */
void
judge_paths()
{
    const std::string text = paths_judge();

    if (text.empty())
        return;
    machine->failed = true;
    host_violation("%s: %s", machine->grids[0].launch->name, text.c_str());
}

} // namespace

void
set_schedule(const Schedule &s)
{
    schedule = s;
}

const Schedule &
schedule_in_use()
{
    return schedule;
}

uint64_t
turns_so_far()
{
    return turns_taken;
}

uint64_t
draw()
{
    return machine->random();
}

void
set_only_blocks(const std::vector<uint32_t> &blocks)
{
    only_blocks = blocks;
}

std::string
Site::text() const
{
    const char *slash = file ? strrchr(file, '/') : nullptr;

    return std::string(kind ? kind : "?") + " (" +
           (slash  ? slash + 1
            : file ? file
                   : "?") +
           ":" + std::to_string(line) + ")";
}

Block::Block(Launch &l, uint32_t i, Cluster &c, uint32_t r)
    : launch(l), index(i), cluster(c), rank(r), first_thread(r * l.threads),
      threads(l.threads), clocks(c.clocks),
      shadow(l.shared_bytes, l.cluster * l.threads), paths(l.threads),
      warps(l.threads / 32)
{
    /* At the least alignment that is promised, not a better one by luck. */
    size_t bytes = l.shared_bytes + 3 * SHARED_ALIGNMENT_MORE;
    bytes -= bytes % SHARED_ALIGNMENT_MORE;
    room = static_cast<char *>(aligned_alloc(SHARED_ALIGNMENT_MORE, bytes));
    shared = room + SHARED_ALIGNMENT;
    memset(room, poison_byte(), bytes);
    for (uint32_t t = 0; t < l.threads; t++) {
        threads[t].block = this;
        threads[t].index = t;
        threads[t].fiber.start(stack_take(), thread_main, &threads[t]);
    }
}

Block::~Block()
{
    for (Thread &thread : threads)
        stack_give(thread.fiber.stack());
    free(room);
}

uint32_t
Block::window() const
{
    return WINDOW + (aligned ? 0 : SHARED_ALIGNMENT);
}

char *
Block::begin(bool at_1024)
{
    if (asked && at_1024 != aligned)
        violation("a kernel declares its shared memory in two ways");
    if (at_1024)
        shared = room + SHARED_ALIGNMENT_MORE;
    asked = true;
    aligned = at_1024;
    return shared;
}

/* What is unfinished when all threads have ended. */
static void
check_end(const Block &block)
{
    std::string left = mbarriers_left(block);

    if (left.empty())
        left = products_left(block);
    if (left.empty())
        left = registers_left(block);
    for (const Thread &thread : block.threads)
        if (left.empty() && block.launch.overlaps && !thread.waited_for_grid)
            left = "thread " + std::to_string(thread.index) + " of block " +
                   std::to_string(block.index) +
                   " of a kernel that overlaps the one before ends with no "
                   "grid_wait";
    for (uint32_t i = 0; i < 16; i++)
        if (!block.barriers[i].passed.empty())
            left = "block " + std::to_string(block.index) +
                   " ends while barrier " + std::to_string(i) + " waits: " +
                   std::to_string(block.barriers[i].passed.size()) + " of " +
                   std::to_string(block.barriers[i].expected) +
                   " threads have arrived at " +
                   block.barriers[i].passed[0].site.text();
    if (!left.empty())
        launch_fault("%s", left.c_str());
}

static bool
has_ended(Block &block)
{
    if (block.n_done != block.launch.threads)
        return false;
    if (!block.checked)
        check_end(block);
    block.checked = true;
    return true;
}

/* How many blocks run, and the nth of them. */
static uint32_t
blocks_to_run(const Launch &launch)
{
    return only_blocks.empty() ? launch.blocks
                               : static_cast<uint32_t>(only_blocks.size());
}

static uint32_t
nth_block(const Launch &launch, uint32_t n)
{
    /* The first of a cluster's. */
    uint32_t turn = schedule.order == Order::REVERSE
                        ? blocks_to_run(launch) - launch.cluster - n
                        : n;

    return only_blocks.empty() ? turn : only_blocks[turn];
}

/* A kernel that is to run, or that may not. */
static bool
prepare_grid(Launch &launch)
{
    static uint32_t launches;
    uint32_t n_blocks = blocks_to_run(launch);

    if (loses_block(launch.op))
        n_blocks -= launch.cluster;
    if (!within_limits(launch))
        return false;
    if (launch.cluster > 1 && !only_blocks.empty()) {
        host_violation("%s: only some blocks of a grid of clusters",
                       launch.name);
        return false;
    }
    launch.number = ++launches;
    launch.architecture = device_limits(launch.device).architecture;
    machine->grids.push_back(
        {&launch, n_blocks,
         1 + static_cast<uint32_t>(machine->random() % RESIDENT_MOST)});
    return true;
}

/* Blocks become resident: of the next kernel when all of the one before are, or
   were, and let it begin. */
static void
fill()
{
    for (size_t i = 0; i < machine->grids.size(); i++) {
        Grid &grid = machine->grids[i];
        Launch &launch = *grid.launch;

        if (i > 0 && machine->grids[i - 1].let < machine->grids[i - 1].n_blocks)
            return;
        for (; grid.resident < grid.most && grid.next < grid.n_blocks;
             grid.next += launch.cluster, grid.resident++)
            machine->resident.push_back(std::make_unique<Cluster>(
                launch, nth_block(launch, grid.next)));
    }
}

static Grid &
grid_of(const Block &block)
{
    for (Grid &grid : machine->grids)
        if (grid.launch == &block.launch)
            return grid;
    abort();
}

static void
let_next(Block &block)
{
    if (!block.lets_next)
        grid_of(block).let++;
    block.lets_next = true;
}

/* Clusters all of whose blocks have ended go, and with the last of them their
   kernel. */
static void
empty()
{
    auto ended = [&](const std::unique_ptr<Cluster> &cluster) {
        bool all = true;
        for (auto &block : cluster->blocks)
            all &= has_ended(*block);
        if (!all)
            return false;
        for (auto &block : cluster->blocks)
            let_next(*block);
        grid_of(*cluster->blocks[0]).resident--;
        return true;
    };

    machine->resident.erase(std::remove_if(machine->resident.begin(),
                                           machine->resident.end(), ended),
                            machine->resident.end());
    for (Grid &grid : machine->grids) {
        if (grid.next < grid.n_blocks || grid.resident > 0)
            return;
        if (grid.has_ended)
            continue;
        grid.has_ended = true;
        for (Thread *thread : machine->waiting)
            thread->waiting = false;
        machine->waiting.clear();
    }
}

static bool
step()
{
    const std::vector<Block *> blocks = resident_blocks();
    bool progress = false;

    for (Block *block : blocks) {
        progress |= step_block(*block);
        if (machine->failed)
            return true;
    }
    /* As late as can be: when nobody can go on without it. */
    for (Block *block : blocks)
        progress = progress || tensor_copy_lands(*block);
    return progress;
}

bool
run(const std::vector<Launch *> &launches)
{
    Machine m{{}, {schedule.seed}, {}, {}, false};
    DeviceMemoryAccess access;

    machine = &m;
    for (Launch *launch : launches)
        m.failed = m.failed || !prepare_grid(*launch);
    while (!m.failed && !m.grids.back().has_ended) {
        fill();
        /* A kernel that lost its only block has none. */
        if (!m.resident.empty() && !step() && !m.failed) {
            judge_paths();
            report_deadlock();
        }
        empty();
    }
    m.resident.clear();
    if (!m.grids.empty())
        judge_paths();
    close_requests();
    machine = nullptr;
    return !m.failed;
}

void
grid_wait(const Site &site)
{
    Thread &thread = *running;
    const Grid &grid = grid_of(*thread.block);

    thread.site = site;
    while (&grid != machine->grids.data() && !(&grid - 1)->has_ended) {
        machine->waiting.push_back(&thread);
        thread.waiting = true;
        thread.fiber.suspend();
    }
    thread.waited_for_grid = true;
}

void
grid_launch_dependents()
{
    let_next(*running->block);
}

bool
overlap_now(uint32_t launch, uint32_t other)
{
    bool one = false, two = false;

    if (!machine || machine->grids.size() < 2)
        return false;
    for (const Grid &grid : machine->grids) {
        one |= grid.launch->number == launch && !grid.has_ended;
        two |= grid.launch->number == other && !grid.has_ended;
    }
    return one && two && launch != other;
}

Thread *
current()
{
    return running;
}

void
launch_fault(const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    host_violation("%s: %s", machine->grids[0].launch->name, text);
    machine->failed = true;
}

/* Called by violation(): the launch is over; this fiber never wakes. */
void abandon_launch();
void
abandon_launch()
{
    machine->failed = true;
    running->fiber.suspend();
    abort();
}

std::string describe_current();
std::string
describe_current()
{
    if (!running)
        return "";
    return std::string(running->block->launch.name) + ", block " +
           std::to_string(running->block->index) + ", thread " +
           std::to_string(running->index) + ": ";
}

} // namespace sim
