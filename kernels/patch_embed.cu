/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_embed.cu - pixels of patches to hidden states
 *
 *     out = normalise(pixels) weight^T     rounded once
 *
 * The normalised patches never exist in memory: they are made in shared memory,
 * tile by tile, from 8-bit pixels by a table, or from pixel_values: of 8 bits by
 * the same table, others by rounding to bf16.  Both ways put the same values in
 * the same order, so the same pixels give the same bytes.
 *
 * Depth    (y, slice, line): a line is the 3 patch_size bytes RGBRGB... of one
 *          row of pixels, padded to a multiple of 16 with columns whose weights
 *          are zero.  14 x 2 x 48 = 1,344 when published.
 *
 * Shapes   ops.h; rows are in window order, pixel_values in image order.  With a
 *          plane lo the result is out + lo, as linear.cu has a wide residual.
 *
 * Launch, order and bound: gemm.cuh; rows come by plain loads and stores instead
 *          of asynchronous copies.  What a stage is made of is loaded into
 *          registers before the products of the stage two earlier, and made into
 *          bf16 after them.
 *
 * Banks    no conflicts: eight lanes store a swizzled row.
 *
 * Sectors  loads, at patch_size 14, in all: from pixels 25,760 where 11,424 would
 *          do, a table's among them; from pixel_values 7.8 of the least in fp32
 *          and 14.9 in 16 bits, since neighbours of the depth are planes apart
 *          there and meet in L1 only.  The rest as gemm.cuh says.
 *
 * Budget   clocks a step, tensor / shared / issue (resources.txt):
 *          512 / 396 / 1010 on sm_80, 413 / 396 / 1004 on sm_90a.
 *
 * Error    |out - exact| <= 2^-8 |exact| + d, d of gemm.cuh, pixels rounded to
 *          bf16 being exact; |out + lo - exact| <= 2^-17 |exact| + 2^-133 + d.
 *
 * Roundings: docs/numerics.md.
 * In plain C: tests/oracle/patch_embed.c, host/pixels/normalise.c.
 */
#include "ops.h"

#include "epilogue.cuh"
#include "gemm.cuh"

#include <launch.cuh>

namespace
{

/* Where eight neighbouring values of the depth lie in a patch. */
struct Place {
    int y, slice, x; /* x: within the line, a multiple of 8 */
};

struct Geometry {
    int32_t patch_size, slices, line;

    __device__ __forceinline__ Place place(int32_t k) const
    {
        return {k / (slices * line), k / line % slices, k % line};
    }
};

/*
 * The chunks of a stage that a thread makes: rows thread / 4 + 32 i.  What a chunk
 * is made of is fetched before the products of an earlier stage and made into
 * bf16 after them.
 */
template <class Source> struct MadeRows {
    static constexpr int ROWS = gemm::ROWS / gemm::PART_ROWS;
    struct Begun {
        typename Source::Raw raw[ROWS];
    };
    const Source &source;
    const gemm::Operands &op;
    int64_t first_row;

    __device__ __forceinline__ int64_t row(int i) const
    {
        return first_row + (int)ptx::thread_index() / tile::ROW_CHUNKS +
               i * gemm::PART_ROWS;
    }

    static __device__ __forceinline__ int chunk()
    {
        return (int)ptx::thread_index() % tile::ROW_CHUNKS;
    }

    __device__ __forceinline__ bool inside(int i, int32_t column) const
    {
        return row(i) < op.rows && column < op.depth;
    }

    __device__ __forceinline__ Begun begin(uint32_t, int32_t k) const
    {
        const int32_t column = k + chunk() * tile::CHUNK_VALUES;
        Begun begun;
#pragma unroll
        for (int i = 0; i < ROWS; i++)
            if (inside(i, column))
                begun.raw[i] = source.fetch(row(i), column);
        return begun;
    }

    __device__ __forceinline__ void end(char *memory, const Begun &begun,
                                        int32_t k) const
    {
        const int32_t column = k + chunk() * tile::CHUNK_VALUES;
#pragma unroll
        for (int i = 0; i < ROWS; i++)
            *(uint4 *)(memory +
                       tile::chunk_offset((int)(row(i) - first_row), chunk())) =
                inside(i, column) ? source.make(begun.raw[i], column)
                                  : uint4{0, 0, 0, 0};
    }
};

struct Pixels {
    Geometry geometry;
    const uint8_t *pixels, *is_still;
    const uint16_t *table;

