/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gelu.c - y = x . Phi(x), Phi the normal distribution function
 *
 * Written with erfc, which keeps its digits where 1 + erf cancels.
 */
#include "oracle/oracle.h"

#include <math.h>

void
oracle_gelu(double *y, const double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] * 0.5 * erfc(-x[i] / sqrt(2.0));
}
