/* SPDX-License-Identifier: Apache-2.0 */
/* scene.h - an encoder on the fake device, and all that one call of it takes */
#ifndef TESTS_ENCODE_SCENE_H
#define TESTS_ENCODE_SCENE_H

#include "encode/encoder.h"
#include "support/tiny_model.h"

enum {
    SCENE_ITEMS = 3,
    SCENE_PATCHES = 272,
    SCENE_TOKENS = 68,
    SCENE_SLACK = 256 /* of the workspace, beyond what is needed */
};

extern const int64_t scene_grids[3 * SCENE_ITEMS];
extern const size_t scene_workspace;

struct scene {
    tiny_model tiny;
    oriel_encoder *encoder;
    oriel_plan *plan;
    float *pixel_values;
    float *embeddings;
    float *states[TINY_DEPTH + 1];
    oriel_input input;
    oriel_output output;
    oriel_tap taps[TINY_DEPTH + 1];
};

oriel_status scene_create(oriel_encoder **out, const oriel_model *model,
                          const oriel_backend *backend,
                          const oriel_hooks *hooks, size_t bytes,
                          oriel_error *err);
void scene_setup(struct scene *s, const oriel_backend *backend);
void scene_teardown(struct scene *s); /* and nothing of it is left */
oriel_status scene_encode(struct scene *s, struct CUstream_st *stream,
                          oriel_error *err);

#endif /* TESTS_ENCODE_SCENE_H */
