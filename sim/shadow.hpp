/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shadow.hpp - who touched which bytes of shared memory, and when
 *
 * One cell for two bytes, the narrowest thing a kernel stores.  A cell knows
 * its last writer, the readers since, and whether an asynchronous copy is still
 * on its way there.
 */
#pragma once

#include "clocks.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sim
{

/* An access: by which thread, at which of its times, from which line. */
struct Touch {
    uint32_t thread = 0;
    Time time = 0; /* 0: never */
    const void *where = nullptr;
};

class SharedShadow
{
  public:
    explicit SharedShadow(size_t bytes);

    /* Each throws a violation() that names both lines if it is a race. */
    void read(const Clocks &clocks, uint32_t thread, size_t offset,
              size_t bytes, const void *where);
    void write(const Clocks &clocks, uint32_t thread, size_t offset,
               size_t bytes, const void *where);
    /* An asynchronous copy by 'thread' sets out for these bytes ... */
    void copy_begins(const Clocks &clocks, uint32_t thread, size_t offset,
                     size_t bytes, const void *where);
    /* ... and the thread has waited for it: the bytes are its write. */
    void copy_lands(const Clocks &clocks, uint32_t thread, size_t offset,
                    size_t bytes);

  private:
    struct Cell {
        Touch writer;
        bool in_flight = false;
        std::vector<Touch> readers; /* none knows of another */
    };
    void check_write(Cell &cell, const Clocks &clocks, uint32_t thread,
                     size_t offset, const void *where);

    std::vector<Cell> cells_;
};

} // namespace sim
