/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device_case.h - what the tests of kernels share
 *
 * A test is written against the CUDA runtime alone and links either with the
 * simulated GPU or with a real one.  It runs its kernel under every schedule
 * there is (on hardware there is one) and asks for the same bytes each time.
 */
#ifndef TESTS_SUPPORT_DEVICE_CASE_H
#define TESTS_SUPPORT_DEVICE_CASE_H

#include "support/bf16.h"

#include <cuda_runtime.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- Schedules: device_sim.cpp, device_cuda.c --------------------------- */

/* Orders of threads, moments of landing, poison, tensor cores. */
int device_schedules(void);
/* Use schedule i, 0 <= i < device_schedules(), from now on. */
void device_set_schedule(int i);
/* How many of them, from the first on, something is worth that took as long as
   what ran since device_set_schedule(): all, if it is small. */
int device_schedules_worth(void);
/* "reverse order, copies land at issue" */
const char *device_schedule_name(int i);
/* Wait for the device; "" or what went wrong, a static string. */
const char *device_finish(void);

/* Tensor cores that group and truncate (tensor_core.hpp), where there is a
   choice: on hardware there is none. */
void device_set_adversarial(bool on);
/* Bytes that a buffer of these tests has after its end: none where memory is
   watched to the byte, so that reading there is seen too. */
size_t device_guard_bytes(void);
enum { DEVICE_GUARD = 0xC3 }; /* each of them, beforehand */
/* Run these blocks alone of launches from now on; n = 0: all.  Hardware is fast
   enough to run all of them always. */
void device_only_blocks(const uint32_t *blocks, size_t n);

/* Before any test: end the program as skipped on hardware of another compute
   capability.  The simulated GPU is what a test makes it. */
void device_skip_unless(int major, int minor);

/* ---- Buffers ------------------------------------------------------------- */

/* Device memory with guards after it; fails the test when there is none. */
typedef struct device_buffer {
    void *data;
    size_t bytes;
} device_buffer;

device_buffer device_upload(const void *host, size_t bytes);
/* Poisoned, so that what a kernel does not write shows. */
device_buffer device_output(size_t bytes);
/* The bytes; fails the test when a guard was touched. */
void device_download(void *host, device_buffer buffer);
void device_release(device_buffer buffer);

/* Zeros, of which only what is touched costs memory, where that can be had;
   and parts of such a buffer. */
device_buffer device_sparse(size_t bytes);
void device_put(device_buffer buffer, size_t at, const void *host, size_t n);
void device_get(void *host, device_buffer buffer, size_t at, size_t n);
/* Fails the test when what lies after the buffer was touched. */
void device_check_guard(device_buffer buffer);

/* device_sim.cpp, device_cuda.c: cudaMalloc of zeros, sparse or not. */
cudaError_t device_malloc_zeros(void **memory, size_t bytes);

/* ---- Running ------------------------------------------------------------- */

/* Enqueue the kernel; its output has just been poisoned. */
typedef cudaError_t device_run(void *context, void *out);

/*
 * Run under every schedule, or what is large under the first few, into 'bytes' of
 * fresh output and compare all of them; 'initial' (may be NULL) is what the output
 * holds beforehand.  The bytes of the first go to 'out'.
 */
void device_check_schedules(device_run *run, void *context, void *out,
                            size_t bytes, const void *initial);

#endif /* TESTS_SUPPORT_DEVICE_CASE_H */
