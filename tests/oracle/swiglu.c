/* SPDX-License-Identifier: Apache-2.0 */
/* swiglu.c - y = gate / (1 + e^-gate) * up */
#include "oracle/oracle.h"

#include <math.h>

void
oracle_swiglu(double *y, const double *gate, const double *up, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = gate[i] / (1.0 + exp(-gate[i])) * up[i];
}
