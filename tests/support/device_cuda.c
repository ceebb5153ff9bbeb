/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device_cuda.c - the schedules of a GPU: its own, twice
 *
 * Which order threads take is the hardware's affair; that the bytes are the same
 * when it chooses anew is what two runs can show.  Without a GPU a program says
 * so and exits as skipped, before any test.
 */
#include "support/device_case.h"

#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const names[] = {"on the GPU", "on the GPU, again"};

/* A CUDA context does not survive fork(), so tests share the process. */
__attribute__((constructor)) static void
find_device(void)
{
    int count = 0;
    cudaError_t error = cudaGetDeviceCount(&count);

    if (error != cudaSuccess || count == 0) {
        printf("skipped: no CUDA device (%s)\n", cudaGetErrorString(error));
        fflush(stdout);
        _Exit(TEST_SKIP);
    }
    setenv("CK_FORK", "no", 1);
}

void
device_skip_unless(int major, int minor)
{
    struct cudaDeviceProp p = {0};

    ck_assert_int_eq(cudaGetDeviceProperties(&p, 0), cudaSuccess);
    if (p.major == major && p.minor == minor)
        return;
    printf("skipped: compute capability %d.%d, expected %d.%d\n", p.major,
           p.minor, major, minor);
    fflush(stdout);
    _Exit(TEST_SKIP);
}

int
device_schedules(void)
{
    return (int)COUNT(names);
}

int
device_schedules_worth(void)
{
    return device_schedules();
}

void
device_set_schedule(int i)
{
    (void)i;
}

const char *
device_schedule_name(int i)
{
    return names[i];
}

void
device_set_adversarial(bool on)
{
    (void)on;
}

size_t
device_guard_bytes(void)
{
    return 256;
}

void
device_only_blocks(const uint32_t *blocks, size_t n)
{
    (void)blocks;
    (void)n;
}

cudaError_t
device_malloc_zeros(void **memory, size_t bytes)
{
    cudaError_t error = cudaMalloc(memory, bytes);

    if (error == cudaErrorMemoryAllocation) {
        printf("skipped: this GPU does not hold %zu bytes more\n", bytes);
        fflush(stdout);
        _Exit(TEST_SKIP);
    }
    return error == cudaSuccess ? cudaMemset(*memory, 0, bytes) : error;
}

const char *
device_finish(void)
{
    cudaError_t error = cudaDeviceSynchronize();

    return error == cudaSuccess ? "" : cudaGetErrorString(error);
}
