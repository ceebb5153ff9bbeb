/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nonfinite.c - how many values of a result are infinite or NaN
 *
 * In each format the exponent of these is all ones; an infinity has no bit of
 * the fraction, a NaN has one.  Without the sign an infinity is therefore equal
 * to one constant and a NaN above it.
 */
#include "cli/nonfinite.h"

#include "oriel.h"

static void
count_16(const uint16_t *values, size_t n, uint16_t infinity,
         uint64_t *infinite, uint64_t *nan)
{
    uint64_t equal = 0, above = 0;

    for (size_t i = 0; i < n; i++) {
        uint16_t magnitude = values[i] & 0x7fff;

        equal += magnitude == infinity;
        above += magnitude > infinity;
    }
    *infinite += equal;
    *nan += above;
}

static void
count_32(const uint32_t *values, size_t n, uint64_t *infinite, uint64_t *nan)
{
    uint64_t equal = 0, above = 0;

    for (size_t i = 0; i < n; i++) {
        uint32_t magnitude = values[i] & 0x7fffffff;

        equal += magnitude == 0x7f800000;
        above += magnitude > 0x7f800000;
    }
    *infinite += equal;
    *nan += above;
}

void
cli_nonfinite_count(const void *values, size_t bytes, int32_t dtype,
                    uint64_t *infinite, uint64_t *nan)
{
    if (dtype == ORIEL_DTYPE_F32)
        count_32(values, bytes / 4, infinite, nan);
    else
        count_16(values, bytes / 2, dtype == ORIEL_DTYPE_F16 ? 0x7c00 : 0x7f80,
                 infinite, nan);
}
