/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access.cpp - every plain load and store of a kernel
 *
 * Kernel files are compiled with -fsanitize=kernel-address and calls instead of
 * inline checks; the functions called are these.  So the simulator sees address,
 * size and place of each access of ordinary C++ code, and needs no wrapper type.
 */
#include "counters.h"
#include "global_shadow.hpp"
#include "grid.hpp"
#include "memory.hpp"
#include "report.hpp"
#include "wgmma.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <link.h>

namespace sim
{
namespace
{

struct Range {
    uintptr_t begin, end;
};

/* Constants and tables of the program itself: no shared state. */
const std::vector<Range> &
program_segments()
{
    static const std::vector<Range> ranges = [] {
        std::vector<Range> found;
        dl_iterate_phdr(
            [](dl_phdr_info *info, size_t, void *out) {
                for (int i = 0; i < info->dlpi_phnum; i++)
                    if (info->dlpi_phdr[i].p_type == PT_LOAD) {
                        uintptr_t at =
                            info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
                        static_cast<std::vector<Range> *>(out)->push_back(
                            {at, at + info->dlpi_phdr[i].p_memsz});
                    }
                return 0;
            },
            &found);
        return found;
    }();
    return ranges;
}

bool
in_program(uintptr_t address)
{
    for (const Range &range : program_segments())
        if (address >= range.begin && address < range.end)
            return true;
    return false;
}

} // namespace

/* True when it was shared memory, and has been checked. */
bool
shared_access(Thread &thread, const void *address, size_t bytes, bool write,
              const void *where)
{
    Block &block = *thread.block;
    const char *p = static_cast<const char *>(address);
    ptrdiff_t offset = p - block.shared;

    if (offset < -1024 ||
        offset >= static_cast<ptrdiff_t>(block.launch.shared_bytes) + 1024)
        return false;
    if (offset < 0 ||
        static_cast<size_t>(offset) + bytes > block.launch.shared_bytes)
        violation("%s %zu bytes at byte %td of %u bytes of shared memory, at "
                  "%s",
                  write ? "writes" : "reads", bytes, offset,
                  block.launch.shared_bytes, source_line(where).c_str());
    if (static_cast<size_t>(offset) % bytes && bytes <= 16)
        violation("%s %zu bytes at byte %td of shared memory, which is not "
                  "aligned to them, at %s",
                  write ? "writes" : "reads", bytes, offset,
                  source_line(where).c_str());
    if (block.mbarriers.cover(static_cast<size_t>(offset), bytes))
        violation("%s the bytes of an mbarrier at byte %td of shared memory, "
                  "at %s",
                  write ? "writes" : "reads", offset,
                  source_line(where).c_str());
    if (write)
        block.shadow.write(block.clocks, thread.clock(),
                           static_cast<size_t>(offset), bytes, where);
    else
        block.shadow.read(block.clocks, thread.clock(),
                          static_cast<size_t>(offset), bytes, where);
    return true;
}

/* The parameters of the kernel: constant memory. */
static bool
in_arguments(const Launch &launch, const char *p, size_t bytes)
{
    const char *begin = reinterpret_cast<const char *>(launch.call.data());

    return p >= begin &&
           p + bytes <= begin + launch.call.size() * sizeof(Launch::Words);
}

static void
count(const Thread &thread, Traffic traffic, uintptr_t at, size_t bytes,
      const void *where)
{
    if (counting)
        count_access(traffic, thread.block->index, thread.index, where, at,
                     bytes);
}

static void
plain_access(const void *address, size_t bytes, bool write, const void *where)
{
    Thread *thread = current();
    const char *p = static_cast<const char *>(address);

    if (!thread)
        return; /* a kernel's helper, called by the host */
    Stack stack = thread->fiber.stack();
    if (p >= stack.base && p < stack.base + stack.bytes) {
        if (!thread->block->warpgroups.empty())
            check_registers(*thread, address, bytes, where);
        return; /* the thread's own registers */
    }
    /* Before shared memory, whose guards reach into the heap around it. */
    if (!write && in_arguments(thread->block->launch, p, bytes))
        return;
    if (shared_access(*thread, address, bytes, write, where)) {
        count(*thread, write ? Traffic::SHARED_STORES : Traffic::SHARED_LOADS,
              static_cast<uintptr_t>(p - thread->block->shared), bytes, where);
        return;
    }
    if (!write && in_program(reinterpret_cast<uintptr_t>(address)))
        return;
    const GlobalTouch who = touch_of(*thread);
    if (write && thread->block->launch.overlaps && !thread->waited_for_grid)
        violation("writes global memory at %s before grid_wait: a kernel "
                  "before this one may still use it",
                  source_line(where).c_str());
    if (write)
        global_write(who, address, bytes, where);
    else
        global_read(who, address, bytes, where);
    count(*thread, write ? Traffic::STORES : Traffic::LOADS,
          reinterpret_cast<uintptr_t>(address), bytes, where);
}

} // namespace sim

#define ACCESS(size) \
    void __asan_load##size##_noabort(const void *address) \
    { \
        sim::plain_access(address, size, false, __builtin_return_address(0)); \
    } \
    void __asan_store##size##_noabort(const void *address) \
    { \
        sim::plain_access(address, size, true, __builtin_return_address(0)); \
    }

extern "C" {
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)

void
__asan_loadN_noabort(const void *address, size_t bytes)
{
    sim::plain_access(address, bytes, false, __builtin_return_address(0));
}

void
__asan_storeN_noabort(const void *address, size_t bytes)
{
    sim::plain_access(address, bytes, true, __builtin_return_address(0));
}

void
__asan_handle_no_return(void)
{
}
}

/* ---- Undefined behaviour ------------------------------------------------ */

/*
 * Kernels are compiled with -fsanitize=alignment,bounds,signed-integer-overflow,
 * shift and float-cast-overflow too: a GPU shifts and converts otherwise than we.  These are the calls it makes; 'data' begins with the place.  A misaligned
 * vector access may be taken apart by g++, but traps on a GPU; an array that is
 * in registers there has no address that could be checked.
 */
namespace sim
{
namespace
{

struct UbPlace {
    const char *file;
    uint32_t line, column;
};

void
undefined(const void *data, const char *what)
{
    const UbPlace *place = static_cast<const UbPlace *>(data);
    const char *slash = strrchr(place->file, '/');

    if (current())
        violation("%s, at %s:%u", what, slash ? slash + 1 : place->file,
                  place->line);
    fprintf(stderr, "%s:%u: %s\n", place->file, place->line, what);
    abort();
}

} // namespace
} // namespace sim

#define UNDEFINED(name, what, ...) \
    void __ubsan_handle_##name(void *data, ##__VA_ARGS__) \
    { \
        sim::undefined(data, what); \
    }

extern "C" {
UNDEFINED(type_mismatch_v1, "an access through a pointer that is not aligned",
          void *)
UNDEFINED(out_of_bounds, "an index beyond the end of an array", void *)
UNDEFINED(add_overflow, "a sum overflows", void *, void *)
UNDEFINED(sub_overflow, "a difference overflows", void *, void *)
UNDEFINED(mul_overflow, "a product overflows", void *, void *)
/* These do not return, or a kernel would load again after each what it has. */
UNDEFINED(shift_out_of_bounds_abort, "a shift by too much, or of a sign",
          void *, void *)
UNDEFINED(float_cast_overflow_abort, "a float beyond what the integer holds",
          void *)
UNDEFINED(negate_overflow, "a negation overflows", void *)
UNDEFINED(divrem_overflow, "a quotient overflows", void *, void *)
}
