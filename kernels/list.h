/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list.h - the files of kernels, once for all who need them
 *
 * The host's table of what to load (host/cuda/prepare.c), kernels.cmake,
 * resources.py and the tests read this list.  A file NAME.cu has one
 * oriel_cuda_NAME_prepare, for all its kernels.
 */
#ifndef ORIEL_KERNELS_LIST_H
#define ORIEL_KERNELS_LIST_H

#define ORIEL_KERNELS(X) \
    X(rms_norm) \
    X(expand_plan) \
    X(resample) \
    X(patch_embed) \
    X(linear) \
    X(linear_swiglu) \
    X(swiglu) \
    X(linear_gelu) \
    X(linear_rows) \
    X(rope) \
    X(store_rows) \
    X(store_bytes)

/* These have an instance for each size of head. */
#define ORIEL_HEAD_DIM_KERNELS(X) \
    X(window_attention) \
    X(full_attention)

#endif /* ORIEL_KERNELS_LIST_H */
