/* SPDX-License-Identifier: Apache-2.0 */
/*
 * networks.h - small networks for tests, and checkpoints of any network
 */
#ifndef TESTS_SUPPORT_NETWORKS_H
#define TESTS_SUPPORT_NETWORKS_H

#include "base/manifest.h"
#include "base/network.h"

#include <stddef.h>

/* The network of support/tiny_network.h. */
extern const oriel_network fixture_tiny;
/* head_dim 80, hidden 240, an intermediate that is no multiple of anything. */
extern const oriel_network fixture_wide;
/* Windows of 6 x 6 tokens: 144 patches, more than a tile of keys. */
extern const oriel_network fixture_broad;
/* hidden 24, head_dim 8, patches of 32 x 32 at one moment, windows of 3 x 3. */
extern const oriel_network fixture_narrow;
/* hidden 40 in one head, windows of a single token. */
extern const oriel_network fixture_single;

/* config.json, and one safetensors file of fp32. */
typedef struct network_files {
    char *config;
    unsigned char *weights;
    size_t weights_bytes;
} network_files;

/* Asked for the 'n' values of each tensor, in the manifest's order. */
typedef void network_fill(void *user, oriel_tensor tensor, int32_t block,
                          float *out, int64_t n);

network_files network_files_make(const oriel_network *network,
                                 network_fill *fill, void *user);
void network_files_free(network_files *files);

#endif /* TESTS_SUPPORT_NETWORKS_H */
