/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_bytes.cu - a few bytes that travel as arguments of the launch
 *
 * A graph keeps the arguments of its kernels, so what a capture needs on the
 * device can be given to it without memory that must outlive the graph.
 *
 * Shapes   out [bytes], 16-byte aligned; bytes on the host, read at the launch
 *
 * Limits   n <= ORIEL_CUDA_STORE_BYTES, n % 16 == 0: with the rest of the
 *          arguments below the 4,096 bytes that every launch may have
 *
 * Launch   one block, 16 bytes a thread
 *
 * Sectors  the least.
 *
 * Budget   memory binds: there is no product.
 *
 * Error    none
 */
#include "ops.h"

#include <launch.cuh>
#include <ptx.cuh>

namespace
{

constexpr int CHUNKS = ORIEL_CUDA_STORE_BYTES / 16;
constexpr int THREADS = (CHUNKS + 31) / 32 * 32;

struct Carried {
    uint4 *out;
    int32_t chunks;
    uint4 values[CHUNKS];
};

__global__ void __launch_bounds__(THREADS, 1)
    store_bytes(const __grid_constant__ Carried carried)
{
    const int i = (int)ptx::thread_index();

    if (i < carried.chunks)
        carried.out[i] = carried.values[i];
}

} // namespace

extern "C" cudaError_t
oriel_cuda_store_bytes_prepare(oriel_cuda_loaded *loaded)
{
    return prepare(loaded, store_bytes, 0);
}

extern "C" cudaError_t
oriel_cuda_store_bytes(const oriel_store_bytes_args *args, cudaStream_t stream)
{
    Carried carried = {};
    const char *from = (const char *)args->bytes;

    if (args->n > ORIEL_CUDA_STORE_BYTES || args->n % 16 ||
        (uintptr_t)args->out % 16)
        return cudaErrorInvalidValue;
    carried.out = (uint4 *)args->out;
    carried.chunks = (int32_t)(args->n / 16);
    for (size_t i = 0; i < args->n; i++)
        ((char *)carried.values)[i] = from[i];
    return launch(store_bytes, args->n ? 1 : 0, THREADS, 0, stream, carried);
}
