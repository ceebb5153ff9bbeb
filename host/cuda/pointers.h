/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pointers.h - what memory the caller's pointers are of
 *
 * CUDA is asked once a call for each allocation or registration: what it says of
 * one holds for every pointer in it until the call ends, when its owner may free
 * it.  Pageable memory has no bounds that CUDA knows, so each pointer of it is
 * asked for: once, if there is room to remember it.
 */
#ifndef ORIEL_CUDA_POINTERS_H
#define ORIEL_CUDA_POINTERS_H

#include "oriel.h"

#include <cuda_runtime.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct oriel_cuda_memory {
    enum cudaMemoryType type;
    int device;      /* of device memory */
    uintptr_t begin; /* of the allocation or registration */
    size_t bytes;    /* of it; of pageable memory the one at the pointer */
} oriel_cuda_memory;

enum { ORIEL_CUDA_KNOWN_MOST = 16 };

typedef struct oriel_cuda_pointers {
    oriel_cuda_memory known[ORIEL_CUDA_KNOWN_MOST]; /* the oldest give way */
    uint32_t n;                                     /* that were ever known */
} oriel_cuda_pointers;

/* A call begins: nothing is known. */
void oriel_cuda_forget_pointers(oriel_cuda_pointers *pointers);

/* On the current device.  ORIEL_ERR_ARGUMENT for memory of another CUDA context,
   with the name of the caller's field. */
oriel_status oriel_cuda_find_memory(oriel_cuda_pointers *pointers,
                                    oriel_cuda_memory *memory,
                                    const void *pointer, const char *field,
                                    oriel_error *err);

/* What the device may read or write in its own time: 'bytes' from 'pointer' on
   are of one pinned registration. */
bool oriel_cuda_is_pinned(const oriel_cuda_memory *memory, const void *pointer,
                          size_t bytes);

#endif /* ORIEL_CUDA_POINTERS_H */
