/* SPDX-License-Identifier: Apache-2.0 */
#include "support/bf16.h"

#include "base/half.h"

#include <math.h>
#include <stdlib.h>

uint16_t *
random_bf16(random_stream *random, size_t n, double scale, double offset)
{
    uint16_t *values = malloc(n * sizeof(*values) + 1);

    for (size_t i = 0; i < n; i++)
        values[i] =
            oriel_f32_to_bf16((float)(random_unit(random) * scale + offset));
    return values;
}

uint16_t
random_rest(random_stream *random, uint16_t hi, double part)
{
    const float value = oriel_bf16_to_f32(hi);
    const float sum = value * (float)(1 + random_unit(random) * part);

    return isfinite(value) ? oriel_f32_to_bf16(sum - value) : 0;
}

double
bf16_value(uint16_t value)
{
    return (double)oriel_bf16_to_f32(value);
}

double *
bf16_values(const uint16_t *values, size_t n)
{
    double *wide = malloc(n * sizeof(*wide) + 1);

    for (size_t i = 0; i < n; i++)
        wide[i] = bf16_value(values[i]);
    return wide;
}
