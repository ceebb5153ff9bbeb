/* SPDX-License-Identifier: Apache-2.0 */
#include "tensor_core.hpp"

#include <algorithm>
#include <cmath>

namespace sim
{
namespace
{

TensorCore kind = TensorCore::PLAIN;

constexpr int KEPT_BITS = 24; /* below the largest exponent of a group */

/* The accumulator and eight products, cut off where the largest ends. */
float
truncated_sum(float c, const double (&products)[8])
{
    double sum = 0;
    int largest = -10000;
    bool finite = std::isfinite(c);

    for (double p : products)
        finite = finite && std::isfinite(p);
    if (!finite) { /* NaN and infinity spread as in any sum */
        sum = c;
        for (double p : products)
            sum += p;
        return static_cast<float>(sum);
    }
    if (c != 0)
        largest = std::max(largest, std::ilogb(c));
    for (double p : products)
        if (p != 0)
            largest = std::max(largest, std::ilogb(p));
    if (largest == -10000)
        return c;
    double unit = std::ldexp(1.0, largest - KEPT_BITS);
    sum = std::trunc(static_cast<double>(c) / unit);
    for (double p : products)
        sum += std::trunc(p / unit);
    double exact = sum * unit;
    float rounded = static_cast<float>(exact);
    if (std::fabs(static_cast<double>(rounded)) > std::fabs(exact))
        rounded = std::nextafter(rounded, 0.0f);
    return rounded;
}

} // namespace

void
set_tensor_core(TensorCore k)
{
    kind = k;
}

void
tensor_core(const float (&a)[16][16], const float (&b)[16][8],
            float (&c)[16][8])
{
    if (kind == TensorCore::PLAIN) {
        float sum[16][8] = {};

        for (int i = 0; i < 16; i++)
            for (int k = 0; k < 16; k++)
                for (int j = 0; j < 8; j++)
                    sum[i][j] += a[i][k] * b[k][j];
        for (int i = 0; i < 16; i++)
            for (int j = 0; j < 8; j++)
                c[i][j] += sum[i][j];
        return;
    }
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 8; j++)
            for (int group = 0; group < 16; group += 8) {
                double products[8];

                for (int k = 0; k < 8; k++)
                    products[k] = static_cast<double>(a[i][group + k]) *
                                  static_cast<double>(b[group + k][j]);
                c[i][j] = truncated_sum(c[i][j], products);
            }
}

} // namespace sim
