/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rope.c - rotary embedding in two dimensions
 *
 * head_dim / 4 frequencies serve rows, then the same ones columns: half a head
 * of angles, each turning element d against element d + head_dim / 2.
 */
#include "oracle/oracle.h"

#include <math.h>

static double
angle_of(int32_t position, int32_t j, int32_t head_dim, double theta, int exact)
{
    double frequency = pow(theta, -4.0 * j / head_dim);

    if (exact)
        return position * frequency;
    return (double)((float)position * (float)frequency);
}

void
oracle_rope(double *x, int32_t heads, int32_t head_dim, double theta,
            int32_t row, int32_t column, int exact)
{
    int32_t half = head_dim / 2, quarter = head_dim / 4;

    for (int32_t d = 0; d < half; d++) {
        double angle =
            d < quarter ? angle_of(row, d, head_dim, theta, exact)
                        : angle_of(column, d - quarter, head_dim, theta, exact);
        double c = cos(angle), s = sin(angle);

        for (int32_t h = 0; h < heads; h++) {
            double *head = x + (size_t)h * (size_t)head_dim;
            double a = head[d], b = head[d + half];

            head[d] = a * c - b * s;
            head[d + half] = b * c + a * s;
        }
    }
}
