/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cudnn.h - the stand-in cuDNN: what tests set and read
 *
 * dlopen() finds it under the library's name.  It keeps real descriptors of one
 * graph, attention over sequences at ragged offsets, and refuses what else they say:
 * attributes that it does not know or that are missing, other types, shapes, strides
 * and alignments, engines that a device has not, kernels that an engine has not.
 * A plan runs when the stream gets there: lengths and offsets are read then, from
 * simulated device memory, and a workspace is written first and must be unchanged
 * when it ends.
 *
 * Of each row it computes scores, softmax and sums in double precision, key tile by
 * key tile with a running maximum; weights are rounded to bf16 for the product with
 * v, as in kernels that multiply on tensor cores, and the sum of weights is not.
 * Engines differ in the width of a tile, so in bytes.  What a plan runs is loaded
 * when it first runs.
 */
#ifndef SIM_CUDNN_H
#define SIM_CUDNN_H

#include "cuda/cudnn_api.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is installed: 91900 is 9.19.0, 0 nothing. */
void sim_cudnn_install(int version);
/* A library that lacks this function; NULL: it is whole. */
void sim_cudnn_without(const char *symbol);
/* One that lacks this engine; negative: none is lacking. */
void sim_cudnn_without_engine(int64_t engine);
/* Plans ask for so many bytes of workspace more. */
void sim_cudnn_wants_more(int64_t bytes);
/* The nth call of the library from now fails, without doing its work; 0: none
   does. */
void sim_cudnn_fail_call(uint64_t nth, oriel_cudnn_status status);
uint64_t sim_cudnn_calls(void); /* since then */
/* As in a process where no plan has run: the first run of one is refused in a
   capture. */
void sim_cudnn_unload(void);
/* How many plans were built, how many runs were enqueued or captured, and how many
   handles and descriptors there are. */
uint64_t sim_cudnn_plans(void);
uint64_t sim_cudnn_runs(void);
size_t sim_cudnn_alive(void);

#ifdef __cplusplus
}
#endif
#endif /* SIM_CUDNN_H */
