/* SPDX-License-Identifier: Apache-2.0 */
/* frame_bytes.c - what frames need on the device, from their sizes */
#include "cuda/frames.h"

#include "base/checked.h"
#include "pixels/axis.h"
#include "pixels/pixels.h"

enum { SOURCE_ALIGNMENT = 16 };

bool
oriel_cuda_resamples(const oriel_plan *plan)
{
    return !plan->from_grids && plan->resample != ORIEL_RESAMPLE_FLOAT;
}

bool
oriel_cuda_sizes_repeat(const oriel_plan *plan, int64_t item)
{
    const oriel_item *it = &plan->items[item];

    return item > 0 && it[0].width == it[-1].width &&
           it[0].height == it[-1].height &&
           it[0].resized_width == it[-1].resized_width &&
           it[0].resized_height == it[-1].resized_height;
}

size_t
oriel_cuda_axis_bytes(int32_t source, int32_t size)
{
    size_t bytes = 0;

    if (source != size && !oriel_axis_bytes(source, size, &bytes))
        return SIZE_MAX;
    return bytes;
}

size_t
oriel_cuda_source_bytes(const oriel_item *item)
{
    return oriel_round_up((size_t)item->width * 3 * (size_t)item->height,
                          SOURCE_ALIGNMENT);
}

size_t
oriel_cuda_measure_job(oriel_resample_job *job, const oriel_plan *plan,
                       int64_t item)
{
    const oriel_item *it = &plan->items[item];

    *job = (oriel_resample_job){
        .across = {.source = it->width, .size = it->resized_width},
        .down = {.source = it->height, .size = it->resized_height},
        .vertical_first = oriel_resample_vertical_first(
            plan->resample, it->width, it->height, it->resized_width,
            it->resized_height)};
    return oriel_round_up(oriel_cuda_resample_measure(job, NULL, NULL),
                          SOURCE_ALIGNMENT);
}

int64_t
oriel_cuda_frames_of(const oriel_plan *plan, int64_t item)
{
    return plan->first_frame[item + 1] - plan->first_frame[item];
}

/* Sum of count x bytes over what is there already; SIZE_MAX stays. */
static void
add(size_t *sum, int64_t count, size_t bytes)
{
    if (!oriel_mul_size(&bytes, bytes, (size_t)count) ||
        !oriel_add_size(sum, *sum, bytes))
        *sum = SIZE_MAX;
}

oriel_cuda_frame_bytes
oriel_cuda_measure_frames(const oriel_plan *plan)
{
    oriel_cuda_frame_bytes of = {0};

    for (int64_t i = 0; i < plan->info.n_items && oriel_cuda_resamples(plan);
         i++) {
        const oriel_item *it = &plan->items[i];
        oriel_resample_job job;

        if (!oriel_cuda_sizes_repeat(plan, i)) {
            add(&of.axes, 1,
                oriel_cuda_axis_bytes(it->width, it->resized_width));
            add(&of.axes, 1,
                oriel_cuda_axis_bytes(it->height, it->resized_height));
        }
        add(&of.sources, oriel_cuda_frames_of(plan, i),
            oriel_cuda_source_bytes(it));
        add(&of.waiting, oriel_cuda_frames_of(plan, i),
            oriel_cuda_measure_job(&job, plan, i));
    }
    return of;
}
