/* SPDX-License-Identifier: Apache-2.0 */
/* The stand-in runtime's memory, the host's pinned and the device's, and what
   is copied between. */
#include "runtime_state.hpp"

#include "memory.hpp"

#include <cstdlib>
#include <cstring>
#include <map>

using namespace sim;

namespace
{

struct Pinned {
    size_t bytes;
    int context;
};
std::map<uintptr_t, Pinned> pinned; /* by first byte */

/* pinned.end() for memory that is not pinned. */
std::map<uintptr_t, Pinned>::const_iterator
find_registration(const void *memory)
{
    auto it = pinned.upper_bound(reinterpret_cast<uintptr_t>(memory));

    if (it == pinned.begin())
        return pinned.end();
    --it;
    return reinterpret_cast<uintptr_t>(memory) < it->first + it->second.bytes
               ? it
               : pinned.end();
}

/* nullptr for memory that is not pinned. */
const Pinned *
find_pinned(const void *memory)
{
    auto it = find_registration(memory);

    return it == pinned.end() ? nullptr : &it->second;
}

bool
is_pinned(const void *memory)
{
    return find_pinned(memory) != nullptr;
}

bool
is_device(const void *memory)
{
    return sim::is_device_range(memory, 1);
}

const char *
name_of_copy(bool from_host, bool to_host)
{
    return from_host ? "upload" : to_host ? "download" : "move";
}

/* The side of a copy that is said to be the device's must be, the other not. */
bool
kind_fits(const void *to, const void *from, cudaMemcpyKind kind)
{
    switch (kind) {
    case cudaMemcpyHostToHost:
        return !is_device(to) && !is_device(from);
    case cudaMemcpyHostToDevice:
        return is_device(to) && !is_device(from);
    case cudaMemcpyDeviceToHost:
        return !is_device(to) && is_device(from);
    case cudaMemcpyDeviceToDevice:
        return is_device(to) && is_device(from);
    default:
        return true;
    }
}

void
copy_rows(char *to, size_t to_pitch, const char *from, size_t from_pitch,
          size_t width, size_t height)
{
    sim::DeviceMemoryAccess access;

    for (size_t y = 0; y < height; y++)
        memcpy(to + y * to_pitch, from + y * from_pitch, width);
}

cudaError_t
copy(void *to, size_t to_pitch, const void *from, size_t from_pitch,
     size_t width, size_t height, cudaMemcpyKind kind, cudaStream_t stream)
{
    char *out = static_cast<char *>(to);
    const char *in = static_cast<const char *>(from);
    size_t to_bytes = height ? (height - 1) * to_pitch + width : 0;
    size_t from_bytes = height ? (height - 1) * from_pitch + width : 0;

    if (width == 0 || height == 0)
        return cudaSuccess;
    if (!kind_fits(to, from, kind))
        return result(cudaErrorInvalidValue);
    if ((is_device(to) && !sim::is_device_range(to, to_bytes)) ||
        (is_device(from) && !sim::is_device_range(from, from_bytes)))
        return result(cudaErrorInvalidValue);
    bool pageable_in = !is_device(from) && !is_pinned(from);
    bool pageable_out = !is_device(to) && !is_pinned(to);
    CUstream_st *s = resolve(stream);
    if ((pageable_in || pageable_out) && s && s->capture)
        return spoil(*s->capture, cudaErrorStreamCaptureUnsupported);
    if (pageable_in || pageable_out)
        NOT_IN_CAPTURE();
    log_copy(name_of_copy(!is_device(from), !is_device(to)), s, width * height,
             !pageable_in && !pageable_out);
    if (pageable_out) {
        /* Staged: the call returns when the bytes are there. */
        cudaError_t error = cudaStreamSynchronize(stream);
        if (error == cudaSuccess)
            copy_rows(out, to_pitch, in, from_pitch, width, height);
        return error;
    }
    if (pageable_in) {
        /* Staged: the source is read before the call returns; CUDA may wait. */
        runtime().tally.waits++;
        std::vector<char> staged(width * height);
        copy_rows(staged.data(), width, in, from_pitch, width, height);
        return enqueue(stream, {nullptr, [=, staged = std::move(staged)] {
                                    copy_rows(out, to_pitch, staged.data(),
                                              width, width, height);
                                }});
    }
    return enqueue(stream, {nullptr, [=] {
                                copy_rows(out, to_pitch, in, from_pitch, width,
                                          height);
                            }});
}

} // namespace

extern "C" {

cudaError_t
cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes)
{
    ENTER();
    *total_bytes = static_cast<size_t>(80) << 30;
    *free_bytes = *total_bytes - sim::device_bytes_in_use();
    return cudaSuccess;
}

cudaError_t
cudaMalloc(void **memory, size_t bytes)
{
    ENTER();
    NOT_IN_CAPTURE();
    runtime().tally.allocations++;
    use_context();
    *memory =
        sim::device_alloc(bytes, current_device(), current_context()->number);
    return *memory ? cudaSuccess : result(cudaErrorMemoryAllocation);
}

/* Waits for the device, as the real one does. */
cudaError_t
cudaFree(void *memory)
{
    const Entrance entered;
    NOT_IN_CAPTURE();
    drain_all();
    sim::device_free(memory);
    return entered.error != cudaSuccess ? entered.error
                                        : result(runtime().sticky);
}

