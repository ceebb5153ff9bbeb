/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cublaslt.h - the stand-in cuBLASLt: what tests set and read
 *
 * dlopen() finds it under the library's name.  It keeps real descriptors, reads
 * them at the call, refuses what the library's documentation refuses, and does
 * its work when the stream gets there: on simulated device memory, with a
 * workspace that it writes first and must find unchanged when it ends.
 *
 * Its algorithms differ in the order of their sums, and the heuristic's order
 * depends on all three sizes, as the library's does: who chooses by the rows at
 * hand gets other bytes.  The first it offers for many rows does not run for
 * few, one cannot run at all, and one leaves its cluster's shape open.  Their
 * kernels are loaded when they first run.
 */
#ifndef SIM_CUBLASLT_H
#define SIM_CUBLASLT_H

#include "cuda/cublaslt_api.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is installed: 130100 is 13.1.0, 0 nothing. */
void sim_lt_install(int version);
/* A library that lacks this function; NULL: it is whole. */
void sim_lt_without(const char *symbol);
/* The nth call of the library from now fails, without doing its work; 0: none
   does. */
void sim_lt_fail_call(uint64_t nth, oriel_lt_status status);
uint64_t sim_lt_calls(void); /* since then */
/* Every algorithm fails its check, at whatever size. */
void sim_lt_no_algorithm(int on);
/* As in a process where no algorithm has run: the first use of one loads it,
   and is refused in a capture. */
void sim_lt_unload(void);
/* How often the heuristic was asked, and how many handles and descriptors there
   are. */
uint64_t sim_lt_heuristics(void);
size_t sim_lt_alive(void);

#ifdef __cplusplus
}
#endif
#endif /* SIM_CUBLASLT_H */