    __device__ __forceinline__ uint32_t pair(uint32_t word, int byte,
                                             int x) const
    {
        const uint32_t low = word >> (8 * byte) & 255u;
        const uint32_t high = word >> (8 * byte + 8) & 255u;
        return table[(x + byte) % 3 * 256 + (int)low] |
               (uint32_t)table[(x + byte + 1) % 3 * 256 + (int)high] << 16;
    }

    using Raw = uint2; /* eight bytes */

    __device__ __forceinline__ Raw fetch(int64_t row, int32_t k) const
    {
        const Place at = geometry.place(k);
        const int slice = is_still[row] ? 0 : at.slice;

        return *(const uint2 *)(pixels +
                                ((row * geometry.slices + slice) *
                                     geometry.patch_size +
                                 at.y) *
                                    geometry.line +
                                at.x);
    }

    __device__ __forceinline__ uint4 make(const Raw &bytes, int32_t k) const
    {
        const int x = geometry.place(k).x;

        return {pair(bytes.x, 0, x), pair(bytes.x, 2, x),
                pair(bytes.y, 0, x + 4), pair(bytes.y, 2, x + 4)};
    }

    __device__ __forceinline__ MadeRows<Pixels> rows(const gemm::Operands &op,
                                                     int64_t first_row) const
    {
        return {*this, op, first_row};
    }
};

struct Values {
    Geometry geometry;
    const void *values;
    const uint16_t *table;
    const int32_t *tokens;
    int32_t merge2, dtype;

    struct Raw {
        uint32_t bits[8]; /* of a value, as it lies in memory */
    };

    __device__ __forceinline__ Raw fetch(int64_t row, int32_t k) const
    {
        const Place at = geometry.place(k);
        const int64_t from =
            (int64_t)tokens[row / merge2] * merge2 + row % merge2;
        const int size = geometry.patch_size;
        Raw raw;
#pragma unroll
        for (int e = 0; e < 8; e++) {
            const int pixel = (at.x + e) / 3, channel = (at.x + e) % 3;
            const int64_t i =
                (((from * 3 + channel) * geometry.slices + at.slice) * size +
                 at.y) *
                    size +
                pixel;

            raw.bits[e] =
                pixel >= size             ? 0 /* the line's padding */
                : dtype == ORIEL_CUDA_F32 ? ((const uint32_t *)values)[i]
                : dtype == ORIEL_CUDA_U8  ? ((const uint8_t *)values)[i]
                                          : ((const uint16_t *)values)[i];
        }
        return raw;
    }

    __device__ __forceinline__ float value(uint32_t bits, int x) const
    {
        if (x / 3 >= geometry.patch_size)
            return 0.0f; /* of 8 bits a 0 means another number */
        if (dtype == ORIEL_CUDA_F32)
            return ptx::bits_to_float(bits);
        if (dtype == ORIEL_CUDA_U8)
            return ptx::bits_to_float((uint32_t)table[x % 3 * 256 + (int)bits]
                                      << 16);
        return dtype == ORIEL_CUDA_BF16 ? ptx::bits_to_float(bits << 16)
                                        : ptx::f16_to_float(bits);
    }

    __device__ __forceinline__ uint4 make(const Raw &raw, int32_t k) const
    {
        const int x = geometry.place(k).x;
        uint32_t pairs[4];
#pragma unroll
        for (int i = 0; i < 4; i++)
            pairs[i] =
                ptx::pack_bf16(value(raw.bits[2 * i], x + 2 * i),
                               value(raw.bits[2 * i + 1], x + 2 * i + 1));
        return {pairs[0], pairs[1], pairs[2], pairs[3]};
    }

