/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cuda_driver.h - streams and pinned memory, from NVIDIA's driver
 *
 * The tool does not link the CUDA runtime, as it runs on machines without a GPU.
 * It loads the driver's library when it first uses a GPU.  All lies in primary
 * contexts, which are the encoder's too.  The functions leave the thread's current
 * context as it was.
 */
#ifndef ORIEL_CLI_CUDA_DRIVER_H
#define ORIEL_CLI_CUDA_DRIVER_H

#include "oriel.h"

/*
 * Load the driver's library: once in a process, and it stays.  *n_devices is how
 * many GPUs there are.  Threads: one.  ORIEL_ERR_DEVICE, _MEMORY
 */
oriel_status cli_cuda_open(int32_t *n_devices, oriel_error *err);

/* The rest is for a process that has opened it, and indices below n_devices.
   Threads: one. */

/* A stream that does not wait for the default stream.  ORIEL_ERR_DEVICE, _MEMORY */
oriel_status cli_cuda_create_stream(struct CUstream_st **out,
                                    int32_t device_index, oriel_error *err);
/* Wait until its work is done.  ORIEL_ERR_FAULT */
oriel_status cli_cuda_wait(struct CUstream_st *stream, int32_t device_index,
                           oriel_error *err);
/* Its work must be done; NULL is fine. */
void cli_cuda_destroy_stream(struct CUstream_st *stream, int32_t device_index);

/* Host memory that every GPU reads and writes in its own time.
   ORIEL_ERR_DEVICE, _MEMORY */
oriel_status cli_cuda_alloc_pinned(void **out, size_t bytes,
                                   int32_t device_index, oriel_error *err);
void cli_cuda_free_pinned(void *memory, int32_t device_index);

#endif /* ORIEL_CLI_CUDA_DRIVER_H */
