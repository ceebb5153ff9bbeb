/* SPDX-License-Identifier: Apache-2.0 */
/* checked.h - arithmetic on sizes that come from outside: false on overflow */
#ifndef ORIEL_BASE_CHECKED_H
#define ORIEL_BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool
oriel_add_size(size_t *sum, size_t a, size_t b)
{
    return !__builtin_add_overflow(a, b, sum);
}

static inline bool
oriel_mul_size(size_t *product, size_t a, size_t b)
{
    return !__builtin_mul_overflow(a, b, product);
}

static inline bool
oriel_add_i64(int64_t *sum, int64_t a, int64_t b)
{
    return !__builtin_add_overflow(a, b, sum);
}

static inline bool
oriel_mul_i64(int64_t *product, int64_t a, int64_t b)
{
    return !__builtin_mul_overflow(a, b, product);
}

/* Round up to a multiple of 'unit', a power of two; the sum must not wrap. */
static inline size_t
oriel_round_up(size_t n, size_t unit)
{
    return (n + unit - 1) & ~(unit - 1);
}

#endif /* ORIEL_BASE_CHECKED_H */