    __device__ __forceinline__ MadeRows<Values> rows(const gemm::Operands &op,
                                                     int64_t first_row) const
    {
        return {*this, op, first_row};
    }
};

template <bool WIDE> struct Store : epilogue::Plain {
    uint16_t *out, *lo; /* lo: where it is wide */
    int32_t pitch;

    struct Columns {
    };

    __device__ __forceinline__ Columns columns(int32_t, bool) const
    {
        return {};
    }

    __device__ __forceinline__ void put(int64_t at, float low, float high) const
    {
        if constexpr (WIDE) {
            const epilogue::HiLo pair = epilogue::split(low, high);
            *(uint32_t *)(out + at) = pair.hi;
            *(uint32_t *)(lo + at) = pair.lo;
        } else {
            *(uint32_t *)(out + at) = ptx::pack_bf16(low, high);
        }
    }

    __device__ __forceinline__ void store(int64_t row, int32_t column, Columns,
                                          Fetched, const float (&v)[4],
                                          bool both) const
    {
        const int64_t at = row * pitch + column;
        put(at, v[0], v[1]);
        if (both)
            put(at + 8, v[2], v[3]);
    }
};

template <class Loader, bool WIDE>
__global__ void __launch_bounds__(gemm::THREADS, 2)
    patch_embed(gemm::Operands op, Loader loader, Store<WIDE> store)
{
    gemm::run(op, loader, store);
}

template <class Loader, bool WIDE>
cudaError_t
embed(const gemm::Operands &op, const Loader &loader,
      const oriel_patch_embed_args *args, cudaStream_t stream)
{
    return launch(patch_embed<Loader, WIDE>,
                  gemm::tile_count(op.rows, op.columns), gemm::THREADS,
                  gemm::SHARED_BYTES, stream, op, loader,
                  Store<WIDE>{{}, args->out, args->lo, args->hidden});
}

template <class Loader>
cudaError_t
embed(const gemm::Operands &op, const Loader &loader,
      const oriel_patch_embed_args *args, cudaStream_t stream)
{
    return args->lo ? embed<Loader, true>(op, loader, args, stream)
                    : embed<Loader, false>(op, loader, args, stream);
}

template <class Loader>
cudaError_t
prepare_both(oriel_cuda_loaded *loaded, const char *plain, const char *wide)
{
    cudaError_t error =
        prepare(loaded, patch_embed<Loader, false>, gemm::SHARED_BYTES, plain);

    return error != cudaSuccess ? error
                                : prepare(loaded, patch_embed<Loader, true>,
                                          gemm::SHARED_BYTES, wide);
}

uintptr_t
dtype_bytes(int32_t dtype)
{
    return dtype == ORIEL_CUDA_F32 ? 4 : dtype == ORIEL_CUDA_U8 ? 1 : 2;
}

bool
within_limits(const oriel_patch_embed_args *args)
{
    return args->patch_size > 0 && args->patch_size <= 32 &&
           (args->slices == 1 || args->slices == 2) &&
           !args->pixels != !args->pixel_values &&
           (uintptr_t)args->pixels % 8 == 0 &&
           (uintptr_t)args->table % 2 == 0 &&
           (uintptr_t)args->tokens % 4 == 0 && (uintptr_t)args->lo % 16 == 0 &&
           (args->pixels ||
            (args->merge2 > 0 && args->dtype >= ORIEL_CUDA_F32 &&
             args->dtype <= ORIEL_CUDA_U8 &&
             (args->dtype != ORIEL_CUDA_U8 || args->table) &&
             (uintptr_t)args->pixel_values % dtype_bytes(args->dtype) == 0));
}

} // namespace

extern "C" cudaError_t
oriel_cuda_patch_embed_prepare(oriel_cuda_loaded *loaded)
{
    cudaError_t error = prepare_both<Pixels>(
        loaded, "patch_embed<Pixels,false>", "patch_embed<Pixels,true>");

    return error != cudaSuccess
               ? error
               : prepare_both<Values>(loaded, "patch_embed<Values,false>",
                                      "patch_embed<Values,true>");
}

extern "C" cudaError_t
oriel_cuda_patch_embed(const oriel_patch_embed_args *args, cudaStream_t stream)
{
    const Geometry geometry = {args->patch_size, args->slices,
                               oriel_cuda_patch_line(args->patch_size)};
    const gemm::Operands op = {
        nullptr, args->weight, args->rows, args->hidden,
        oriel_cuda_patch_depth(args->patch_size, args->slices)};

    if (!within_limits(args) || !gemm::within_limits(op, args->out, nullptr))
        return cudaErrorInvalidValue;
    if (args->pixels)
        return embed(
            op, Pixels{geometry, args->pixels, args->is_still, args->table},
            args, stream);
    return embed(op,
                 Values{geometry, args->pixel_values, args->table, args->tokens,
                        args->merge2, args->dtype},
                 args, stream);
}
