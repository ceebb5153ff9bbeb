/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counter.h - random numbers by place instead of by turn
 *
 * Value i of a tensor is a function of seed, tensor name and i: splitmix64's
 * output function applied to key + i, with key = mix(mix(seed) + FNV-1a(name)).
 */
#ifndef ORIEL_WEIGHTS_COUNTER_H
#define ORIEL_WEIGHTS_COUNTER_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t
oriel_counter_mix(uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

/* Where the counter of the tensor (or other thing) of this name starts. */
uint64_t oriel_counter_key(uint64_t seed, const char *name);

/* Uniform in [-1, 1), a multiple of 2^-23. */
static inline float
oriel_counter_unit(uint64_t key, uint64_t i)
{
    uint32_t bits = (uint32_t)(oriel_counter_mix(key + i) >> 40);

    return (float)(int32_t)bits * 0x1p-23f - 1.0f;
}

/* bf16(u * scale + offset) of values first .. first + n - 1. */
void oriel_counter_fill(uint16_t *out, uint64_t key, uint64_t first, size_t n,
                        float scale, float offset);

#endif /* ORIEL_WEIGHTS_COUNTER_H */
