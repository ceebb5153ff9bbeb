/* SPDX-License-Identifier: Apache-2.0 */
/* half.c - IEEE half precision, without relying on the compiler's */
#include "base/half.h"

float
oriel_f16_to_f32(uint16_t value)
{
    uint32_t sign = (uint32_t)(value & 0x8000u) << 16;
    uint32_t exponent = (value >> 10) & 0x1fu;
    uint32_t mantissa = value & 0x3ffu;
    uint32_t bits;
    float f;

    if (exponent == 0) {
        /* Zero or subnormal: mantissa x 2^-24 is exact in fp32. */
        f = (float)mantissa * 0x1p-24f;
        memcpy(&bits, &f, sizeof(bits));
        bits |= sign;
    } else if (exponent == 31) {
        bits = sign | 0x7f800000u | mantissa << 13;
    } else {
        bits = sign | (exponent + 112) << 23 | mantissa << 13;
    }
    memcpy(&f, &bits, sizeof(f));
    return f;
}

uint16_t
oriel_f32_to_f16(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    uint16_t sign = (uint16_t)((bits >> 16) & 0x8000u);
    uint32_t magnitude = bits & 0x7fffffffu;

    if (magnitude > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u | ((magnitude >> 13) & 0x1ffu));
    if (magnitude >= 0x477ff000u) /* 65520 and up round to infinity */
        return (uint16_t)(sign | 0x7c00u);
    if (magnitude < 0x38800000u) {
        /* Subnormal: adding 0.5 aligns the last bit and rounds to even. */
        float f;

        memcpy(&f, &magnitude, sizeof(f));
        f += 0.5f;
        memcpy(&magnitude, &f, sizeof(magnitude));
        return (uint16_t)(sign | (magnitude - 0x3f000000u));
    }
    magnitude += 0xfffu + ((magnitude >> 13) & 1u);
    return (uint16_t)(sign | ((magnitude - 0x38000000u) >> 13));
}
