/* SPDX-License-Identifier: Apache-2.0 */
#include "cuda/scene.h"

#include "cuda/step_hook.h"
#include "sim/control.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

/* Other pixel_values, of one item. */
static void
show_grid(input_case *random_frames, const int64_t (*grid)[3])
{
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;

    oriel_plan_destroy(random_frames->r.plan);
    free(random_frames->values);
    random_frames->r.plan = fixture_plan(&random_frames->r.m, grid, 1);
    random_frames->values = fixture_pixels(random_frames->r.plan, 3);
    ck_assert_int_eq(oriel_plan_get_info(random_frames->r.plan, &info, NULL),
                     ORIEL_OK);
    random_frames->r.info = info;
    random_frames->values_bytes =
        (size_t)info.patches * (size_t)info.patch_columns * sizeof(float);
    random_frames->r.embeddings_bytes =
        (size_t)info.tokens * (size_t)info.out_hidden_size * sizeof(float);
}

/* Results on the device, by indices of the host. */
static void
use_row_index(scene *s)
{
    int32_t tokens = (int32_t)s->random_frames.r.info.tokens;

    s->on_device = true;
    s->row_index = oracle_alloc((size_t)tokens, sizeof(int32_t));
    for (int32_t t = 0; t < tokens; t++)
        s->row_index[t] = tokens - 1 - t;
    for (int i = 0; i < 2; i++) {
        s->device[i] = device_output(s->results[i].bytes);
        s->results[i].data = s->device[i].data;
    }
    s->output.results_memory = ORIEL_MEMORY_DEVICE;
    s->output.row_index = s->row_index;
}

static void
fetch_results(scene *s)
{
    for (int i = 0; i < 2 && s->on_device; i++)
        device_download(s->found[i], s->device[i]);
}

scene *
scene_make(const oriel_network *network, input_kind kind,
           const int64_t (*grid)[3], bool indexed)
{
    scene *s = calloc(1, sizeof(*s));
    oriel_encoder *encoder;
    size_t bytes;

    s->random_frames = input_case_make(network, ORIEL_RESAMPLE_TORCHVISION);
    if (grid)
        show_grid(&s->random_frames, grid);
    s->keeper = checked_encoder(&s->random_frames.r, NULL);
    s->input = input_case_input(&s->random_frames, kind);
    bytes = s->random_frames.r.embeddings_bytes;
    s->found[0] = oracle_alloc(1, bytes);
    s->results[0] = embeddings_result(s->found[0], bytes);
    bytes = (size_t)s->random_frames.r.info.patches *
            (size_t)network->hidden_size * sizeof(float);
    s->found[1] = oracle_alloc(1, bytes);
    s->results[1] = hidden_state_result(1, s->found[1], bytes);
    s->output = output_of(s->results, 2, ORIEL_MEMORY_HOST);
    if (indexed)
        use_row_index(s);
    encoder = cuda_fixture_encoder_with(&s->random_frames.r, ORIEL_GRAPHS_OFF);
    cuda_fixture_encode(encoder, s->random_frames.r.plan, &s->input, &s->output,
                        NULL);
    fetch_results(s);
    oriel_encoder_destroy(encoder);
    s->good = malloc(s->results[0].bytes + s->results[1].bytes);
    memcpy(s->good, s->found[0], s->results[0].bytes);
    memcpy(s->good + s->results[0].bytes, s->found[1], s->results[1].bytes);
    return s;
}

void
scene_free(scene *s)
{
    step_hook_before = NULL;
    oriel_encoder_destroy(s->keeper);
    for (int i = 0; i < 2; i++) {
        free(s->found[i]);
        if (s->on_device)
            device_release(s->device[i]);
    }
    free(s->row_index);
    free(s->good);
    input_case_free(&s->random_frames);
    free(s);
}

bool
scene_is_good(const scene *s)
{
    return memcmp(s->good, s->found[0], s->results[0].bytes) == 0 &&
           memcmp(s->good + s->results[0].bytes, s->found[1],
                  s->results[1].bytes) == 0;
}

oriel_status
scene_encode(scene *s, oriel_error *err)
{
    oriel_encoder *encoder = checked_encoder(&s->random_frames.r, NULL);
    size_t before = sim_device_bytes();
    oriel_status status;

    for (int i = 0; i < 2; i++) {
        memset(s->found[i], 0x55, s->results[i].bytes);
        if (s->on_device)
            ck_assert_int_eq(cudaMemcpy(s->device[i].data, s->found[i],
                                        s->results[i].bytes,
                                        cudaMemcpyHostToDevice),
                             cudaSuccess);
    }
    status = oriel_encode(encoder, s->random_frames.r.plan, &s->input,
                          &s->output, NULL, err);
    sim_fault_operation(0, cudaSuccess);
    ck_assert_uint_eq(sim_device_bytes(), before);
    (void)device_finish();
    fetch_results(s);
    sim_recover();
    oriel_encoder_destroy(encoder);
    return status;
}
