/* SPDX-License-Identifier: Apache-2.0 */
/* control.h - the simulated GPU's controls, for tests in C */
#ifndef SIM_CONTROL_H
#define SIM_CONTROL_H

#include <cuda_runtime.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The nth call of the runtime from now fails, without doing its work; 0: none
   does. */
void sim_fail_call(uint64_t nth, cudaError_t error);
/* Calls since then. */
uint64_t sim_calls(void);
/* The nth operation that runs from now on faults: every later call returns
   'error'; 0: none does. */
void sim_fault_operation(uint64_t nth, cudaError_t error);
/* What faulted is forgotten, as by a new process. */
void sim_recover(void);
/* Which stream goes next is drawn from this. */
void sim_interleave(uint64_t seed);
/* How many devices there are, and of which CUDA the driver is. */
void sim_devices(int count, int driver);
/* Whether a context was made on a device since they were forgotten. */
int sim_has_context(int device);
void sim_forget_contexts(void);
/* What a device is, 80 for 8.0, with the limits of its kind. */
void sim_architecture(int device, int architecture);
/* How many multiprocessors every device has; 0: as many as its kind. */
void sim_multiprocessors(int n);
/* Break the simulated GPU in one place: plants.hpp has the names; NULL: mend it.
   0 for a name that it does not know. */
int sim_plant(const char *fault);
/* The nth kernel that is prepared from now on has another image than the one
   that its device takes; 0: none has. */
void sim_image(uint64_t nth, int binary, int ptx);
size_t sim_device_bytes(void);
/* Run so many operations of a stream, and none after them until it is released. */
void sim_hold(cudaStream_t stream, int operations);
void sim_release(cudaStream_t stream);
/* Since the program began: waits for what was not there yet, allocations of
   device and pinned memory; graphs that were made, uploaded, launched. */
uint64_t sim_waits(void);
uint64_t sim_allocations(void);
uint64_t sim_pointer_queries(void); /* by cudaPointerGetAttributes */
uint64_t sim_graphs_made(void);
uint64_t sim_graph_uploads(void);
uint64_t sim_graph_launches(void);
uint64_t sim_tensor_maps(void); /* that were encoded */
/*
 * Write a line for each piece of work when it is enqueued, and for each wait when
 * it begins; NULL: no more.
 *   upload|download|move device D stream S bytes N pinned|pageable
 *   kernel|graph|wait device D stream S
 * A wait for an event is one for the stream on which it was recorded.
 */
void sim_log(FILE *file);

#endif /* SIM_CONTROL_H */
