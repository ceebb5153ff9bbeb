/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random_network.h - networks and batches drawn at random, through a whole encoder
 *
 * Widths, heads, patches, windows and depth are anything that the envelope of
 * both backends has (host/cuda/shapes.c), small enough for the simulated GPU.
 */
#ifndef TESTS_SUPPORT_RANDOM_NETWORK_H
#define TESTS_SUPPORT_RANDOM_NETWORK_H

#include "support/batch.h"
#include "support/random.h"

enum { ANY_DEPTH = 3, ANY_ITEMS = 4 };

typedef struct random_network {
    oriel_network network; /* points to 'full' */
    int32_t full[ANY_DEPTH];
    int64_t grids[ANY_ITEMS][3];
    char words[160]; /* all of it, for a failure's line */
} random_network;

/* In place: the network points into it. */
void random_network_draw(random_network *any, uint64_t seed);

/* Every state against the tower in double precision: no farther from it than
   its roundings in 'sites' (oracle/rounded.h) take it, with the weights of
   norms and biases rounded or not; fp32, where sites are 0, within 1e-5. */
void random_network_check_values(const random_network *any, const batch *b,
                                 int sites, bool rounds_vectors);

/* Frames of any sizes and pitches give the bytes of their pixel_values. */
void random_network_check_frames(const random_network *any, const batch *b,
                                 uint64_t seed);

#endif /* TESTS_SUPPORT_RANDOM_NETWORK_H */
