/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shadow.hpp - who touched which bytes of shared memory, and when
 *
 * One cell for two bytes, the narrowest thing a kernel stores.  A cell knows
 * its last writer, the readers since, and whether an asynchronous copy is still
 * on its way there.
 *
 * Tensor copies and wgmma go through the asynchronous proxy, 16 bytes at least at
 * a time, and see a thread's store only after that thread's proxy fence.  What
 * they did is kept for each 16 bytes, a granule: which copy wrote it last, and
 * the last product of each warpgroup that read it.
 */
#pragma once

#include "clocks.hpp"

#include <array>
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
    SharedShadow(size_t bytes, uint32_t n_threads);
    ~SharedShadow();
    SharedShadow(const SharedShadow &) = delete;
    SharedShadow &operator=(const SharedShadow &) = delete;

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

    /* What this thread stored so far is for the asynchronous proxy too. */
    void proxy_fence(const Clocks &clocks, uint32_t thread);
    /* A tensor copy by 'thread' sets out for these granules.  They may be touched
       by whoever knows of 'agent' at 'time'. */
    void tensor_copy(const Clocks &clocks, uint32_t thread, uint32_t agent,
                     Time time, size_t offset, size_t bytes, const void *where);

    /* Product 'number' of a warpgroup reads what product_read() says, until each of
       its warps, which are these agents, is known at that time ... */
    void product_begins(uint32_t group, const std::array<uint32_t, 4> &agents,
                        Time number, const void *where);
    /* ... a granule, which everyone who issued the product, and knew this, may. */
    void product_read(const std::vector<Known> &known, uint32_t group,
                      Time number, size_t offset, const void *where);

  private:
    struct Cell {
        Touch writer;
        bool in_flight = false;
        uint32_t fences = 0;        /* the writer's, before it wrote */
        std::vector<Touch> readers; /* none knows of another */
        uint64_t block = 0;         /* whose it was last */
    };
    struct Arrival { /* of a tensor copy */
        uint32_t agent;
        Time time;
        uint32_t thread;
        const void *where;
    };
    struct Granule {
        uint32_t arrival = 0; /* of arrivals_; 0: no tensor copy's */
        bool touched = false; /* by a thread, since then */
    };
    struct Reader { /* a warpgroup */
        std::array<uint32_t, 4> agents;
        std::vector<const void *> places; /* of its products, by their number */
        std::vector<Time> last;           /* product, of each granule */
        uint32_t checked =
            0;       /* the last arrival whose reading was right, ... */
        Time by = 0; /* ... by this product */
    };
    void check_readers(size_t granule, const Clocks &clocks, uint32_t thread,
                       const void *where);
    void check_touched(const std::vector<Known> &known, size_t granule,
                       const void *where);
    void check_write(Cell &cell, const Clocks &clocks, uint32_t thread,
                     size_t offset, const void *where);
    void check_arrival(size_t granule, const Clocks &clocks, uint32_t thread,
                       const void *where, const char *what) const;
    void touch_granules(const Clocks &clocks, uint32_t thread, size_t offset,
                        size_t bytes, const void *where, bool write);
    void check_overwrite(size_t granule, const Clocks &clocks, uint32_t thread,
                         const void *where);
    bool fenced(const Cell &cell, const Clocks &clocks, uint32_t thread) const;
    Cell &cell(size_t i);

    std::vector<Cell> cells_; /* at least as many; of a pool, see cell() */
    uint64_t block_;          /* no two shadows have the same */
    static std::vector<std::vector<Cell>> &pool();
    std::vector<Granule> granules_;
    std::vector<Arrival> arrivals_;
    std::vector<Reader> readers_;
    std::vector<std::vector<Time>> fences_; /* when, of each thread */
};

} // namespace sim
