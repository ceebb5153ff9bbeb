/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resample.cu - RGB8 frames to patches in window order, bit for bit as on the host
 *
 * Bicubic with antialiasing in two passes, each skipped when its axis keeps its
 * size.  Where both change, the first leaves 8-bit rows waiting; the last, or the
 * only one, or the mere copy, stores patches as patch_embed.cu reads them, so
 * that window order is decided here and nowhere else.
 *
 *     level = clamp((2^(shift-1) + sum_j weight[j] sample[first + j]) >> shift)
 *
 * Shapes   a list of jobs, one a source frame, of any sizes and pitches at once;
 *          pixels uint8 [rows, slices, patch_size, line], 16-byte aligned, the
 *          padding of each line zero; of each patch a job fills one slice.
 *
 * Limits   patch_size <= 32, slices <= 2, sides multiples of patch_size merge; a
 *          grid of 2^31 - 1 blocks.  Integer flavours only.
 *
 * Launch   a thread makes 4 pixels, 12 bytes, of one line.  First pass: a block
 *          of 256 threads makes 32 pixels x 32 rows, so that the lanes of a warp
 *          share weights.  Last: 256 neighbouring dozens of bytes of patches,
 *          which are contiguous from patch to patch of a token.
 *
 * Loads    four pixels by four words, whatever the source's alignment; only the
 *          ends of a line, whose words it shares with others, byte by byte.
 *
 * Sectors  at half the size: loads 4.9 of the least along the rows first, 3.7 down
 *          the columns first, most of them taps that L1 has; stores 3, as a
 *          thread's three words lie 12 bytes from the next one's.
 *
 * Bound    first: the source moves in, the waiting rows out; last: those in, the
 *          patches out.  Taps of neighbours come from the L1 cache.
 *
 * Budget   memory binds: there is no product.
 *
 * Error    none: integers, in unsigned arithmetic that wraps as the host's does.
 *
 * In plain C: host/pixels/passes.c.
 */
#include "ops.h"

#include <launch.cuh>
#include <ptx.cuh>

namespace
{

constexpr int THREADS = 256;
constexpr int PIXELS = 4; /* that a thread makes */
constexpr int BYTES = 3 * PIXELS;
constexpr int WORDS = BYTES / 4;
constexpr int TILE_ROWS = 32; /* of the first pass */
constexpr int TILE_THREADS = THREADS / TILE_ROWS;
constexpr int TILE_PIXELS = TILE_THREADS * PIXELS;

/* One line of pixels, and nothing outside of it. */
struct Line {
    const uint8_t *begin;
    int64_t bytes;

    /* Whether load_four may read 'fours' times from here on. */
    __device__ __forceinline__ bool holds_words(const uint8_t *from,
                                                int64_t fours) const
    {
        const int64_t at =
            (int64_t)((uintptr_t)from / 4 * 4 - (uintptr_t)begin);
        return at >= 0 && at + fours * BYTES + 4 <= bytes;
    }
};

/* Lines, from line 'first' on. */
struct Lines {
    const uint8_t *memory;
    int64_t pitch, bytes; /* of a line, and of it what may be read */
    int32_t first;

    __device__ __forceinline__ Line line(int64_t y) const
    {
        return {memory + (y - first) * pitch, bytes};
    }
};

__device__ __forceinline__ uint32_t
byte_of(const uint32_t (&words)[WORDS], int i)
{
    return words[i / 4] >> (8 * (i % 4)) & 255u;
}

__device__ __forceinline__ void
put_byte(uint32_t (&words)[WORDS], int i, uint32_t level)
{
    words[i / 4] |= level << (8 * (i % 4));
}

/* Four pixels from anywhere, out of the four aligned words round them. */
__device__ __forceinline__ void
load_four(uint32_t (&words)[WORDS], const uint8_t *from)
{
    const int skew = (int)((uintptr_t)from % 4);
    const uint32_t *aligned = (const uint32_t *)(from - skew);
    uint32_t low = aligned[0];

#pragma unroll
    for (int i = 0; i < WORDS; i++) {
        const uint32_t high = aligned[i + 1];
        words[i] = (uint32_t)(((uint64_t)high << 32 | low) >> (8 * skew));
        low = high;
    }
}

/* Pixels x and on, at most 4; what comes after them is anything. */
__device__ __forceinline__ void
load_pixels(uint32_t (&words)[WORDS], const Line &line, int64_t x, int pixels)
{
    const uint8_t *from = line.begin + 3 * x;

    if (line.holds_words(from, 1)) {
        load_four(words, from);
        return;
    }
    words[0] = words[1] = words[2] = 0;
#pragma unroll
    for (int i = 0; i < BYTES; i++)
        if (i < 3 * pixels)
            put_byte(words, i, from[i]);
}

__device__ __forceinline__ uint32_t
clip_shifted(uint32_t sum, int32_t shift)
{
    const int32_t level = (int32_t)sum >> shift;

    return (uint32_t)(level < 0 ? 0 : level > 255 ? 255 : level);
}

/* One pixel of the pass along the rows. */
struct Mixture {
    uint32_t r, g, b;

