/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_embed.c - the convolution whose stride is its kernel, without bias
 *
 * Patches do not overlap, so it is a matrix product on flattened patches whose
 * columns (channel, frame, y, x) are the kernel's own order.
 */
#include "oracle/oracle.h"

void
oracle_patch_embed(double *y, const double *x, const double *w, int64_t rows,
                   int64_t out, int64_t columns)
{
    oracle_linear(y, x, w, NULL, rows, out, columns);
}
