/* SPDX-License-Identifier: Apache-2.0 */
/* pointers.c - asked of the runtime and the driver, and kept for the call */
#include "cuda/pointers.h"

#include "base/fail.h"
#include "cuda/driver.h"
#include "cuda/errors.h"

void
oriel_cuda_forget_pointers(oriel_cuda_pointers *pointers)
{
    pointers->n = 0;
}

/* Whether 'bytes' from 'pointer' on are of it. */
static bool
holds(const oriel_cuda_memory *memory, const void *pointer, size_t bytes)
{
    uintptr_t at = (uintptr_t)pointer - memory->begin; /* huge: before it */

    return at < memory->bytes && bytes <= memory->bytes - at;
}

static oriel_status
find_range(oriel_cuda_memory *memory, const void *pointer, oriel_error *err)
{
    int attributes[] = {ORIEL_DRIVER_RANGE_START, ORIEL_DRIVER_RANGE_SIZE};
    void *values[] = {&memory->begin, &memory->bytes};
    const oriel_cuda_driver *driver;
    oriel_status status = oriel_cuda_find_driver(&driver, err);

    return status ? status
                  : oriel_cuda_check(
                        (cudaError_t)driver->get_pointer_attributes(
                            2, attributes, values, (uintptr_t)pointer),
                        "cuPointerGetAttributes", err);
}

static oriel_status
ask(oriel_cuda_memory *memory, const void *pointer, const char *field,
    oriel_error *err)
{
    struct cudaPointerAttributes at;
    cudaError_t error = cudaPointerGetAttributes(&at, pointer);

    *memory = (oriel_cuda_memory){0};
    if (error == cudaErrorIncompatibleDriverContext) {
        (void)cudaGetLastError();
        return oriel_fail_cause(err, ORIEL_ERR_ARGUMENT, (int32_t)error,
                                "%s is in memory of a CUDA context of the "
                                "caller's, expected the primary context of the "
                                "device",
                                field);
    }
    if (error != cudaSuccess)
        return oriel_cuda_check(error, "cudaPointerGetAttributes", err);
    memory->type = at.type;
    memory->device = at.device;
    if (at.type != cudaMemoryTypeUnregistered)
        return find_range(memory, pointer, err);
    memory->begin = (uintptr_t)pointer;
    memory->bytes = 1;
    return ORIEL_OK;
}

oriel_status
oriel_cuda_find_memory(oriel_cuda_pointers *p, oriel_cuda_memory *memory,
                       const void *pointer, const char *field, oriel_error *err)
{
    uint32_t n = p->n < ORIEL_CUDA_KNOWN_MOST ? p->n : ORIEL_CUDA_KNOWN_MOST;
    oriel_status status;

    for (uint32_t i = 0; i < n; i++)
        if (holds(&p->known[i], pointer, 1)) {
            *memory = p->known[i];
            return ORIEL_OK;
        }
    status = ask(memory, pointer, field, err);
    /* A pageable one takes no other's place. */
    if (!status && (memory->type != cudaMemoryTypeUnregistered ||
                    n < ORIEL_CUDA_KNOWN_MOST))
        p->known[p->n++ % ORIEL_CUDA_KNOWN_MOST] = *memory;
    return status;
}

bool
oriel_cuda_is_pinned(const oriel_cuda_memory *memory, const void *pointer,
                     size_t bytes)
{
    return memory->type == cudaMemoryTypeHost && holds(memory, pointer, bytes);
}
