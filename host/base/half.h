/* SPDX-License-Identifier: Apache-2.0 */
/* half.h - the 16-bit floats, one value at a time */
#ifndef ORIEL_BASE_HALF_H
#define ORIEL_BASE_HALF_H

#include <stdint.h>
#include <string.h>

static inline float
oriel_bf16_to_f32(uint16_t value)
{
    uint32_t bits = (uint32_t)value << 16;
    float f;

    memcpy(&f, &bits, sizeof(f));
    return f;
}

/* Round to nearest, ties to even; a NaN stays one, quiet. */
static inline uint16_t
oriel_f32_to_bf16(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)((bits >> 16) | 0x40u);
    return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

float oriel_f16_to_f32(uint16_t value);
uint16_t oriel_f32_to_f16(float value); /* nearest even; too large: infinity */

#endif /* ORIEL_BASE_HALF_H */
