/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/cpu_scene.h"

#include "support/results.h"

#include <check.h>
#include <stdlib.h>

static const int64_t grids[3][3] = {{1, 10, 14}, {2, 4, 6}, {1, 2, 2}};
const int32_t cpu_scene_precisions[2] = {ORIEL_PRECISION_FP32,
                                         ORIEL_PRECISION_BF16};

cpu_scene
cpu_scene_make(int32_t precision)
{
    cpu_scene s = {.m = fixture_model_make(&fixture_tiny, 21),
                   .info = ORIEL_PLAN_INFO_INIT,
                   .precision = precision};

    s.plan = fixture_plan(&s.m, grids, 3);
    ck_assert_int_eq(oriel_plan_get_info(s.plan, &s.info, NULL), ORIEL_OK);
    s.pixels = fixture_pixels(s.plan, 6);
    s.input = fixture_input(s.plan, s.pixels);
    return s;
}

void
cpu_scene_free(cpu_scene *s)
{
    free(s->pixels);
    oriel_plan_destroy(s->plan);
    fixture_model_free(&s->m);
}

float *
cpu_scene_encode(const cpu_scene *s, oriel_encoder *encoder, void *workspace,
                 size_t workspace_bytes)
{
    size_t bytes = (size_t)s->info.tokens * (size_t)s->info.out_hidden_size * 4;
    oriel_result result = embeddings_result(oracle_alloc(1, bytes), bytes);
    oriel_output output = output_of(&result, 1, ORIEL_MEMORY_HOST);
    oriel_error err;

    output.workspace = workspace;
    output.workspace_bytes = workspace_bytes;
    ck_assert_msg(oriel_encode(encoder, s->plan, &s->input, &output, NULL,
                               &err) == ORIEL_OK,
                  "%s", err.message);
    return result.data;
}

size_t
cpu_scene_bytes(const cpu_scene *s)
{
    return (size_t)s->info.tokens * (size_t)s->info.out_hidden_size * 4;
}
