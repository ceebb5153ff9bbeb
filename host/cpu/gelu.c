/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gelu.c - y = x . Phi(x), the erf form
 *
 * With a = |x| and the tail t = a . Phi(-a), y = max(x, 0) - t: nothing cancels
 * on either side.  Phi(-a) = g(a) e^(-a^2 / 2), and g, which falls as 1/a, is u
 * times a polynomial in u = 1 / (1 + a / 5), fitted for the least relative
 * error (1.8e-8).  Relative error below 6e-7 on the positive side and below
 * 6e-7 (1 + a^2) on the negative one, where the tail is all there is.
 */
#include "cpu/kernel_table.h"
#include "cpu/vector.h"

static inline vf
gelu_of(vf x)
{
    vf a = (vf)((vi)x & 0x7fffffff);
    vf u = 1.0f / (a * 0.2f + 1.0f);
    vf p = u * -0.04624302898482861f + 0.16351760376307897f;
    vf power = exp2_of(at_least(a * a * -0.7213475204444817f, -1000.0f));

    p = p * u - 0.16305095246071738f;
    p = p * u + 0.17825798817679786f;
    p = p * u - 0.016701257625850695f;
    p = p * u + 0.08136610102640061f;
    p = p * u + 0.06623551468514649f;
    p = p * u + 0.07707130876683577f;
    p = p * u + 0.0797574131212497f;
    p = p * u + 0.07978930101338126f;
    return at_least(x, 0.0f) - a * u * p * power;
}

void
ORIEL_KERNEL(gelu)(void *y, const float *x, int64_t n,
                   oriel_cpu_storage storage)
{
    int64_t i = 0;

    for (; i + LANES <= n; i += LANES)
        store_lanes(y, i, gelu_of(load(x + i)), LANES, storage);
    if (i < n)
        store_lanes(y, i, gelu_of(load_part(x + i, n - i)), n - i, storage);
}
