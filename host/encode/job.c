/* SPDX-License-Identifier: Apache-2.0 */
/* job.c - checking the arguments of one encode */
#include "encode/job.h"

#include "base/dtype.h"
#include "base/fail.h"
#include "base/options.h"
#include "encode/results.h"

#include <string.h>

/* Alignment that vector loads and asynchronous copies of a GPU want. */
enum { DEVICE_ALIGNMENT = 16 };

oriel_status
oriel_memory_check(int32_t memory, int32_t backend_memory, const char *field,
                   oriel_error *err)
{
    if (memory != ORIEL_MEMORY_HOST && memory != ORIEL_MEMORY_DEVICE)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "%s is %d, expected ORIEL_MEMORY_HOST or _DEVICE",
                          field, memory);
    if (memory == ORIEL_MEMORY_DEVICE && backend_memory == ORIEL_MEMORY_HOST)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "%s is ORIEL_MEMORY_DEVICE, but this encoder runs "
                          "on the CPU",
                          field);
    return ORIEL_OK;
}

oriel_status
oriel_alignment_check(int32_t memory, const void *pointer, size_t pitch,
                      const char *field, oriel_error *err)
{
    if (memory == ORIEL_MEMORY_DEVICE &&
        ((uintptr_t)pointer | pitch) % DEVICE_ALIGNMENT)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "%s: device pointers and row sizes are multiples "
                          "of %d bytes",
                          field, DEVICE_ALIGNMENT);
    return ORIEL_OK;
}

static oriel_status
check_dtype(int32_t *dtype, oriel_error *err)
{
    if (*dtype == 0)
        *dtype = ORIEL_DTYPE_F32;
    if (oriel_dtype_bytes(*dtype) == 0)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "input.dtype is %d, expected ORIEL_DTYPE_F32, _BF16, "
                          "_F16 or _U8",
                          *dtype);
    return ORIEL_OK;
}

static oriel_status
check_no_wait(int32_t no_wait, oriel_error *err)
{
    if (no_wait == 0 || no_wait == 1)
        return ORIEL_OK;
    return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                      "input.no_wait is %d, expected 0 or 1", no_wait);
}

oriel_status
oriel_input_load(oriel_input *out, const oriel_input *from, oriel_error *err)
{
    oriel_status status;

    if (!from)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT, "input is NULL");
    status = oriel_options_load(out, sizeof(*out), sizeof(oriel_input), from,
                                "oriel_input", err);
    if (!status)
        status = check_no_wait(out->no_wait, err);
    if (!status)
        status = check_dtype(&out->dtype, err);
    if (!status && !out->frames == !out->pixel_values)
        status = oriel_fail(err, ORIEL_ERR_ARGUMENT,
                            "input: %s of frames and pixel_values set, "
                            "expected exactly one",
                            out->frames ? "both" : "neither");
    return status;
}

oriel_status
oriel_frames_check(const oriel_plan *plan, const oriel_input *input,
                   oriel_error *err)
{
    if (plan->from_grids)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "input.frames with a plan made from grids: expected "
                          "pixel_values");
    for (int32_t i = 0; i < plan->info.n_items; i++) {
        size_t line = (size_t)plan->items[i].width * 3;

        for (int64_t f = plan->first_frame[i]; f < plan->first_frame[i + 1];
             f++) {
            if (!input->frames[f])
                return oriel_fail_item(err, ORIEL_ERR_ARGUMENT, i,
                                       "input.frames[%lld] is NULL",
                                       (long long)f);
            if (input->pitches && input->pitches[f] < line)
                return oriel_fail_item(
                    err, ORIEL_ERR_ARGUMENT, i,
                    "input.pitches[%lld] is %zu, expected at least %zu bytes",
                    (long long)f, input->pitches[f], line);
        }
    }
    return ORIEL_OK;
}

static oriel_status
check_pixel_values(const oriel_plan *plan, const oriel_input *input,
                   oriel_error *err)
{
    size_t expected = (size_t)plan->info.patches *
                      (size_t)plan->info.patch_columns *
                      oriel_dtype_bytes(input->dtype);

    if (input->pixel_values_bytes != expected)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "input.pixel_values_bytes is %zu, expected %zu: "
                          "%lld patches of %d values",
                          input->pixel_values_bytes, expected,
                          (long long)plan->info.patches,
                          plan->info.patch_columns);
    return oriel_alignment_check(input->pixels_memory, input->pixel_values, 0,
                                 "input.pixel_values", err);
}

static oriel_status
check_input(oriel_input *out, const oriel_plan *plan, int32_t memory,
            const oriel_input *input, oriel_error *err)
{
    oriel_status status = oriel_input_load(out, input, err);

    if (!status)
        status = oriel_memory_check(out->pixels_memory, memory,
                                    "input.pixels_memory", err);
    if (status)
        return status;
    return out->frames ? oriel_frames_check(plan, out, err)
                       : check_pixel_values(plan, out, err);
}

/* Whatever of the network a plan's numbers or pixels depend on. */
static const char *
geometry_difference(const oriel_network *a, const oriel_network *b)
{
#define COMPARE(field) \
    if (a->field != b->field) \
    return #field
    COMPARE(depth);
    COMPARE(hidden_size);
    COMPARE(intermediate_size);
    COMPARE(num_heads);
    COMPARE(out_hidden_size);
    COMPARE(in_channels);
    COMPARE(patch_size);
    COMPARE(temporal_patch_size);
    COMPARE(spatial_merge_size);
    COMPARE(window_size);
    COMPARE(n_full_attention_blocks);
    COMPARE(do_rescale);
    COMPARE(do_normalize);
    COMPARE(rescale_factor);
    for (int32_t i = 0; i < a->n_full_attention_blocks; i++)
        if (a->full_attention_blocks[i] != b->full_attention_blocks[i])
            return "fullatt_block_indexes";
    for (int c = 0; c < 3; c++) {
        COMPARE(image_mean[c]);
        COMPARE(image_std[c]);
    }
#undef COMPARE
    return NULL;
}

oriel_status
oriel_plan_check(const oriel_plan *plan, const oriel_network *network,
                 oriel_error *err)
{
    const char *difference = geometry_difference(network, &plan->network);

    if (!difference)
        return ORIEL_OK;
    return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                      "the plan is of another geometry than the encoder's "
                      "model: %s differs",
                      difference);
}

oriel_status
oriel_job_check(oriel_checked_job *out, const oriel_network *network,
                int32_t memory, const oriel_plan *plan,
                const oriel_input *input, const oriel_output *output,
                oriel_error *err)
{
    oriel_status status;

    memset(out, 0, sizeof(*out));
    if (!plan)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT, "plan is NULL");
    status = oriel_plan_check(plan, network, err);
    if (!status)
        status = check_input(&out->input, plan, memory, input, err);
    if (!status)
        status = oriel_output_check(&out->output, network, plan, memory, output,
                                    err);
    out->job.plan = plan;
    out->job.input = &out->input;
    out->job.output = &out->output;
    return status;
}
