/* SPDX-License-Identifier: Apache-2.0 */
/* scene.h - one input, its results, and encoders with checks on that must make them */
#ifndef TESTS_CUDA_SCENE_H
#define TESTS_CUDA_SCENE_H

#include "cuda/input_case.h"

/* Frames, results and a hidden state of the host: every kind of copy. */
typedef struct scene {
    input_case random_frames;
    oriel_encoder *keeper; /* of the weights, when others are lost */
    oriel_input input;
    oriel_output output;
    oriel_result results[2]; /* embeddings, hidden state 1 */
    unsigned char *found[2]; /* what they hold, on the host */
    device_buffer device[2]; /* where they lie, if not there */
    bool on_device;
    int32_t *row_index;
    unsigned char *good;
} scene;

/* 'grid' NULL: the input_case's own pictures.  The good results are there. */
scene *scene_make(const oriel_network *network, input_kind kind,
                  const int64_t (*grid)[3], bool indexed);
/* Takes step_hook_before away too. */
void scene_free(scene *s);
/* Encode by a new encoder, with what the test has armed; what the device saw is
   forgotten. */
oriel_status scene_encode(scene *s, oriel_error *err);
/* Whether the last results are the good ones. */
bool scene_is_good(const scene *s);

#endif /* TESTS_CUDA_SCENE_H */
