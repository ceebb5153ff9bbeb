/* SPDX-License-Identifier: Apache-2.0 */
/* bits.h - bits of a byte string, the most significant first */
#ifndef ORIEL_FORMATS_BITS_H
#define ORIEL_FORMATS_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Beyond the end there are zeros. */
typedef struct oriel_bits {
    const uint8_t *bytes;
    size_t n_bytes, at; /* 'at' in bits */
    bool escaped;       /* HEVC: a 3 after two zeros is no data */
    size_t n_zeros;     /* bytes, of late */
} oriel_bits;

static inline uint32_t
oriel_bits_read_one(oriel_bits *r)
{
    size_t byte = r->at / 8;

    if (r->at % 8 == 0 && r->escaped && byte < r->n_bytes) {
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

static inline uint32_t
oriel_bits_read(oriel_bits *r, int n)
{
    uint32_t value = 0;

    for (int i = 0; i < n; i++)
        value = value << 1 | oriel_bits_read_one(r);
    return value;
}

static inline void
oriel_bits_skip(oriel_bits *r, int n)
{
    for (int i = 0; i < n; i++)
        oriel_bits_read_one(r);
}

/* Exponential Golomb; what is longer than 32 bits reads as the largest. */
static inline uint32_t
oriel_bits_read_golomb(oriel_bits *r)
{
    int n_zeros = 0;

    while (n_zeros < 32 && oriel_bits_read_one(r) == 0)
        n_zeros++;
    if (n_zeros == 32)
        return UINT32_MAX;
    return (uint32_t)((UINT64_C(1) << n_zeros) - 1) +
           oriel_bits_read(r, n_zeros);
}

#endif /* ORIEL_FORMATS_BITS_H */
