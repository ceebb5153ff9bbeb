/* SPDX-License-Identifier: Apache-2.0 */
/* rounded.c - roundings, and attention with them */
#include "oracle/rounded.h"

#include "base/half.h"

#include <math.h>
#include <stdlib.h>

const char *
rounded_site_words(int site)
{
    static const char *const words[] = {
#define X(id, text) text,
        ROUNDED_SITES(X)
#undef X
    };

    return words[site];
}

double
rounded_to_bf16(double x)
{
    return (double)oriel_bf16_to_f32(oriel_f32_to_bf16((float)x));
}

void
rounded_maybe(double *x, int64_t n, int sites, int site)
{
    if (!(sites & site))
        return;
    for (int64_t i = 0; i < n; i++)
        x[i] = rounded_to_bf16(x[i]);
}

/* hi is the nearest bf16, lo the nearest of what is left. */
static double
rounded_to_two(double x)
{
    const double value = (double)(float)x, hi = rounded_to_bf16(value);

    return hi + rounded_to_bf16(value - hi);
}

void
rounded_residual(double *x, int64_t n, int sites, int site)
{
    rounded_maybe(x, n, sites, site);
    for (int64_t i = 0; i < n && sites & ROUNDED_WIDE; i++)
        x[i] = rounded_to_two(x[i]);
}

/* Scores of a query to numerators; the sum that they are divided by. */
static double
exponentiate(double *p, int64_t n, double scale, int sites)
{
    double largest = -INFINITY, sum = 0;

    for (int64_t j = 0; j < n; j++)
        largest = fmax(largest, p[j]);
    for (int64_t j = 0; j < n; j++) {
        double exact = exp((p[j] - largest) * scale);

        p[j] = sites & ROUNDED_P ? rounded_to_bf16(exact) : exact;
        sum += sites & ROUNDED_EXACT_SUM ? exact : p[j];
    }
    return sum;
}

void
rounded_attention(double *out, const double *q, const double *k,
                  const double *v, int64_t n, int32_t head_dim, int sites)
{
    double *p = oracle_alloc((size_t)(n * n), sizeof(*p));
    double *sums = oracle_alloc((size_t)n, sizeof(*sums));
    double *turned = oracle_alloc((size_t)(n * head_dim), sizeof(*turned));

    rounded_linear(p, q, k, NULL, n, n, head_dim);
    for (int64_t i = 0; i < n; i++)
        sums[i] = exponentiate(p + i * n, n, 1.0 / sqrt(head_dim), sites);
    for (int64_t i = 0; i < n; i++)
        for (int32_t d = 0; d < head_dim; d++)
            turned[d * n + i] = v[i * head_dim + d];
    rounded_linear(out, p, turned, NULL, n, head_dim, n);
    for (int64_t i = 0; i < n; i++)
        for (int32_t d = 0; d < head_dim; d++)
            out[i * head_dim + d] /= sums[i];
    free(turned);
    free(sums);
    free(p);
}
