/* SPDX-License-Identifier: Apache-2.0 */
#include "shadow.hpp"

#include "report.hpp"

namespace sim
{
namespace
{

constexpr size_t CELL_BYTES = 2;

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

SharedShadow::SharedShadow(size_t bytes)
    : cells_((bytes + CELL_BYTES - 1) / CELL_BYTES)
{
}

void
SharedShadow::read(const Clocks &clocks, uint32_t thread, size_t offset,
                   size_t bytes, const void *where)
{
    Touch touch{thread, clocks.now(thread), where};

    for (size_t i = offset / CELL_BYTES; i <= (offset + bytes - 1) / CELL_BYTES;
         i++) {
        Cell &cell = cells_[i];

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
    for (size_t i = offset / CELL_BYTES; i <= (offset + bytes - 1) / CELL_BYTES;
         i++) {
        check_write(cells_[i], clocks, thread, i * CELL_BYTES, where);
        cells_[i].writer = {thread, clocks.now(thread), where};
    }
}

void
SharedShadow::copy_begins(const Clocks &clocks, uint32_t thread, size_t offset,
                          size_t bytes, const void *where)
{
    write(clocks, thread, offset, bytes, where);
    for (size_t i = offset / CELL_BYTES; i <= (offset + bytes - 1) / CELL_BYTES;
         i++)
        cells_[i].in_flight = true;
}

void
SharedShadow::copy_lands(const Clocks &clocks, uint32_t thread, size_t offset,
                         size_t bytes)
{
    for (size_t i = offset / CELL_BYTES; i <= (offset + bytes - 1) / CELL_BYTES;
         i++) {
        cells_[i].in_flight = false;
        cells_[i].writer.thread = thread;
        cells_[i].writer.time = clocks.now(thread);
    }
}

} // namespace sim
