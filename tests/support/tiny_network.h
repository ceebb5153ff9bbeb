/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tiny_network.h - the numbers of the tiny network, the one small network that
 * tests of every area use
 *
 * Four blocks, full attention in 1 and 3; hidden 32 in two heads; patches of
 * 4 x 4 pixels, two moments each; windows of 4 x 4 tokens; a token is 2 x 2
 * patches, so 8 x 8 pixels.  The same network is fixture_tiny (networks.h) for
 * tests that link the library's inside, `oriel synth --config tiny`
 * (test_synth.c compares them), and the golden file tests/golden/tiny.
 *
 * Numbers only, so that tests that see nothing but the public headers share it.
 */
#ifndef TESTS_SUPPORT_TINY_NETWORK_H
#define TESTS_SUPPORT_TINY_NETWORK_H

#define TINY_DEPTH 4
#define TINY_FULL_ATTENTION_BLOCKS 1, 3
#define TINY_HIDDEN 32
#define TINY_INTERMEDIATE 20
#define TINY_HEADS 2
#define TINY_OUT 24
#define TINY_PATCH 4
#define TINY_TEMPORAL_PATCH 2
#define TINY_MERGE 2
#define TINY_WINDOW 32
/* Values of a patch: 3 channels x 2 moments x 4 x 4 pixels. */
#define TINY_COLUMNS 96

/* clang-format off */
#define TINY_TEXT(...) TINY_TEXT_EXPANDED(__VA_ARGS__)
#define TINY_TEXT_EXPANDED(...) #__VA_ARGS__

/* The same numbers as keys of a config.json's vision_config. */
#define TINY_CONFIG_KEYS \
    "\"depth\": " TINY_TEXT(TINY_DEPTH) ", " \
    "\"hidden_size\": " TINY_TEXT(TINY_HIDDEN) ", " \
    "\"intermediate_size\": " TINY_TEXT(TINY_INTERMEDIATE) ", " \
    "\"num_heads\": " TINY_TEXT(TINY_HEADS) ", " \
    "\"out_hidden_size\": " TINY_TEXT(TINY_OUT) ", " \
    "\"patch_size\": " TINY_TEXT(TINY_PATCH) ", " \
    "\"temporal_patch_size\": " TINY_TEXT(TINY_TEMPORAL_PATCH) ", " \
    "\"spatial_patch_size\": " TINY_TEXT(TINY_PATCH) ", " \
    "\"spatial_merge_size\": " TINY_TEXT(TINY_MERGE) ", " \
    "\"window_size\": " TINY_TEXT(TINY_WINDOW) ", " \
    "\"fullatt_block_indexes\": [" TINY_TEXT(TINY_FULL_ATTENTION_BLOCKS) "]"

/* And as keys of a preprocessor_config.json. */
#define TINY_PREPROCESSOR_KEYS \
    "\"patch_size\": " TINY_TEXT(TINY_PATCH) ", " \
    "\"temporal_patch_size\": " TINY_TEXT(TINY_TEMPORAL_PATCH) ", " \
    "\"merge_size\": " TINY_TEXT(TINY_MERGE)
/* clang-format on */

#endif /* TESTS_SUPPORT_TINY_NETWORK_H */
