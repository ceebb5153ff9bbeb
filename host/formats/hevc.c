/* SPDX-License-Identifier: Apache-2.0 */
/* hevc.c - what the parameter sets of HEVC say, before they are decoded */
#include "formats/bits.h"
#include "formats/bmff.h"

/* profile_tier_level: 96 bits, and the bits of each sub-layer. */
static void
skip_profile(oriel_bits *r, uint32_t n_sublayers)
{
    uint32_t profiles = 0, levels = 0;

    oriel_bits_skip(r, 96);
    for (uint32_t i = 0; i < n_sublayers; i++) {
        profiles |= oriel_bits_read_one(r) << i;
        levels |= oriel_bits_read_one(r) << i;
    }
    for (uint32_t i = n_sublayers; i < 8 && n_sublayers > 0; i++)
        oriel_bits_skip(r, 2);
    for (uint32_t i = 0; i < n_sublayers; i++) {
        if (profiles >> i & 1)
            oriel_bits_skip(r, 88);
        if (levels >> i & 1)
            oriel_bits_skip(r, 8);
    }
}

/*
 * libde265 writes to standard error about parameter sets that break these rules
 * of the specification (7.4.3.2.1), so it is not given them.
 */
static bool
is_consistent(oriel_bits *r, uint64_t width, uint64_t height,
              uint32_t n_sublayers)
{
    uint32_t luma = oriel_bits_read_golomb(r),
             chroma = oriel_bits_read_golomb(r); /* depths - 8 */

    oriel_bits_read_golomb(r); /* picture order count */
    uint32_t n_orders = oriel_bits_read_one(r) ? n_sublayers + 1 : 1;
    for (uint32_t i = 0; i < 3 * n_orders; i++)
        oriel_bits_read_golomb(r);
    uint64_t block =
        (uint64_t)oriel_bits_read_golomb(r) + 3; /* log2 of sizes */
    uint64_t tree = block + oriel_bits_read_golomb(r);
    uint64_t transform = (uint64_t)oriel_bits_read_golomb(r) + 2;
    uint64_t largest = transform + oriel_bits_read_golomb(r);
    uint64_t inter = oriel_bits_read_golomb(r),
             intra = oriel_bits_read_golomb(r);

    return luma <= 8 && chroma <= 8 && block < 16 && tree < 16 &&
           width % (UINT64_C(1) << block) == 0 &&
           height % (UINT64_C(1) << block) == 0 && transform <= block &&
           largest <= 5 && largest <= tree && inter + transform <= tree &&
           intra + transform <= tree;
}

/* UINT64_MAX: not consistent. */
static uint64_t
parameter_set_pixels(const uint8_t *bytes, size_t n_bytes)
{
    oriel_bits r = {.bytes = bytes, .n_bytes = n_bytes, .escaped = true};

    oriel_bits_skip(&r, 16 + 4); /* NAL header, parameter set of the video */
    uint32_t n_sublayers = oriel_bits_read(&r, 3);
    oriel_bits_read_one(&r);
    skip_profile(&r, n_sublayers);
    oriel_bits_read_golomb(&r); /* id */
    if (oriel_bits_read_golomb(&r) == 3)
        oriel_bits_read_one(&r);
    uint64_t width = oriel_bits_read_golomb(&r),
             height = oriel_bits_read_golomb(&r);
    if (oriel_bits_read_one(&r)) /* conformance window */
        for (int i = 0; i < 4; i++)
            oriel_bits_read_golomb(&r);
    return is_consistent(&r, width, height, n_sublayers) ? width * height
                                                         : UINT64_MAX;
}

uint64_t
oriel_hevc_pixels(const uint8_t *bytes, size_t n_bytes, size_t length_bytes)
{
    enum { SEQUENCE_PARAMETERS = 33 };
    uint64_t most = 0;
    size_t at = 0;

    while (n_bytes - at >= length_bytes + 2) {
        size_t n = 0;

        for (size_t i = 0; i < length_bytes; i++)
            n = n << 8 | bytes[at++];
        if (n > n_bytes - at)
            n = n_bytes - at;
        if (n >= 2 && (bytes[at] >> 1 & 63) == SEQUENCE_PARAMETERS) {
            uint64_t pixels = parameter_set_pixels(bytes + at, n);

            most = pixels > most ? pixels : most;
        }
        at += n;
    }
    return most;
}
