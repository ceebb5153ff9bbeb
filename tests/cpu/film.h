/* SPDX-License-Identifier: Apache-2.0 */
/* film.h - random frames for every item of a plan, in host memory */
#ifndef TESTS_CPU_FILM_H
#define TESTS_CPU_FILM_H

#include "oriel.h"

typedef struct film {
    unsigned char *memory; /* of all frames, one behind the other */
    size_t bytes;
    int64_t n_frames;
    const void **frames;
    size_t *pitches; /* a few bytes more than a line, not the same for all */
    oriel_input input;
} film;

film film_make(const oriel_plan *plan, uint64_t seed);
void film_free(film *f);

#endif /* TESTS_CPU_FILM_H */