    __device__ __forceinline__ void add(uint32_t weight, uint32_t red,
                                        uint32_t green, uint32_t blue)
    {
        r += weight * red;
        g += weight * green;
        b += weight * blue;
    }
};

/* Output x: whole fours of taps by words while the line holds them. */
__device__ __forceinline__ Mixture
mix_across(const oriel_resample_axis &axis, const Line &line, int64_t x)
{
    const int32_t *weights = axis.weights + x * axis.max_taps;
    const uint8_t *from = line.begin + 3 * (int64_t)axis.first[x];
    const int32_t count = axis.count[x];
    const uint32_t half = 1u << (axis.shift - 1);
    Mixture sum = {half, half, half};
    int32_t j = 0;

    if (line.holds_words(from, count / PIXELS))
        for (; j < count / PIXELS * PIXELS; j += PIXELS, from += BYTES) {
            uint32_t taps[WORDS];
            load_four(taps, from);
#pragma unroll
            for (int k = 0; k < PIXELS; k++)
                sum.add((uint32_t)weights[j + k], byte_of(taps, 3 * k),
                        byte_of(taps, 3 * k + 1), byte_of(taps, 3 * k + 2));
        }
    for (; j < count; j++, from += 3)
        sum.add((uint32_t)weights[j], from[0], from[1], from[2]);
    return sum;
}

/* Into zeros, pixels x and on that the pass along the rows makes of 'line'. */
__device__ __forceinline__ void
across(uint32_t (&words)[WORDS], const oriel_resample_axis &axis,
       const Line &line, int64_t x, int pixels)
{
#pragma unroll
    for (int p = 0; p < PIXELS; p++)
        if (p < pixels) {
            const Mixture sum = mix_across(axis, line, x + p);
            put_byte(words, 3 * p, clip_shifted(sum.r, axis.shift));
            put_byte(words, 3 * p + 1, clip_shifted(sum.g, axis.shift));
            put_byte(words, 3 * p + 2, clip_shifted(sum.b, axis.shift));
        }
}

/* Into zeros, pixels x and on of line y that the pass down the columns makes;
   what comes after them is anything. */
__device__ __forceinline__ void
down(uint32_t (&words)[WORDS], const oriel_resample_axis &axis,
     const Lines &lines, int64_t y, int64_t x, int pixels)
{
    const int32_t *weights = axis.weights + y * axis.max_taps;
    const int64_t first = axis.first[y];
    const int32_t count = axis.count[y];
    uint32_t sum[BYTES], taps[WORDS];

#pragma unroll
    for (int i = 0; i < BYTES; i++)
        sum[i] = 1u << (axis.shift - 1);
    for (int32_t j = 0; j < count; j++) {
        const uint32_t weight = (uint32_t)weights[j];
        load_pixels(taps, lines.line(first + j), x, pixels);
#pragma unroll
        for (int i = 0; i < BYTES; i++)
            sum[i] += weight * byte_of(taps, i);
    }
#pragma unroll
    for (int i = 0; i < BYTES; i++)
        put_byte(words, i, clip_shifted(sum[i], axis.shift));
}

/* Bytes after 'pixels' pixels become zero. */
__device__ __forceinline__ void
clear_behind(uint32_t (&words)[WORDS], int pixels)
{
#pragma unroll
    for (int i = 0; i < BYTES; i++)
        if (i >= 3 * pixels)
            words[i / 4] &= ~(255u << (8 * (i % 4)));
}

__host__ __device__ __forceinline__ bool
changes(const oriel_resample_axis &axis)
{
    return axis.source != axis.size;
}

/* The last job whose blocks of PASS begin at this block or before.  Jobs without
   blocks begin where the next one does, and lose to it. */
template <int PASS>
__device__ __forceinline__ const oriel_resample_job &
find_job(const oriel_resample_args &args, int64_t block)
{
    int32_t low = 0, high = args.n_jobs; /* it is in [low, high) */

    while (high - low > 1) {
        const int32_t middle = low + (high - low) / 2;
        if (args.jobs[middle].first_block[PASS] <= block)
            low = middle;
        else
            high = middle;
    }
    return args.jobs[low];
}

/* Pixels of a thread from whose first one so many are left, or less than none. */
__device__ __forceinline__ int
at_most_four(int64_t left)
{
    return left < 0 ? 0 : left < PIXELS ? (int)left : PIXELS;
}

/* Where the words of a thread go, up to the end of a line. */
__device__ __forceinline__ void
store_words(uint8_t *line, int64_t at, int64_t end,
            const uint32_t (&words)[WORDS])
{
#pragma unroll
    for (int i = 0; i < WORDS; i++)
        if (at + 4 * i < end)
            *(uint32_t *)(line + at + 4 * i) = words[i];
}

__host__ __device__ __forceinline__ int32_t
waiting_width(const oriel_resample_job &job)
{
    return job.vertical_first ? job.across.source : job.across.size;
}

__host__ __device__ __forceinline__ int64_t
tiles_across(const oriel_resample_job &job)
{
    return ((int64_t)waiting_width(job) + TILE_PIXELS - 1) / TILE_PIXELS;
}

__global__ void __launch_bounds__(THREADS, 4)
    resample_first(oriel_resample_args args)
{
    const oriel_resample_job &job = find_job<0>(args, ptx::block_index());
    const int64_t tile = ptx::block_index() - job.first_block[0];
    const int64_t width = waiting_width(job), tiles = tiles_across(job);
    const int thread = (int)ptx::thread_index();
    const int64_t x =
        tile % tiles * TILE_PIXELS + thread % TILE_THREADS * PIXELS;
    const int64_t row = tile / tiles * TILE_ROWS + thread / TILE_THREADS;
    const int64_t y = job.waiting_first + row;
    const int pixels = at_most_four(width - x);
    const Lines source = {job.source, job.pitch, 3 * (int64_t)job.across.source,
                          0};
    uint32_t words[WORDS] = {0, 0, 0};

    if (row >= job.waiting_rows)
        return;
    if (job.vertical_first)
        down(words, job.down, source, y, x, pixels);
    else
        across(words, job.across, source.line(y), x, pixels);
    store_words(job.waiting + row * job.waiting_pitch, 3 * x, job.waiting_pitch,
                words);
}

/* Into zeros, pixels x and on of line y of the result. */
__device__ __forceinline__ void
finish(uint32_t (&words)[WORDS], const oriel_resample_job &job, int64_t y,
       int64_t x, int pixels)
{
    const bool waiting = job.waiting_pitch != 0;
    const Lines lines = waiting ? Lines{job.waiting, job.waiting_pitch,
                                        job.waiting_pitch, job.waiting_first}
                                : Lines{job.source, job.pitch,
                                        3 * (int64_t)job.across.source, 0};

    if (changes(job.down) && !(waiting && job.vertical_first))
        down(words, job.down, lines, y, x, pixels);
    else if (changes(job.across))
        across(words, job.across, lines.line(y), x, pixels);
    else
        load_pixels(words, lines.line(y), x, pixels);
}

/* How threads share a patch: dozens of bytes, of a line and of a slice. */
struct Layout {
    int32_t line, dozens, per_patch;
};

Layout
layout_of(const oriel_resample_args *args)
{
    const int32_t line = oriel_cuda_patch_line(args->patch_size);
    const int32_t dozens = (line + BYTES - 1) / BYTES;

    return {line, dozens, dozens * args->patch_size};
}

__global__ void __launch_bounds__(THREADS, 3)
    resample_last(oriel_resample_args args, Layout layout)
{
    const oriel_resample_job &job = find_job<1>(args, ptx::block_index());
    const int64_t dozen = (ptx::block_index() - job.first_block[1]) * THREADS +
                          ptx::thread_index();
    const int64_t patch = dozen / layout.per_patch;
    const int32_t rest = (int32_t)(dozen % layout.per_patch);
    const int32_t line = rest / layout.dozens,
                  x = rest % layout.dozens * PIXELS;

    const int32_t merge = args.merge, merge2 = merge * merge;
    const int32_t tokens_across = job.across.size / (args.patch_size * merge);
    const int64_t token = patch / merge2;
    const int32_t part = (int32_t)(patch % merge2);
    const int64_t patch_y = token / tokens_across * merge + part / merge;
    const int64_t patch_x = token % tokens_across * merge + part % merge;
    const int pixels = at_most_four(args.patch_size - x);
    uint32_t words[WORDS] = {0, 0, 0};

    if (patch_y * args.patch_size >= job.down.size)
        return;
    finish(words, job, patch_y * args.patch_size + line,
           patch_x * args.patch_size + x, pixels);
    clear_behind(words, pixels);
    const int64_t row =
        (int64_t)args.places[job.first_token + token] * merge2 + part;
    store_words(args.pixels +
                    ((row * args.slices + job.slice) * args.patch_size + line) *
                        layout.line,
                3 * x, layout.line, words);
}

bool
geometry_is_fine(const oriel_resample_args *args)
{
    return args->patch_size > 0 && args->patch_size <= 32 &&
           (args->slices == 1 || args->slices == 2) && args->merge > 0 &&
           args->merge <= 32;
}

bool
axis_is_fine(const oriel_resample_axis &axis, int32_t multiple)
{
    return axis.source > 0 && axis.size > 0 && axis.size % multiple == 0 &&
           (!changes(axis) ||
            (axis.first && axis.count && axis.weights && axis.max_taps > 0 &&
             axis.shift > 0 && axis.shift < 31));
}

bool
job_is_fine(const oriel_resample_job &job, const oriel_resample_args *args)
{
    const int32_t multiple = args->patch_size * args->merge;
    const bool waits = changes(job.across) && changes(job.down);

    return axis_is_fine(job.across, multiple) &&
           axis_is_fine(job.down, multiple) && job.source &&
           job.pitch >= 3 * (int64_t)job.across.source && job.slice >= 0 &&
           job.slice < args->slices && job.first_token >= 0 &&
           waits == (job.waiting_pitch != 0) &&
           (!waits || (job.waiting && (uintptr_t)job.waiting % 16 == 0));
}

} // namespace

