/* SPDX-License-Identifier: Apache-2.0 */
/* hevc.c - how large a coded picture is, out of its parameter sets */
#include "formats/bmff.h"

/* Bits from the most significant on; zeros beyond the end. */
typedef struct bit_reader {
    const uint8_t *bytes;
    size_t n_bytes, at; /* 'at' in bits */
    size_t n_zeros; /* bytes; a 3 after two of them is no data */
} bit_reader;

static uint32_t
read_bit(bit_reader *r)
{
    size_t byte = r->at / 8;

    if (r->at % 8 == 0 && byte < r->n_bytes) {
        if (r->n_zeros >= 2 && r->bytes[byte] == 3) {
            r->n_zeros = 0;
            r->at += 8;
            byte++;
        }
        if (byte < r->n_bytes)
            r->n_zeros = r->bytes[byte] == 0 ? r->n_zeros + 1 : 0;
    }
    if (byte >= r->n_bytes)
        return 0;
    return r->bytes[byte] >> (7 - r->at++ % 8) & 1u;
}

static uint32_t
read_bits(bit_reader *r, int n)
{
    uint32_t value = 0;

    for (int i = 0; i < n; i++)
        value = value << 1 | read_bit(r);
    return value;
}

static void
skip_bits(bit_reader *r, int n)
{
    for (int i = 0; i < n; i++)
        read_bit(r);
}

/* Exponential Golomb; what is longer than 32 bits reads as the largest. */
static uint32_t
read_golomb(bit_reader *r)
{
    int n_zeros = 0;

    while (n_zeros < 32 && read_bit(r) == 0)
        n_zeros++;
    if (n_zeros == 32)
        return UINT32_MAX;
    return (uint32_t)((UINT64_C(1) << n_zeros) - 1) + read_bits(r, n_zeros);
}

/* profile_tier_level: 96 bits, and those of each sub-layer. */
static void
skip_profile(bit_reader *r, uint32_t n_sublayers)
{
    uint32_t profiles = 0, levels = 0;

    skip_bits(r, 96);
    for (uint32_t i = 0; i < n_sublayers; i++) {
        profiles |= read_bit(r) << i;
        levels |= read_bit(r) << i;
    }
    for (uint32_t i = n_sublayers; i < 8 && n_sublayers > 0; i++)
        skip_bits(r, 2);
    for (uint32_t i = 0; i < n_sublayers; i++) {
        if (profiles >> i & 1)
            skip_bits(r, 88);
        if (levels >> i & 1)
            skip_bits(r, 8);
    }
}

static uint64_t
parameter_set_pixels(const uint8_t *bytes, size_t n_bytes)
{
    bit_reader r = {bytes, n_bytes, 0, 0};

    skip_bits(&r, 16 + 4); /* NAL header, parameter set of the video */
    uint32_t n_sublayers = read_bits(&r, 3);
    read_bit(&r);
    skip_profile(&r, n_sublayers);
    read_golomb(&r); /* id */
    if (read_golomb(&r) == 3)
        read_bit(&r);
    uint64_t width = read_golomb(&r), height = read_golomb(&r);
    return width * height;
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
