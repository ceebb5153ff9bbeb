/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.hpp - the simulated device's global memory
 *
 * Every allocation is a mapping of its own between guard pages, poisoned when it
 * is made and when it is freed, and not accessible (a host access faults) except
 * while the device runs.  Beside each stands a record of who touched it
 * (global_shadow.hpp).
 */
#pragma once

#include <cstddef>
#include <cstdint>

namespace sim
{

/* What fresh memory holds: two patterns, since some operations swallow NaN. */
enum class Poison { NAN_BYTES, LARGE_FINITE };
void set_poison(Poison poison);
uint8_t poison_byte();

/* Allocations from now on are sparse: pages that are never touched cost nothing,
   but fresh memory is zero instead of poisoned. */
void set_sparse(bool on);

/* Memory of a context on a device; alignment 256 as cudaMalloc's. */
void *device_alloc(size_t bytes, int device, int context);
/* An unknown pointer, or one freed before, is a host violation. */
void device_free(void *memory);
size_t device_bytes_in_use();

/* The allocation that holds [address, address + bytes), whole and not freed. */
bool is_device_range(const void *address, size_t bytes);
/* Its first byte and its size; false if none that is not freed holds 'address'. */
bool find_device_range(const void *address, uintptr_t *begin, size_t *bytes);
/* Whose memory this is, or was; negative: no device's. */
int device_of(const void *address);
int context_of(const void *address);

/* Let host code, or the device, touch device memory: nests. */
class DeviceMemoryAccess
{
  public:
    DeviceMemoryAccess();
    ~DeviceMemoryAccess();
    DeviceMemoryAccess(const DeviceMemoryAccess &) = delete;
    DeviceMemoryAccess &operator=(const DeviceMemoryAccess &) = delete;
};

/* Check bounds, life, alignment and whose memory it is, and races; violation(). */
struct GlobalTouch;
void global_read(const GlobalTouch &who, const void *address, size_t bytes,
                 const void *where);
void global_write(const GlobalTouch &who, const void *address, size_t bytes,
                  const void *where);

} // namespace sim