cudaError_t
cudaMallocHost(void **memory, size_t bytes)
{
    ENTER();
    NOT_IN_CAPTURE();
    runtime().tally.allocations++;
    *memory = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    if (!*memory)
        return result(cudaErrorMemoryAllocation);
    memset(*memory, sim::poison_byte(), bytes);
    pinned[reinterpret_cast<uintptr_t>(*memory)] = {bytes,
                                                    current_context()->number};
    return cudaSuccess;
}

cudaError_t
cudaFreeHost(void *memory)
{
    const Entrance entered;
    NOT_IN_CAPTURE();
    if (!memory)
        return entered.error;
    if (!pinned.erase(reinterpret_cast<uintptr_t>(memory)))
        return result(cudaErrorInvalidValue);
    drain_all();
    free(memory);
    return entered.error;
}

cudaError_t
cudaHostRegister(void *memory, size_t bytes, unsigned int)
{
    ENTER();
    NOT_IN_CAPTURE();
    const uintptr_t begin = reinterpret_cast<uintptr_t>(memory);
    auto next = pinned.upper_bound(begin);

    if (!memory || bytes == 0)
        return result(cudaErrorInvalidValue);
    if (is_pinned(memory) ||
        (next != pinned.end() && next->first < begin + bytes))
        return result(cudaErrorHostMemoryAlreadyRegistered);
    pinned[begin] = {bytes, current_context()->number};
    return cudaSuccess;
}

cudaError_t
cudaHostUnregister(void *memory)
{
    const Entrance entered;
    NOT_IN_CAPTURE();
    drain_all();
    if (!pinned.erase(reinterpret_cast<uintptr_t>(memory)))
        return result(cudaErrorHostMemoryNotRegistered);
    return entered.error;
}

cudaError_t
cudaPointerGetAttributes(struct cudaPointerAttributes *attributes,
                         const void *pointer)
{
    ENTER();
    runtime().tally.pointer_queries++;
    const Pinned *host = find_pinned(pointer);
    if (!is_primary(is_device(pointer) ? sim::context_of(pointer)
                    : host             ? host->context
                                       : 0))
        return result(cudaErrorIncompatibleDriverContext);
    attributes->type = is_device(pointer) ? cudaMemoryTypeDevice
                       : host             ? cudaMemoryTypeHost
                                          : cudaMemoryTypeUnregistered;
    attributes->device =
        is_device(pointer) ? device_of(pointer) : current_device();
    attributes->devicePointer = const_cast<void *>(pointer);
    attributes->hostPointer = const_cast<void *>(pointer);
    return cudaSuccess;
}

/* Of the driver, by cudaGetDriverEntryPointByVersion: the two attributes that are
   asked for here. */
int
sim_pointer_get_attributes(unsigned int n, int *attributes, void **values,
                           uintptr_t pointer)
{
    enum { RANGE_START = 11, RANGE_SIZE = 12 };

    ENTER();
    const void *memory = reinterpret_cast<const void *>(pointer);
    auto host = find_registration(memory);
    uintptr_t begin = 0;
    size_t bytes = 0;

    if (host != pinned.end()) {
        begin = host->first;
        bytes = host->second.bytes;
    } else {
        sim::find_device_range(memory, &begin, &bytes);
    }
    for (unsigned int i = 0; i < n; i++) {
        if (attributes[i] == RANGE_START)
            *static_cast<uintptr_t *>(values[i]) = begin;
        else if (attributes[i] == RANGE_SIZE)
            *static_cast<size_t *>(values[i]) = bytes;
        else
            return result(cudaErrorInvalidValue);
    }
    return cudaSuccess;
}

cudaError_t
cudaMemcpy(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind)
{
    ENTER();
    NOT_IN_CAPTURE();
    cudaError_t error = copy(to, bytes, from, bytes, bytes, 1, kind, nullptr);
    drain_all();
    return error != cudaSuccess ? error : result(runtime().sticky);
}

cudaError_t
cudaMemcpyAsync(void *to, const void *from, size_t bytes,
                enum cudaMemcpyKind kind, cudaStream_t stream)
{
    ENTER();
    return copy(to, bytes, from, bytes, bytes, 1, kind, stream);
}

cudaError_t
cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from,
                  size_t from_pitch, size_t width, size_t height,
                  enum cudaMemcpyKind kind, cudaStream_t stream)
{
    ENTER();
    /* cudaDeviceProp.memPitch, of every device there is. */
    if (to_pitch > INT32_MAX || from_pitch > INT32_MAX)
        return result(cudaErrorInvalidPitchValue);
    if (to_pitch < width || from_pitch < width)
        return result(cudaErrorInvalidValue);
    return copy(to, to_pitch, from, from_pitch, width, height, kind, stream);
}

cudaError_t
cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream)
{
    ENTER();
    if (bytes == 0)
        return cudaSuccess;
    if (!sim::is_device_range(memory, bytes))
        return result(cudaErrorInvalidValue);
    return enqueue(stream, {nullptr, [=] {
                                sim::DeviceMemoryAccess access;
                                memset(memory, value, bytes);
                            }});
}
}
