/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_scene.h - the tiny model, three items and their pixels, for the backend's contract */
#ifndef TESTS_CPU_CPU_SCENE_H
#define TESTS_CPU_CPU_SCENE_H

#include "support/fixture.h"

extern const int32_t cpu_scene_precisions[2];

typedef struct cpu_scene {
    fixture_model m;
    oriel_plan *plan;
    oriel_plan_info info;
    float *pixels;
    oriel_input input;
    int32_t precision;
} cpu_scene;

cpu_scene cpu_scene_make(int32_t precision);
void cpu_scene_free(cpu_scene *s);
/* Of the fp32 embeddings of all items. */
size_t cpu_scene_bytes(const cpu_scene *s);
/* Those embeddings, the caller's; a workspace of NULL: the encoder's own. */
float *cpu_scene_encode(const cpu_scene *s, oriel_encoder *encoder,
                        void *workspace, size_t workspace_bytes);

#endif /* TESTS_CPU_CPU_SCENE_H */
