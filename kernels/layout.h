/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout.h - data of the kernels whose size the host must know without CUDA
 *
 * liboriel computes from it what an encoder on a GPU needs, where there is neither
 * the toolkit nor a driver.
 */
#ifndef ORIEL_KERNELS_LAYOUT_H
#define ORIEL_KERNELS_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

/* expand_plan.cu */
enum { ORIEL_CUDA_WINDOW_CLASSES = 4 };
enum { ORIEL_PACK_COLUMNS = 4, ORIEL_TILE_COLUMNS = 3 };
enum { ORIEL_CUDA_SEQUENCES = 256 }; /* frames that are listed, at most */
/* One item of a plan.  Classes are windows of 1 to 4 times 16 patches. */
typedef struct oriel_plan_record {
    int32_t frames, rows, columns; /* in tokens */
    int32_t first_token;
    int32_t first_window, first_window_tile; /* of its first frame */
    int32_t first_frame_tile;
    int32_t first_still; /* slices from here on show one frame */
    int32_t first_of[ORIEL_CUDA_WINDOW_CLASSES]; /* windows of each class before
                                                    it */
} oriel_plan_record;

/* What a batch has of what blocks take, where launches are made for more: written by
   expand_plan.cu, read by whatever has an oriel_counted. */
typedef struct oriel_batch_counts {
    int32_t rows, n_packs, n_frame_tiles;
} oriel_batch_counts;

/* resample.cu */
/* One axis: 'source' samples become 'size'.  Equal: it is skipped and the rest
   is unused.  The arrays are as in host/pixels/axis.h, on the device. */
typedef struct oriel_resample_axis {
    const int32_t *first;   /* [size] */
    const int32_t *count;   /* [size] */
    const int32_t *weights; /* [size, max_taps] */
    int32_t source, size, max_taps, shift;
} oriel_resample_axis;
/* One source frame. */
typedef struct oriel_resample_job {
    const uint8_t *source; /* RGB8 [down.source, across.source, 3] */
    int64_t pitch;         /* bytes from line to line of it */
    oriel_resample_axis across, down;
    int64_t first_token;    /* of its temporal slice, in image order */
    int32_t slice;          /* which of its patches' slices it fills */
    int32_t vertical_first; /* oriel_resample_vertical_first(), host/pixels */

    /* Set by oriel_cuda_resample_measure, 'waiting' then by the caller. */
    uint8_t *waiting;      /* [waiting_rows, waiting_pitch], aligned to 16 */
    int64_t waiting_pitch; /* 0: one pass, or none, does */
    int32_t waiting_first, waiting_rows; /* those that the last pass reads */

    int64_t first_block[2]; /* of each pass; set by _number */
} oriel_resample_job;
enum { ORIEL_WAITING_PITCH = 32 }; /* a sector of the memory */
/* Bytes of 'waiting' that the job wants, from its axes' sizes and its pass order.
   first and count are down's on the host; NULL: the most that they can ask for. */
static inline size_t
oriel_cuda_resample_measure(oriel_resample_job *job, const int32_t *first,
                            const int32_t *count)
{
    const int64_t width =
        job->vertical_first ? job->across.source : job->across.size;
    int64_t low = 0;
    int64_t end = job->vertical_first ? job->down.size : job->down.source;

    job->waiting_pitch = job->waiting_first = job->waiting_rows = 0;
    if (job->across.source == job->across.size ||
        job->down.source == job->down.size)
        return 0;
    if (first && !job->vertical_first) {
        low = end;
        end = 0;
        for (int32_t y = 0; y < job->down.size; y++) {
            const int64_t last = (int64_t)first[y] + count[y];

            low = first[y] < low ? first[y] : low;
            end = last > end ? last : end;
        }
    }
    job->waiting_first = (int32_t)low;
    job->waiting_rows = (int32_t)(end - low);
    job->waiting_pitch = (3 * width + ORIEL_WAITING_PITCH - 1) /
                         ORIEL_WAITING_PITCH * ORIEL_WAITING_PITCH;
    return (size_t)job->waiting_rows * (size_t)job->waiting_pitch;
}

/* patch_embed.cu */
/* Bytes, and values, of a line of pixels: 3 x patch_size up to 16s. */
static inline int32_t
oriel_cuda_patch_line(int32_t patch_size)
{
    return (3 * patch_size + 15) / 16 * 16;
}
/* Columns of the weight: (y, slice, x and channel within the line). */
static inline int32_t
oriel_cuda_patch_depth(int32_t patch_size, int32_t slices)
{
    return patch_size * slices * oriel_cuda_patch_line(patch_size);
}

#endif /* ORIEL_KERNELS_LAYOUT_H */
