/* SPDX-License-Identifier: Apache-2.0 */
#include "tensor_core.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace sim
{
namespace
{

TensorCore kind = TensorCore::PLAIN;

constexpr int KEPT_BITS = 24; /* below the largest exponent of a group */

/* Biased: 0 for zero, NOT_FINITE for infinity and NaN. */
int
exponent(double x)
{
    uint64_t bits;

    memcpy(&bits, &x, sizeof(bits));
    return static_cast<int>(bits >> 52 & 0x7ff);
}

constexpr int BIAS = 1023, NOT_FINITE = 2047;

double
power_of_two(int power)
{
    uint64_t bits = static_cast<uint64_t>(power + BIAS) << 52;
    double value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* The accumulator and a group of products, cut off where the largest ends.  Products
   of floats are neither subnormal nor infinite in double. */
template <int N>
float
truncated_sum(float accumulator, const double (&products)[N])
{
    const double c = static_cast<double>(accumulator);
    int largest = exponent(c);

    for (double p : products)
        largest = std::max(largest, exponent(p));
    if (largest == 0)
        return accumulator;
    if (largest == NOT_FINITE) { /* NaN and infinity spread as in any sum */
        double sum = c;
        for (double p : products)
            sum += p;
        return static_cast<float>(sum);
    }
    const double scale = power_of_two(KEPT_BITS - (largest - BIAS));
    int64_t units = static_cast<int64_t>(c * scale);
    for (double p : products)
        units += static_cast<int64_t>(p * scale);
    const double exact =
        static_cast<double>(units) * power_of_two(largest - BIAS - KEPT_BITS);
    float rounded = static_cast<float>(exact);
    if (std::fabs(static_cast<double>(rounded)) > std::fabs(exact))
        rounded = std::nextafter(rounded, 0.0f);
    return rounded;
}

/* Eight columns at once; on every processor the same sums, in the same order. */
typedef float Eight __attribute__((vector_size(32), aligned(4), may_alias));

template <int WIDE>
__attribute__((always_inline)) inline void
add_plain(const float *a, const float *b, int columns, float *c)
{
    for (int i = 0; i < 16; i++) {
        Eight sum[WIDE] = {};

        for (int k = 0; k < 16; k++) {
            const float value = a[16 * i + k];
            const Eight *row = (const Eight *)(b + k * columns);

            for (int j = 0; j < WIDE; j++)
                sum[j] += value * row[j];
        }
        for (int j = 0; j < WIDE; j++)
            ((Eight *)(c + i * columns))[j] += sum[j];
    }
}

__attribute__((always_inline)) inline void
add_plain_columns(const float *a, const float *b, int columns, float *c)
{
    int j = 0;

    for (; j + 64 <= columns; j += 64)
        add_plain<8>(a, b + j, columns, c + j);
    for (; j + 32 <= columns; j += 32)
        add_plain<4>(a, b + j, columns, c + j);
    for (; j + 16 <= columns; j += 16)
        add_plain<2>(a, b + j, columns, c + j);
    if (j < columns)
        add_plain<1>(a, b + j, columns, c + j);
}

__attribute__((target("avx2"))) void
add_plain_avx2(const float *a, const float *b, int columns, float *c)
{
    add_plain_columns(a, b, columns, c);
}

void
add_plain_any(const float *a, const float *b, int columns, float *c)
{
    add_plain_columns(a, b, columns, c);
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
    if (kind == TensorCore::PLAIN)
        return warpgroup_core(a[0], b[0], 8, c[0]);
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

void
warpgroup_core(const float *a, const float *b, int columns, float *c)
{
    if (kind == TensorCore::PLAIN) {
        if (__builtin_cpu_supports("avx2"))
            add_plain_avx2(a, b, columns, c);
        else
            add_plain_any(a, b, columns, c);
        return;
    }
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < columns; j++) {
            double products[16];

            for (int k = 0; k < 16; k++)
                products[k] = static_cast<double>(a[16 * i + k]) *
                              static_cast<double>(b[k * columns + j]);
            c[i * columns + j] = truncated_sum(c[i * columns + j], products);
        }
}

} // namespace sim
