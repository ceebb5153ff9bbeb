/* SPDX-License-Identifier: Apache-2.0 */
/* random_frames.h - random frames for every item of a plan, in host memory */
#ifndef TESTS_SUPPORT_RANDOM_FRAMES_H
#define TESTS_SUPPORT_RANDOM_FRAMES_H

#include "oriel.h"

typedef struct random_frames {
    unsigned char *memory; /* of all frames, one after the other */
    size_t bytes;
    int64_t n_frames;
    const void **frames;
    size_t *pitches; /* a few bytes more than a line, not the same for all */
    oriel_input input;
} random_frames;

random_frames random_frames_make(const oriel_plan *plan, uint64_t seed);
void random_frames_free(random_frames *f);

#endif /* TESTS_SUPPORT_RANDOM_FRAMES_H */
