/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch.cuh - starting a kernel, without <<<>>>
 *
 * Grids and blocks are one-dimensional, so no limit of 65,535 is ever met.
 * sim/include/launch.cuh is its twin.
 */
#pragma once

#include "ops.h"

#include <cuda_runtime.h>
#include <stdint.h>

/* How a kernel is run on a device of 9.0. */
struct launch_shape {
    uint32_t cluster = 1; /* so many blocks in sequence are resident together */
    bool overlaps = false; /* it begins when the one before lets it, and waits
                              for its end by grid_wait() */
};

/* cudaSuccess, or why nothing was enqueued.  'blocks' 0 enqueues nothing. */
template <class... Parameters>
static cudaError_t
launch_as(const launch_shape &shape, void (*kernel)(Parameters...),
          int64_t blocks, uint32_t threads, size_t shared_bytes,
          cudaStream_t stream, Parameters... arguments)
{
    cudaLaunchConfig_t config = {};
    cudaLaunchAttribute attributes[2] = {};
    void *pointers[] = {&arguments...};

    if (blocks == 0)
        return cudaSuccess;
    if (blocks < 0 || blocks > 0x7fffffff)
        return cudaErrorInvalidConfiguration;
    config.gridDim = dim3((unsigned)blocks);
    config.blockDim = dim3(threads);
    config.dynamicSmemBytes = shared_bytes;
    config.stream = stream;
    config.attrs = attributes;
    if (shape.cluster > 1) {
        cudaLaunchAttribute &clusters = attributes[config.numAttrs++];
        clusters.id = cudaLaunchAttributeClusterDimension;
        clusters.val.clusterDim.x = shape.cluster;
        clusters.val.clusterDim.y = clusters.val.clusterDim.z = 1;
    }
    if (shape.overlaps) {
        cudaLaunchAttribute &overlap = attributes[config.numAttrs++];
        overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
        overlap.val.programmaticStreamSerializationAllowed = 1;
    }
    return cudaLaunchKernelExC(&config, (const void *)kernel, pointers);
}

/* The same, as on any device. */
template <class... Parameters>
static cudaError_t
launch(void (*kernel)(Parameters...), int64_t blocks, uint32_t threads,
       size_t shared_bytes, cudaStream_t stream, Parameters... arguments)
{
    return launch_as({}, kernel, blocks, threads, shared_bytes, stream,
                     arguments...);
}

static inline cudaError_t
note_loaded(oriel_cuda_loaded *loaded, const char *name, const void *kernel,
            size_t shared_bytes, const cudaFuncAttributes &attributes)
{
    int blocks = 0;
    cudaError_t error = cudaSuccess;

    if (!loaded || loaded->n == ORIEL_CUDA_KERNELS_MOST)
        return cudaSuccess;
    if (loaded->counts)
        error = cudaOccupancyMaxActiveBlocksPerMultiprocessor(
            &blocks, kernel, attributes.maxThreadsPerBlock, shared_bytes);
    loaded->kernel[loaded->n++] = {loaded->op, name ? name : loaded->op, blocks,
                                   attributes.binaryVersion,
                                   attributes.ptxVersion};
    return error;
}

/*
 * Once a device, before the first launch: the shared memory a kernel may ask for;
 * it also loads the kernel, which must not happen inside a capture.  All kernels
 * prefer the same split of L1 and shared memory, the most for the latter: between
 * kernels of two splits a multiprocessor drains.  'name' is the kernel's where that
 * is not its file's.
 */
template <class... Parameters>
static cudaError_t
prepare(oriel_cuda_loaded *loaded, void (*kernel)(Parameters...),
        size_t shared_bytes, const char *name = nullptr)
{
    cudaFuncAttributes attributes;
    cudaError_t error =
        cudaFuncGetAttributes(&attributes, (const void *)kernel);

    if (error == cudaSuccess)
        error = cudaFuncSetAttribute(
            (const void *)kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
            (int)shared_bytes);
    if (error == cudaSuccess)
        error =
            cudaFuncSetAttribute((const void *)kernel,
                                 cudaFuncAttributePreferredSharedMemoryCarveout,
                                 cudaSharedmemCarveoutMaxShared);
    return error != cudaSuccess
               ? error
               : note_loaded(loaded, name, (const void *)kernel, shared_bytes,
                             attributes);
}
