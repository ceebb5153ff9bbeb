/* SPDX-License-Identifier: Apache-2.0 */
#include "shadow.hpp"

#include "report.hpp"

namespace sim
{
namespace
{

constexpr size_t CELL_BYTES = 2, GRANULE_BYTES = 16;

[[noreturn]] void
race(const char *what, size_t offset, uint32_t thread, const void *where,
     const Touch &other, const char *other_what)
{
    violation("race in shared memory at byte %zu: thread %u %s at %s, thread "
              "%u %s at %s, and no barrier orders them",
              offset, thread, what, source_line(where).c_str(), other.thread,
              other_what, source_line(other.where).c_str());
}

} // namespace

std::vector<std::vector<SharedShadow::Cell>> &
SharedShadow::pool()
{
    static std::vector<std::vector<Cell>> cells;
    return cells;
}

SharedShadow::SharedShadow(size_t bytes, uint32_t n_threads)
    : granules_((bytes + GRANULE_BYTES - 1) / GRANULE_BYTES), arrivals_(1),
      fences_(n_threads)
{
    static uint64_t blocks;
    const size_t n = (bytes + GRANULE_BYTES) / CELL_BYTES;

    block_ = ++blocks;
    if (!pool().empty()) {
        cells_ = std::move(pool().back());
        pool().pop_back();
    }
    if (cells_.size() < n)
        cells_.resize(n);
}

SharedShadow::~SharedShadow()
{
    pool().push_back(std::move(cells_));
}

/* One that a block before left is cleared when it is met: a block touches few of
   its cells, and its vectors keep their room. */
SharedShadow::Cell &
SharedShadow::cell(size_t i)
{
    Cell &cell = cells_[i];

    if (cell.block != block_) {
        cell.writer = {};
        cell.in_flight = false;
        cell.fences = 0;
        cell.readers.clear();
        cell.block = block_;
    }
    return cell;
}

/* Before a thread touches a granule: the copy that wrote it was waited for. */
void
SharedShadow::check_arrival(size_t i, const Clocks &clocks, uint32_t thread,
                            const void *where, const char *what) const
{
    const Arrival &arrival = arrivals_[granules_[i].arrival];

    if (arrival.time && !clocks.knows(thread, arrival.agent, arrival.time))
        violation("thread %u %s byte %zu of shared memory at %s, but the "
                  "tensor copy that thread %u sent there from %s was not "
                  "waited for",
                  thread, what, i * GRANULE_BYTES, source_line(where).c_str(),
                  arrival.thread, source_line(arrival.where).c_str());
}

void
SharedShadow::touch_granules(const Clocks &clocks, uint32_t thread,
                             size_t offset, size_t bytes, const void *where,
                             bool write)
{
    for (size_t i = offset / GRANULE_BYTES;
         i <= (offset + bytes - 1) / GRANULE_BYTES; i++) {
        granules_[i].touched = true;
        if (granules_[i].arrival)
            check_arrival(i, clocks, thread, where, write ? "writes" : "reads");
    }
}

void
SharedShadow::read(const Clocks &clocks, uint32_t thread, size_t offset,
                   size_t bytes, const void *where)
{
    Touch touch{thread, clocks.now(thread), where};

    touch_granules(clocks, thread, offset, bytes, where, false);
    for (size_t i = offset / CELL_BYTES; i <= (offset + bytes - 1) / CELL_BYTES;
         i++) {
        Cell &cell = this->cell(i);

        if (cell.in_flight)
            violation("thread %u reads byte %zu of shared memory at %s, but "
                      "the asynchronous copy that thread %u sent there from "
                      "%s was not waited for",
                      thread, i * CELL_BYTES, source_line(where).c_str(),
                      cell.writer.thread,
                      source_line(cell.writer.where).c_str());
        if (cell.writer.time &&
            !clocks.knows(thread, cell.writer.thread, cell.writer.time))
            race("reads", i * CELL_BYTES, thread, where, cell.writer, "wrote");
        /* A reader whom we know of is covered by our own read. */
        size_t kept = 0;
        for (const Touch &reader : cell.readers)
            if (!clocks.knows(thread, reader.thread, reader.time))
                cell.readers[kept++] = reader;
        cell.readers.resize(kept);
        cell.readers.push_back(touch);
    }
}

void
SharedShadow::check_write(Cell &cell, const Clocks &clocks, uint32_t thread,
                          size_t offset, const void *where)
{
    if (cell.in_flight)
        violation("thread %u writes byte %zu of shared memory at %s, while "
                  "the asynchronous copy that thread %u sent there from %s "
                  "was not waited for",
                  thread, offset, source_line(where).c_str(),
                  cell.writer.thread, source_line(cell.writer.where).c_str());
    if (cell.writer.time &&
        !clocks.knows(thread, cell.writer.thread, cell.writer.time))
        race("writes", offset, thread, where, cell.writer, "wrote");
    for (const Touch &reader : cell.readers)
        if (!clocks.knows(thread, reader.thread, reader.time))
            race("writes", offset, thread, where, reader, "read");
    cell.readers.clear();
}

void
SharedShadow::write(const Clocks &clocks, uint32_t thread, size_t offset,
                    size_t bytes, const void *where)
{
    touch_granules(clocks, thread, offset, bytes, where, true);
    for (size_t i = offset / CELL_BYTES; i <= (offset + bytes - 1) / CELL_BYTES;
         i++) {
        Cell &written = cell(i);

        check_write(written, clocks, thread, i * CELL_BYTES, where);
        written.writer = {thread, clocks.now(thread), where};
        written.fences = static_cast<uint32_t>(fences_[thread].size());
    }
}

void
SharedShadow::copy_begins(const Clocks &clocks, uint32_t thread, size_t offset,
                          size_t bytes, const void *where)
{
    write(clocks, thread, offset, bytes, where);
    for (size_t i = offset / CELL_BYTES; i <= (offset + bytes - 1) / CELL_BYTES;
         i++)
        cell(i).in_flight = true;
}

void
SharedShadow::copy_lands(const Clocks &clocks, uint32_t thread, size_t offset,
                         size_t bytes)
{
    for (size_t i = offset / CELL_BYTES; i <= (offset + bytes - 1) / CELL_BYTES;
         i++) {
        Cell &landed = cell(i);

        landed.in_flight = false;
        landed.writer.thread = thread;
        landed.writer.time = clocks.now(thread);
        landed.fences = static_cast<uint32_t>(fences_[thread].size());
    }
}

/* ---- The asynchronous proxy -------------------------------------------- */

void
SharedShadow::proxy_fence(const Clocks &clocks, uint32_t thread)
{
    fences_[thread].push_back(clocks.now(thread));
}

/* Whether the writer fenced after its store, and 'thread' knows of it. */
bool
SharedShadow::fenced(const Cell &cell, const Clocks &clocks,
                     uint32_t thread) const
{
    const std::vector<Time> &fences = fences_[cell.writer.thread];

    return cell.fences < fences.size() &&
           clocks.knows(thread, cell.writer.thread, fences[cell.fences]);
}

/* The copy may write a granule that threads touched: they are all known of. */
void
SharedShadow::check_overwrite(size_t granule, const Clocks &clocks,
                              uint32_t thread, const void *where)
{
    constexpr size_t CELLS = GRANULE_BYTES / CELL_BYTES;

    for (size_t i = granule * CELLS; i < (granule + 1) * CELLS; i++) {
        Cell &cell = this->cell(i);

        check_write(cell, clocks, thread, i * CELL_BYTES, where);
        if (cell.writer.time && !fenced(cell, clocks, thread))
            violation("thread %u sends a tensor copy to byte %zu of shared "
                      "memory at %s, where thread %u stored at %s with no "
                      "fence_async_shared between",
                      thread, i * CELL_BYTES, source_line(where).c_str(),
                      cell.writer.thread,
                      source_line(cell.writer.where).c_str());
        cell.writer = {};
    }
}

void
SharedShadow::tensor_copy(const Clocks &clocks, uint32_t thread, uint32_t agent,
                          Time time, size_t offset, size_t bytes,
                          const void *where)
{
    const auto number = static_cast<uint32_t>(arrivals_.size());

    for (size_t i = offset / GRANULE_BYTES;
         i < (offset + bytes) / GRANULE_BYTES; i++) {
        check_arrival(i, clocks, thread, where, "sends a tensor copy to");
        check_readers(i, clocks, thread, where);
        if (granules_[i].touched)
            check_overwrite(i, clocks, thread, where);
        granules_[i] = {number, false};
    }
    arrivals_.push_back({agent, time, thread, where});
}

/* ---- Products ------------------------------------------------------------ */

void
SharedShadow::product_begins(uint32_t group,
                             const std::array<uint32_t, 4> &agents, Time number,
                             const void *where)
{
    if (readers_.size() <= group)
        readers_.resize(group + 1);
    Reader &reader = readers_[group];
    reader.agents = agents;
    reader.places.resize(number + 1);
    reader.places[number] = where;
    reader.last.resize(granules_.size());
}

void
SharedShadow::product_read(const std::vector<Known> &known, uint32_t group,
                           Time number, size_t offset, const void *where)
{
    Reader &reader = readers_[group];
    const size_t i = offset / GRANULE_BYTES;
    const Granule &granule = granules_[i];
    const Arrival &arrival = arrivals_[granule.arrival];

    reader.last[i] = number;
    if (granule.arrival &&
        (granule.arrival != reader.checked || number != reader.by)) {
        for (const Known &k : known)
            if (!is_known(*k, arrival.agent, arrival.time))
                violation("a wgmma at %s reads byte %zu of shared memory, but "
                          "the tensor copy that thread %u sent there from %s "
                          "was not waited for",
                          source_line(where).c_str(), offset, arrival.thread,
                          source_line(arrival.where).c_str());
        reader.checked = granule.arrival;
        reader.by = number;
    }
    if (granule.touched)
        check_touched(known, i, where);
}

/* What threads stored there is known, and is for the asynchronous proxy. */
void
SharedShadow::check_touched(const std::vector<Known> &known, size_t granule,
                            const void *where)
{
    constexpr size_t CELLS = GRANULE_BYTES / CELL_BYTES;

    for (size_t i = granule * CELLS; i < (granule + 1) * CELLS; i++) {
        const Cell &cell = this->cell(i);
        const Touch &writer = cell.writer;
        const std::vector<Time> &fences = fences_[writer.thread];
        const char *why = nullptr;

        if (!writer.time)
            continue;
        for (const Known &k : known)
            if (cell.in_flight)
                why = "copied asynchronously and did not wait";
            else if (!is_known(*k, writer.thread, writer.time))
                why = "stored, and no barrier orders them";
            else if (cell.fences >= fences.size() ||
                     !is_known(*k, writer.thread, fences[cell.fences]))
                why = "stored with no fence_async_shared between";
        if (why)
            violation("a wgmma at %s reads byte %zu of shared memory, where "
                      "thread %u at %s %s",
                      source_line(where).c_str(), i * CELL_BYTES, writer.thread,
                      source_line(writer.where).c_str(), why);
    }
}

/* A thread is to overwrite a granule: all products that read it were waited for, by
   each of the four warps. */
void
SharedShadow::check_readers(size_t granule, const Clocks &clocks,
                            uint32_t thread, const void *where)
{
    for (Reader &reader : readers_) {
        const Time number = reader.last.empty() ? 0 : reader.last[granule];

        for (uint32_t agent : reader.agents)
            if (number && !clocks.knows(thread, agent, number))
                violation("thread %u overwrites byte %zu of shared memory at "
                          "%s, where a wgmma at %s reads, and not all four of "
                          "its warps are known to have waited for it",
                          thread, granule * GRANULE_BYTES,
                          source_line(where).c_str(),
                          source_line(reader.places[number]).c_str());
        if (number)
            reader.last[granule] = 0;
    }
}

} // namespace sim
