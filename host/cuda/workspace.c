/* SPDX-License-Identifier: Apache-2.0 */
/* workspace.c - parts that share one piece of memory */
#include "cuda/workspace.h"

#include "base/fail.h"
#include "cuda/cursor.h"

/* Where part i starts, given where those before it end. */
static size_t
start_of(const oriel_cuda_part *parts, const size_t *ends, int i)
{
    size_t start = 0;

    for (int before = 0; before < i; before++)
        if (oriel_cuda_parts_overlap(&parts[before], &parts[i]) &&
            ends[before] > start)
            start = ends[before];
    return start;
}

oriel_status
oriel_cuda_lay_out(oriel_cuda_workspace *space, void *base,
                   const oriel_plan *plan, const oriel_cuda_shapes *shapes,
                   const oriel_cuda_choices *choices, oriel_error *err)
{
    oriel_cuda_part parts[ORIEL_CUDA_PARTS];
    size_t ends[ORIEL_CUDA_PARTS];
    oriel_status status = oriel_cuda_list_parts(parts, &space->metadata, plan,
                                                shapes, choices, err);

    space->bytes = 0;
    for (int i = 0; i < ORIEL_CUDA_PARTS && !status; i++) {
        size_t start = start_of(parts, ends, i);

        if (!oriel_add_size(
                &ends[i], start,
                oriel_round_up(parts[i].bytes, ORIEL_CUDA_ALIGNMENT)))
            return oriel_fail(err, ORIEL_ERR_CAPACITY,
                              "the plan's workspace exceeds the address space");
        oriel_cuda_point(space, &parts[i],
                         base && parts[i].bytes ? (char *)base + start : NULL);
        space->bytes = ends[i] > space->bytes ? ends[i] : space->bytes;
    }
    return status;
}

oriel_status
oriel_cuda_workspace_bytes(const oriel_plan *plan,
                           const oriel_backend_config *config, size_t *bytes,
                           oriel_error *err)
{
    const oriel_cuda_choices choices = oriel_cuda_choices_of(config);
    oriel_cuda_workspace space = {0};
    oriel_cuda_shapes shapes;
    oriel_status status =
        oriel_cuda_check_network(&plan->network, config->precision, err);

    if (status)
        return status;
    oriel_cuda_shapes_init(&shapes, &plan->network);
    status = oriel_cuda_lay_out(&space, NULL, plan, &shapes, &choices, err);
    *bytes = status ? 0 : space.bytes;
    return status;
}