extern "C" cudaError_t
oriel_cuda_resample_number(oriel_resample_args *args, oriel_resample_job *jobs,
                           int32_t n_jobs)
{
    const int64_t most = 0x7fffffff;
    int64_t blocks[2] = {0, 0};

    if (!geometry_is_fine(args) || n_jobs < 0)
        return cudaErrorInvalidValue;
    const Layout layout = layout_of(args);
    for (int32_t i = 0; i < n_jobs; i++) {
        oriel_resample_job *job = &jobs[i];

        if (!job_is_fine(*job, args))
            return cudaErrorInvalidValue;
        const int64_t patches = (int64_t)(job->across.size / args->patch_size) *
                                (job->down.size / args->patch_size);
        job->first_block[0] = blocks[0];
        job->first_block[1] = blocks[1];
        if (patches > most)
            return cudaErrorInvalidConfiguration;
        if (job->waiting_pitch)
            blocks[0] +=
                tiles_across(*job) *
                (((int64_t)job->waiting_rows + TILE_ROWS - 1) / TILE_ROWS);
        blocks[1] += (patches * layout.per_patch + THREADS - 1) / THREADS;
        if (blocks[0] > most || blocks[1] > most)
            return cudaErrorInvalidConfiguration;
    }
    args->n_jobs = n_jobs;
    args->blocks[0] = blocks[0];
    args->blocks[1] = blocks[1];
    return cudaSuccess;
}

extern "C" cudaError_t
oriel_cuda_resample_prepare(oriel_cuda_loaded *loaded)
{
    cudaError_t error = prepare(loaded, resample_first, 0, "resample_first");

    return error != cudaSuccess
               ? error
               : prepare(loaded, resample_last, 0, "resample_last");
}

extern "C" cudaError_t
oriel_cuda_resample(const oriel_resample_args *args, cudaStream_t stream)
{
    cudaError_t error;

    if (!geometry_is_fine(args) || args->resample < ORIEL_CUDA_TORCHVISION ||
        args->resample > ORIEL_CUDA_PILLOW12 || (uintptr_t)args->pixels % 16 ||
        (uintptr_t)args->jobs % 8 || (uintptr_t)args->places % 4)
        return cudaErrorInvalidValue;
    error = launch(resample_first, args->blocks[0], THREADS, 0, stream, *args);
    if (error != cudaSuccess)
        return error;
    return launch(resample_last, args->blocks[1], THREADS, 0, stream, *args,
                  layout_of(args));
}
