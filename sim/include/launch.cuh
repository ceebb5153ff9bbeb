/* SPDX-License-Identifier: Apache-2.0 */
/* launch.cuh - the twin of kernels/launch.cuh: it enqueues on the stand-in */
#pragma once

#include "../runtime.hpp"

#include "ops.h"

#include <tuple>

using launch_shape = sim::Shape;

namespace sim
{

/* A kernel and what it is called with, as one thing that a launch can keep. */
template <class... Parameters> struct Call {
    void (*kernel)(Parameters...);
    std::tuple<Parameters...> arguments;

    static void make(const void *call)
    {
        const Call *self = static_cast<const Call *>(call);
        std::apply(self->kernel, self->arguments);
    }
};

} // namespace sim

template <class... Parameters>
static cudaError_t
launch_as(const launch_shape &shape, void (*kernel)(Parameters...),
          int64_t blocks, uint32_t threads, size_t shared_bytes,
          cudaStream_t stream, Parameters... arguments)
{
    using Call = sim::Call<Parameters...>;
    const Call call = {kernel, std::tuple<Parameters...>(arguments...)};

    if (blocks == 0)
        return cudaSuccess;
    if (blocks < 0 || blocks > 0x7fffffff)
        return cudaErrorInvalidConfiguration;
    return sim::enqueue_kernel((const void *)kernel, blocks, shape, threads,
                               shared_bytes, stream, Call::make, &call,
                               sizeof(call));
}

template <class... Parameters>
static cudaError_t
launch(void (*kernel)(Parameters...), int64_t blocks, uint32_t threads,
       size_t shared_bytes, cudaStream_t stream, Parameters... arguments)
{
    return launch_as({}, kernel, blocks, threads, shared_bytes, stream,
                     arguments...);
}

template <class... Parameters>
static cudaError_t
prepare(oriel_cuda_loaded *loaded, void (*kernel)(Parameters...),
        size_t shared_bytes, const char *name = nullptr)
{
    cudaFuncAttributes attributes = {};
    cudaError_t error =
        sim::prepare_kernel((const void *)kernel, loaded ? loaded->op : nullptr,
                            shared_bytes, &attributes);

    if (error == cudaSuccess && loaded && loaded->n < ORIEL_CUDA_KERNELS_MOST)
        loaded->kernel[loaded->n++] = {
            loaded->op, name ? name : loaded->op,
            loaded->counts
                ? sim::blocks_held(name ? name : loaded->op, shared_bytes)
                : 0,
            attributes.binaryVersion, attributes.ptxVersion};
    return error;
}
