/* SPDX-License-Identifier: Apache-2.0 */
#include "memory.hpp"

#include "global_shadow.hpp"
#include "report.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace sim
{
namespace
{

constexpr size_t PAGE = 4096;

struct Allocation {
    char *base;
    size_t bytes;
    char *map;
    size_t map_bytes;
    std::unique_ptr<GlobalShadow> shadow;
    bool alive;
    int device, context;
};

std::map<uintptr_t, Allocation> allocations; /* by the byte after the end */
size_t in_use;
int openings;
bool sparse;
Poison poison = Poison::NAN_BYTES;

Allocation *
find(const void *address)
{
    static thread_local Allocation *last;
    const char *p = static_cast<const char *>(address);

    if (last && p >= last->base && p < last->base + last->bytes)
        return last;
    auto it = allocations.upper_bound(reinterpret_cast<uintptr_t>(address));
    if (it == allocations.end() || p < it->second.base)
        return nullptr;
    return last = &it->second;
}

void
protect(const Allocation &a, bool open)
{
    mprotect(a.map + PAGE, a.map_bytes - 2 * PAGE,
             open ? PROT_READ | PROT_WRITE : PROT_NONE);
}

/* A file of poison bytes, whose pages fresh memory is until it is written: what no
   kernel touches costs no page. */
constexpr size_t POISON_BYTES = 4 << 20;

int
poison_file()
{
    static std::map<uint8_t, int> files; /* by the byte */
    auto found = files.find(poison_byte());

    if (found != files.end())
        return found->second;
    int file = memfd_create("poison", MFD_CLOEXEC);
    std::string bytes(POISON_BYTES, static_cast<char>(poison_byte()));
    if (file < 0 ||
        write(file, bytes.data(), bytes.size()) != ssize_t(POISON_BYTES))
        host_violation("no file of poison bytes can be made");
    files[poison_byte()] = file;
    return file;
}

bool
fill_with_poison(char *base, size_t bytes)
{
    for (size_t done = 0; done < bytes; done += POISON_BYTES)
        if (mmap(base + done, std::min(POISON_BYTES, bytes - done), PROT_NONE,
                 MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, poison_file(),
                 0) == MAP_FAILED)
            return false;
    return true;
}

/* No allocation at all; most often the one just before ends too early. */
[[noreturn]] void
report_wild(const void *address, size_t bytes, const char *verb,
            const void *where)
{
    uintptr_t at = reinterpret_cast<uintptr_t>(address);
    auto it = allocations.upper_bound(at);

    if (it != allocations.begin() && at - std::prev(it)->first < 64 * PAGE)
        violation("%s %zu bytes at %zu bytes past the end of an allocation "
                  "of %zu bytes, at %s",
                  verb, bytes, static_cast<size_t>(at - std::prev(it)->first),
                  std::prev(it)->second.bytes, source_line(where).c_str());
    violation("%s %zu bytes at %p, which is no device memory, at %s", verb,
              bytes, address, source_line(where).c_str());
}

Allocation &
checked(const GlobalTouch &who, const void *address, size_t bytes,
        const char *verb, const void *where)
{
    Allocation *a = find(address);

    if (!a)
        report_wild(address, bytes, verb, where);
    size_t offset =
        static_cast<size_t>(static_cast<const char *>(address) - a->base);
    if (!a->alive)
        violation("%s %zu bytes of freed device memory at %s", verb, bytes,
                  source_line(where).c_str());
    if (offset + bytes > a->bytes)
        violation("%s %zu bytes at offset %zu of an allocation of %zu bytes, "
                  "at %s",
                  verb, bytes, offset, a->bytes, source_line(where).c_str());
    if (a->device != who.device)
        violation("%s %zu bytes of the memory of device %d on device %d, at %s",
                  verb, bytes, a->device, who.device,
                  source_line(where).c_str());
    if (a->context != who.context)
        violation("%s %zu bytes of the memory of another context, at %s", verb,
                  bytes, source_line(where).c_str());
    bool vector = bytes <= 16 && (bytes & (bytes - 1)) == 0;
    if (vector && reinterpret_cast<uintptr_t>(address) % bytes)
        violation("%s %zu bytes at offset %zu, which is not aligned to them, "
                  "at %s",
                  verb, bytes, offset, source_line(where).c_str());
    return *a;
}

} // namespace

void
set_poison(Poison p)
{
    poison = p;
}

/* 0xff..: NaN in every float format.  0x7b..: 1.3e36 in bf16 and fp32. */
uint8_t
poison_byte()
{
    return poison == Poison::NAN_BYTES ? 0xff : 0x7b;
}

void
set_sparse(bool on)
{
    sparse = on;
}

void *
device_alloc(size_t bytes, int device, int context)
{
    size_t body = (bytes + PAGE - 1) / PAGE * PAGE + (bytes ? 0 : PAGE);
    size_t map_bytes = body + 2 * PAGE;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *map = mmap(nullptr, map_bytes, PROT_NONE, flags, -1, 0);

    if (map == MAP_FAILED)
        return nullptr;
    if (!sparse && !fill_with_poison(static_cast<char *>(map) + PAGE, body)) {
        munmap(map, map_bytes);
        return nullptr;
    }
    Allocation a = {static_cast<char *>(map) + PAGE,
                    bytes,
                    static_cast<char *>(map),
                    map_bytes,
                    std::make_unique<GlobalShadow>(bytes),
                    true,
                    device,
                    context};
    protect(a, openings > 0);
    in_use += bytes;
    char *base = a.base;
    allocations[reinterpret_cast<uintptr_t>(base + bytes)] = std::move(a);
    return base;
}

/* The mapping goes, its address stays ours: a late access is told apart. */
void
device_free(void *memory)
{
    if (!memory)
        return;
    for (auto &entry : allocations) {
        Allocation &a = entry.second;

        if (a.base != memory)
            continue;
        if (!a.alive)
            break;
        a.alive = false;
        in_use -= a.bytes;
        madvise(a.map + PAGE, a.map_bytes - 2 * PAGE, MADV_DONTNEED);
        protect(a, false);
        a.shadow.reset();
        return;
    }
    host_violation("free of %p, which is no live device memory", memory);
}

size_t
device_bytes_in_use()
{
    return in_use;
}

bool
is_device_range(const void *address, size_t bytes)
{
    const Allocation *a = find(address);

    return a && a->alive &&
           static_cast<const char *>(address) + bytes <= a->base + a->bytes;
}

bool
find_device_range(const void *address, uintptr_t *begin, size_t *bytes)
{
    const Allocation *a = find(address);

    if (!a || !a->alive)
        return false;
    *begin = reinterpret_cast<uintptr_t>(a->base);
    *bytes = a->bytes;
    return true;
}

int
device_of(const void *address)
{
    const Allocation *a = find(address);

    return a ? a->device : -1;
}

int
context_of(const void *address)
{
    const Allocation *a = find(address);

    return a ? a->context : -1;
}

DeviceMemoryAccess::DeviceMemoryAccess()
{
    if (openings++ == 0)
        for (auto &entry : allocations)
            if (entry.second.alive)
                protect(entry.second, true);
}

DeviceMemoryAccess::~DeviceMemoryAccess()
{
    if (--openings == 0)
        for (auto &entry : allocations)
            if (entry.second.alive)
                protect(entry.second, false);
}

void
global_read(const GlobalTouch &who, const void *address, size_t bytes,
            const void *where)
{
    Allocation &a = checked(who, address, bytes, "reads", where);

    a.shadow->read(
        who, static_cast<size_t>(static_cast<const char *>(address) - a.base),
        bytes, where);
}

void
global_write(const GlobalTouch &who, const void *address, size_t bytes,
             const void *where)
{
    Allocation &a = checked(who, address, bytes, "writes", where);

    a.shadow->write(
        who, static_cast<size_t>(static_cast<const char *>(address) - a.base),
        bytes, where);
}

} // namespace sim
