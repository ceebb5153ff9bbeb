/* SPDX-License-Identifier: Apache-2.0 */
/* fake_values.c - numbers that tell which steps made them, and in which order */
#include "encode/fake_backend.h"

#include <string.h>

uint64_t
fake_mix(uint64_t history, uint64_t event)
{
    uint64_t x = history ^ (event * 0x9E3779B97F4A7C15u);

    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

float
fake_value(uint64_t history, int64_t column)
{
    return (float)(fake_mix(history, 1000 + (uint64_t)column) >> 40);
}

uint64_t
fake_row_seed(const float *row, int64_t columns)
{
    uint64_t seed = 0;

    for (int64_t c = 0; c < columns; c++) {
        uint32_t bits;

        memcpy(&bits, &row[c], sizeof(bits));
        seed = fake_mix(seed, bits);
    }
    return seed;
}
