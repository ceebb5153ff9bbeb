/* SPDX-License-Identifier: Apache-2.0 */
/* linear.c - y = x . w^T + b */
#include "oracle/oracle.h"

void
oracle_linear(double *y, const double *x, const double *w, const double *b,
              int64_t rows, int64_t out, int64_t in)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t o = 0; o < out; o++) {
            double sum = b ? b[o] : 0.0;

            for (int64_t i = 0; i < in; i++)
                sum += x[r * in + i] * w[o * in + i];
            y[r * out + o] = sum;
        }
}
