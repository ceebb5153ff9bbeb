/* SPDX-License-Identifier: Apache-2.0 */
/* av1.c - how large a picture the sequence header of AV1 allows */
#include "formats/bits.h"
#include "formats/bmff.h"

/* Timing and operating points, up to the sizes (5.5.1 of the specification). */
static void
skip_operating_points(oriel_bits *r)
{
    bool has_model = false;
    int delay_bits = 0;

    if (oriel_bits_read_one(r)) { /* timing_info_present */
        oriel_bits_skip(r, 64);
        if (oriel_bits_read_one(r))
            oriel_bits_read_golomb(r);
        has_model = oriel_bits_read_one(r);
        if (has_model) {
            delay_bits = (int)oriel_bits_read(r, 5) + 1;
            oriel_bits_skip(r, 32 + 5 + 5);
        }
    }
    bool has_display_delay = oriel_bits_read_one(r);
    uint32_t n_points = oriel_bits_read(r, 5) + 1;
    for (uint32_t i = 0; i < n_points; i++) {
        oriel_bits_skip(r, 12);
        if (oriel_bits_read(r, 5) > 7)
            oriel_bits_read_one(r);
        if (has_model && oriel_bits_read_one(r))
            oriel_bits_skip(r, 2 * delay_bits + 1);
        if (has_display_delay && oriel_bits_read_one(r))
            oriel_bits_skip(r, 4);
    }
}

static uint64_t
sequence_pixels(const uint8_t *bytes, size_t n_bytes)
{
    oriel_bits r = {.bytes = bytes, .n_bytes = n_bytes};

    oriel_bits_skip(&r, 4);      /* profile, still_picture */
    if (oriel_bits_read_one(&r)) /* reduced_still_picture_header */
        oriel_bits_skip(&r, 5);
    else
        skip_operating_points(&r);
    int width_bits = (int)oriel_bits_read(&r, 4) + 1;
    int height_bits = (int)oriel_bits_read(&r, 4) + 1;
    uint64_t width = (uint64_t)oriel_bits_read(&r, width_bits) + 1;
    uint64_t height = (uint64_t)oriel_bits_read(&r, height_bits) + 1;
    return width * height;
}

/* LEB128, at most 8 bytes. */
static bool
read_leb128(const uint8_t *bytes, size_t n_bytes, size_t *at, uint64_t *value)
{
    *value = 0;
    for (int i = 0; i < 8 && *at < n_bytes; i++) {
        uint8_t byte = bytes[(*at)++];

        *value |= (uint64_t)(byte & 127) << 7 * i;
        if (byte < 128)
            return true;
    }
    return false;
}

uint64_t
oriel_av1_pixels(const uint8_t *bytes, size_t n_bytes)
{
    enum { SEQUENCE_HEADER = 1, HAS_EXTENSION = 4, HAS_SIZE = 2 };
    uint64_t most = 0;
    size_t at = 0;

    while (at < n_bytes) {
        uint8_t head = bytes[at++];
        uint64_t n = n_bytes - at;

        if (head & HAS_EXTENSION)
            at++;
        if (at > n_bytes ||
            (head & HAS_SIZE && !read_leb128(bytes, n_bytes, &at, &n)))
            break;
        if (n > n_bytes - at)
            n = n_bytes - at;
        if ((head >> 3 & 15) == SEQUENCE_HEADER) {
            uint64_t pixels = sequence_pixels(bytes + at, (size_t)n);

            most = pixels > most ? pixels : most;
        }
        at += (size_t)n;
    }
    return most;
}
