/* SPDX-License-Identifier: Apache-2.0 */
/*
 * global_shadow.hpp - who touched which bytes of global memory in a launch
 *
 * Blocks of a launch have no order, so what one writes no other may touch.  The
 * threads of one block are ordered as for shared memory: by their barriers alone
 * (clocks.hpp).  One cell for four bytes, or for each of them once a part of the
 * four is touched; it knows the last writer, and two of the readers since.
 */
#pragma once

#include "clocks.hpp"

#include <cstddef>
#include <cstdint>

namespace sim
{

/* Who in a launch touches global memory. */
struct GlobalTouch {
    int device, context; /* where it runs */
    uint32_t launch;     /* a number that no other launch has */
    uint32_t block;
    uint32_t thread, first; /* in the block; the block's first in its cluster */
    const Clocks *clocks;   /* of the cluster */
};
struct Thread;
GlobalTouch touch_of(const Thread &thread);

class GlobalShadow
{
  public:
    explicit GlobalShadow(size_t bytes); /* of the allocation */
    ~GlobalShadow();
    GlobalShadow(const GlobalShadow &) = delete;
    GlobalShadow &operator=(const GlobalShadow &) = delete;

    /* Each is a violation() that names both lines if it is a race. */
    void read(const GlobalTouch &who, size_t offset, size_t bytes,
              const void *where);
    void write(const GlobalTouch &who, size_t offset, size_t bytes,
               const void *where);

  private:
    /* A line of a kernel: how far its code is from ours, in the same file.
       Half the bytes of a pointer, since there are many cells. */
    using Place = int32_t;

    struct Access {
        uint32_t thread : 10, time : 22; /* time 0: never */
        Place place;
    };
    struct Cell {
        uint32_t launch; /* of which the rest tells */
        uint32_t block;  /* whose threads these are, MANY or SPLIT */
        Access writer, readers[2];
    };

    template <bool WRITE>
    void touch(const GlobalTouch &who, size_t offset, size_t bytes,
               const void *where);
    template <bool WRITE>
    static void note(Cell &cell, const GlobalTouch &who, size_t offset,
                     const void *where);
    static void add_reader(Cell &cell, const GlobalTouch &who, Access mine);
    void check_overlap(size_t word, bool write, size_t offset,
                       const void *where) const;
    void split(size_t word);

    size_t bytes_;
    Cell *words_, *parts_ = nullptr; /* of four bytes, and of one */
};

} // namespace sim
