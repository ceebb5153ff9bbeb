/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hopper.h - the kernels of sm_90a alone: their operands' maps, and their launches
 *
 * Tensor copies read matrices by maps, which the driver encodes.  Those of weights
 * are made with the encoder, for both sizes of tiles; those of a call's operands when
 * a launch first reads them, and are kept.  The faster of the two sizes is taken by how
 * many rows a launch is made for: in blocks those of a size class (parts.h).  No byte
 * depends on it.
 */
#ifndef ORIEL_CUDA_HOPPER_H
#define ORIEL_CUDA_HOPPER_H

#include "cuda/weights.h"

#include "hopper_ops.h"

/* The maps of operands that were read last; an encoder has some fifteen, each in as
   many numbers of rows as there are size classes of its batches. */
enum { ORIEL_HOPPER_MAPS_KEPT = 64 };
typedef struct oriel_cuda_hopper_maps oriel_cuda_hopper_maps;

typedef struct oriel_cuda_hopper {
    const oriel_hooks *hooks;
    const oriel_backend_weights *weights;
    oriel_hopper_encode encode; /* NULL: nothing is run by them */
    int32_t blocks;             /* of a grid: the device's multiprocessors */
    bool overlaps; /* whether kernels may: as built, all of a run wait */
    void *memory;
    CUtensorMap (*maps)[ORIEL_N_LINEAR_LAYERS][2]; /* as weights->layers; large
                                                      tiles, small ones */
    oriel_cuda_hopper_maps *kept; /* NULL: none; of one call at a time */
} oriel_cuda_hopper;

static inline bool
oriel_cuda_hopper_is_on(const oriel_cuda_hopper *hopper)
{
    return hopper->encode != NULL;
}

/* Whether attention over frames is theirs, too. */
static inline bool
oriel_cuda_hopper_attends(int32_t head_dim)
{
    return head_dim == 80;
}

enum { ORIEL_HOPPER_CAPABILITY = 90 }; /* of the devices that have them */

/* As oriel_cuda_prepare(), on a current device of 9.0: each kernel, of every size
   of tiles. */
oriel_status oriel_cuda_hopper_load(oriel_cuda_loaded *loaded,
                                    oriel_error *err);

/* On the current device, which is device_index: load the kernels, so that what has
   operands of its own can run them.  There is nothing to destroy.
   ORIEL_ERR_UNSUPPORTED where the device is not of compute capability 9.0. */
oriel_status oriel_cuda_hopper_open(oriel_cuda_hopper *hopper,
                                    int32_t device_index, oriel_error *err);
/* The same, and encode the maps of an encoder's weights.  'hooks' and 'weights'
   outlive it.  ORIEL_ERR_UNSUPPORTED as above, _DEVICE where the driver refuses a
   map, _MEMORY. */
oriel_status oriel_cuda_hopper_create(oriel_cuda_hopper *hopper,
                                      const oriel_backend_weights *weights,
                                      const oriel_hooks *hooks,
                                      int32_t device_index, oriel_error *err);
/* Also when half made, or never made but zeroed. */
void oriel_cuda_hopper_destroy(oriel_cuda_hopper *hopper);

/* QKV, PROJ, DOWN or FC1 with what follows it. */
oriel_status oriel_cuda_hopper_run(const oriel_cuda_hopper *hopper,
                                   oriel_layer layer, int32_t block,
                                   const oriel_linear_args *args,
                                   cudaStream_t stream, oriel_error *err);
oriel_status oriel_cuda_hopper_run_swiglu(const oriel_cuda_hopper *hopper,
                                          int32_t block,
                                          const oriel_linear_swiglu_args *args,
                                          cudaStream_t stream,
                                          oriel_error *err);
oriel_status oriel_cuda_hopper_run_rows(const oriel_cuda_hopper *hopper,
                                        const oriel_linear_rows_args *args,
                                        cudaStream_t stream, oriel_error *err);
/* Over frames, of 'rows' patches in all and heads of 80. */
oriel_status oriel_cuda_hopper_attend(const oriel_cuda_hopper *hopper,
                                      const oriel_full_attention_args *args,
                                      int64_t rows, cudaStream_t stream,
                                      oriel_error *err);

#endif /* ORIEL_CUDA_HOPPER_H */
