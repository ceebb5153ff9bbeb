/* SPDX-License-Identifier: Apache-2.0 */
/*
 * published.h - the published sizes: X(name, intermediate_size,
 * out_hidden_size)
 *
 * All else they have in common: 32 blocks of width 1280, and the reference's
 * class defaults.
 */
#ifndef ORIEL_MODEL_PUBLISHED_H
#define ORIEL_MODEL_PUBLISHED_H

#define ORIEL_PUBLISHED_HIDDEN 1280

#define ORIEL_PUBLISHED(X) \
    X("qwen2.5-vl-3b", 3420, 2048) \
    X("qwen2.5-vl-7b", 3420, 3584) \
    X("qwen2.5-vl-32b", 3456, 5120) \
    X("qwen2.5-vl-72b", 3456, 8192)

/* For messages: each name after a space. */
#define ORIEL_PUBLISHED_NAMED(name, intermediate, out) " " name
#define ORIEL_PUBLISHED_NAMES ORIEL_PUBLISHED(ORIEL_PUBLISHED_NAMED)

#endif /* ORIEL_MODEL_PUBLISHED_H */
