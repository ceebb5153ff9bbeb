/* SPDX-License-Identifier: Apache-2.0 */
/* compare.c - how far a result lies from the truth */
#include "oracle/oracle.h"

#include <math.h>

double
oracle_relative_error(const float *x, const double *truth, int64_t n)
{
    double off = 0.0, all = 0.0;

    for (int64_t i = 0; i < n; i++) {
        double d = (double)x[i] - truth[i];

        off += d * d;
        all += truth[i] * truth[i];
    }
    return all > 0.0 ? sqrt(off / all) : sqrt(off);
}

double
oracle_least_cosine(const float *x, const double *truth, int64_t rows,
                    int64_t width)
{
    double least = 1.0;

    for (int64_t r = 0; r < rows; r++) {
        double dot = 0.0, xx = 0.0, tt = 0.0, cosine;

        for (int64_t i = r * width; i < (r + 1) * width; i++) {
            dot += (double)x[i] * truth[i];
            xx += (double)x[i] * (double)x[i];
            tt += truth[i] * truth[i];
        }
        cosine = dot / sqrt(xx * tt);
        if (!(cosine >= least)) /* a NaN counts as least */
            least = cosine;
    }
    return least;
}
