/* SPDX-License-Identifier: Apache-2.0 */
/* rms_norm.c - y = x / sqrt(mean(x^2) + eps) * weight */
#include "oracle/oracle.h"

#include <math.h>

void
oracle_rms_norm(double *y, const double *x, const double *weight, int64_t rows,
                int64_t width, double eps)
{
    for (int64_t r = 0; r < rows; r++) {
        const double *from = x + r * width;
        double sum = 0.0, scale;

        for (int64_t i = 0; i < width; i++)
            sum += from[i] * from[i];
        scale = 1.0 / sqrt(sum / (double)width + eps);
        for (int64_t i = 0; i < width; i++)
            y[r * width + i] = from[i] * scale * weight[i];
    }
}
